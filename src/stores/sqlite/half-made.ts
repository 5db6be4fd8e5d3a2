// A file whose making was cut off by a loss of power. SQLite makes a database in one transaction: first a journal says, on the
// disk, how large the file was before, then pages are written, in any order, then the journal goes. What is left in between
// cannot be read as a database, and holds nothing: opening it for writing makes SQLite roll it back to the size in the journal.

import { closeSync, openSync, readSync } from "node:fs";

/** https://sqlite.org/fileformat2.html#the_rollback_journal */
const MAGIC = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
const PAGES_BEFORE = 16;
const HEADER = 28;

/** Whether the journal beside a file proves that the file was empty when its only transaction began. */
export function journalHoldsNothing(path: string): boolean {
  const header = headOf(`${path}-journal`);
  if (header === undefined || !MAGIC.every((byte, index) => header[index] === byte)) return false;
  return new DataView(header.buffer).getUint32(PAGES_BEFORE) === 0;
}

function headOf(path: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    const fd = openSync(path, "r");
    try {
      const header = new Uint8Array(HEADER);
      return readSync(fd, header, 0, HEADER, 0) === HEADER ? header : undefined;
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined;
  }
}
