import { chmodSync } from "node:fs";
import { dirname } from "node:path";

/** Does something while a file, its folder or both may not be written. Root may write everything, so it becomes nobody meanwhile. */
export async function withReadOnly(path: string, modes: { readonly folder: number; readonly file: number }, body: () => Promise<void>): Promise<void> {
  const isRoot = process.geteuid?.() === 0;
  chmodSync(path, modes.file);
  chmodSync(dirname(path), modes.folder);
  if (isRoot) {
    // Folders of this test are root's own; nobody has to get through them.
    chmodSync(dirname(dirname(path)), 0o755);
    process.seteuid?.(65_534);
  }
  try {
    await body();
  } finally {
    if (isRoot) process.seteuid?.(0);
    chmodSync(dirname(path), 0o755);
    chmodSync(path, 0o644);
  }
}
