import { createReadStream } from "node:fs";
import { isPlainObject, type Json } from "../domain/json.ts";

/** A record as it stands in the file; types and fields of later versions are kept as they are. */
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
  for await (const line of linesOf(path)) {
    number += 1;
    if (line === "") continue;
    const record = parsed(line);
    if (isPlainObject(record)) records.push(record as StoredRecord);
    else torn.push(number);
  }
  return { records, torn };
}

/** Node's own reader of lines also breaks them at U+2028, which JSON may hold. */
async function* linesOf(path: string): AsyncGenerator<string, void> {
  let rest = "";
  for await (const chunk of createReadStream(path, "utf8") as AsyncIterable<string>) {
    const [first = "", ...others] = chunk.split("\n");
    const lines = [rest + first, ...others];
    rest = lines.pop() ?? "";
    yield* lines;
  }
  yield rest;
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
