import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { isPlainObject, type Json } from "../domain/json.ts";

/** A record as it stands in the file; types and fields of later versions are kept as they are (TR-10). */
export interface StoredRecord {
  readonly schema_version?: Json;
  readonly type?: Json;
  readonly [field: string]: Json | undefined;
}

export interface ReadTrace {
  readonly records: readonly StoredRecord[];
  /** Numbers of the lines, from 1, that are no record: torn by a process that was killed, or by a disk that was full. */
  readonly torn: readonly number[];
}

/** Reads what `jsonlTrace` wrote. @throws the file system's error where the file cannot be read. */
export async function readTrace(path: string): Promise<ReadTrace> {
  const records: StoredRecord[] = [];
  const torn: number[] = [];
  let number = 0;
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
    number += 1;
    if (line === "") continue;
    const record = parsed(line);
    if (isPlainObject(record)) records.push(record as StoredRecord);
    else torn.push(number);
  }
  return { records, torn };
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
