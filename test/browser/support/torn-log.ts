// Chromium keeps IndexedDB in LevelDB and has it append to the log that a killed browser left. When the kill tore the last
// record, what is appended lies behind the torn piece, the opening after that calls it corruption, and Chromium throws the
// whole database away (github.com/google/leveldb/issues/1287; seen in Chromium 153 and 156, once in about 100 kills). No page
// can prevent that, so the tests cut the torn piece off, which nobody was told to be durable. See docs/testing.md.

import { readdirSync, readFileSync, truncateSync } from "node:fs";
import { join } from "node:path";

const BLOCK = 32_768;
const HEADER = 7;
const FULL = 1;
const LAST = 4;

/** Cuts every IndexedDB log below a profile behind its last whole record. */
export function cutTornLogs(profile: string): void {
  const folder = join(profile, "Default", "IndexedDB");
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    if (!name.endsWith(".log")) continue;
    const log = readFileSync(join(folder, name));
    const whole = endOfWholeRecords(log);
    if (whole < log.length) truncateSync(join(folder, name), whole);
  }
}

/** A record is one piece (full) or several (first, middle, last); a piece never crosses a block. */
function endOfWholeRecords(log: Buffer): number {
  let whole = 0;
  let at = 0;
  while (at + HEADER <= log.length) {
    const left = BLOCK - (at % BLOCK);
    if (left < HEADER) {
      at += left;
      continue;
    }
    const end = at + HEADER + log.readUInt16LE(at + 4);
    if (end > log.length) break;
    const type = log.readUInt8(at + 6);
    at = end;
    if (type === FULL || type === LAST) whole = end;
  }
  return whole;
}
