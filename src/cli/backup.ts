// `lash backup FILE TO`: copies a store file, also while others write to it.

import { LashError } from "../domain/errors.ts";
import { isPlainObject } from "../domain/json.ts";
import { prefixRange } from "../stores/engine.ts";
import { contentPrefix } from "../stores/persistence/layout.ts";
import { backup } from "../stores/sqlite/backup.ts";
import type { CliIo } from "./inspect-store.ts";
import { openReadOnly } from "./read-only-store.ts";

export const backupUsage = "lash backup <file> <copy>";

/** @returns the exit code: 0, 1 when no copy was made, 2 when the arguments are wrong. */
export async function backupStore(args: readonly string[], io: CliIo): Promise<number> {
  const [from = "", to = "", ...rest] = args;
  if (from === "" || to === "" || rest.length > 0 || args.some((argument) => argument.startsWith("-"))) {
    io.error(`usage: ${backupUsage}\n`);
    return 2;
  }
  try {
    const { bytes } = await backup(from, to);
    io.out(`copied ${from} to ${to}, ${bytes} bytes\n`);
    if (await hasBytesElsewhere(to)) io.out("its images are in a directory of their own: copy that directory now, after the file\n");
    return 0;
  } catch (error) {
    if (!LashError.is(error)) throw error;
    io.error(`${error.toString()}\n`);
    return 1;
  }
}

async function hasBytesElsewhere(path: string): Promise<boolean> {
  const { engine } = openReadOnly(path);
  try {
    const headers = await engine.read((tx) => tx.range(...prefixRange(contentPrefix("attachment"))));
    return headers.some(({ value }) => isPlainObject(value) && "home" in value);
  } finally {
    await engine.close();
  }
}
