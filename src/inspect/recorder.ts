// Keeps the last records of a run in memory, as text, so that it can be looked at afterwards.
import { parseRecord, type InspectRecord } from "./records.ts";
import { RecordRing } from "./record-ring.ts";
import { createTap, type InspectObserver, type TapOptions } from "./tap.ts";

export interface RecorderOptions extends TapOptions {
  /** Most records kept; older ones go, but never a chart, nor what tells the state of an actor that still lives. Default 10,000. */
  readonly limit?: number;
}

/** An inspection observer with a memory. */
export interface Recorder extends InspectObserver {
  /** The recording as records, oldest first. */
  toJSON(): readonly InspectRecord[];
  /** The recording as JSONL: what the viewer opens. */
  toFile(): string;
  /** Forgets everything but the charts and the living actors. */
  clear(): void;
  /** Stops recording; what was recorded stays readable. */
  close(): void;
}

/**
 * Records what XState inspection reports.
 *
 * @example
 * const tape = recorder();
 * const lash = createLash({ provider, inspect: tape });
 * await lash.close();
 * await writeFile("run.jsonl", tape.toFile()); // then drop the file on the viewer
 */
export function recorder(options: RecorderOptions = {}): Recorder {
  const ring = new RecordRing(options.limit ?? 10_000);
  const tap = createTap((records) => {
    for (const record of records) ring.add(record);
  }, options);
  const lines = (): readonly string[] => {
    tap.flush();
    return ring.lines();
  };
  return {
    next: tap.next,
    toJSON: () => lines().flatMap((line) => parseRecord(line) ?? []),
    toFile: () => `${lines().join("\n")}\n`,
    clear: () => {
      tap.flush();
      ring.clear();
    },
    close: () => tap.close(),
  };
}
