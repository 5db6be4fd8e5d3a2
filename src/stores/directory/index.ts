// A directory as the home of attachment bytes. Node only.
//
//   sha256/<first 2 digits>/<sha256>.<16 digits>        one file per key
//   sha256/<first 2 digits>/<sha256>.<16 digits>.part   while it is being written
//
//   D1. A file gets its name once its bytes are on the disk, and `put` resolves once the name is, too: a loss of power leaves
//       a whole file or none.
//   D2. New folders and files are their owner's alone.
//   D3. Only keys of that very form become paths, so nothing leads out of the directory.

import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { runtimeError, storeError } from "../../domain/errors.ts";
import { invalidArgument } from "../../domain/invalid-argument.ts";
import type { AttachmentHome } from "../attachment-home.ts";

const KEY = /^[0-9a-f]{64}\.[0-9a-f]{16}$/;

/**
 * Keeps the bytes of attachments (images of inputs and tools) as files in a directory, next to a store that keeps everything
 * else: `sqlite("agents.db", { attachments: directory("agents.blobs") })`. Processes may share it as they share the store.
 *
 * Back up the store first and the directory after it: bytes are there before rows name them. Which files are still needed is
 * known to the store alone; `lash.maintenance.sweepAttachments()` removes what nobody needs.
 *
 * @param path - made when missing. Relative paths start at the working directory.
 * @throws LashError `invalid_argument` - a path that is empty. Later, from the call that needs the bytes: `store_full`,
 *   `store_unavailable`.
 */
export function directory(path: string): AttachmentHome {
  if (typeof path !== "string" || path === "") throw invalidArgument("path", "the path of a directory");
  return new DirectoryHome(path);
}

class DirectoryHome implements AttachmentHome {
  readonly name: string;
  readonly durable = true;
  readonly #root: string;
  /** Folders that are known to survive a loss of power. */
  readonly #kept = new Set<string>();

  constructor(path: string) {
    this.name = `directory:${path}`;
    this.#root = resolve(path);
  }

  put(key: string, bytes: Uint8Array): Promise<void> {
    return this.#typed("written", async () => {
      const path = this.#pathOf(key);
      const part = `${path}.part`;
      await this.#keepFolder(dirname(path));
      try {
        await writeDurably(part, bytes);
        await rename(part, path);
        await syncFolder(dirname(path));
      } catch (error) {
        await rm(part, { force: true }).catch(() => undefined);
        throw error;
      }
    });
  }

  get(key: string): Promise<Uint8Array | undefined> {
    return this.#typed("read", async () => {
      try {
        const { buffer, byteOffset, byteLength } = await readFile(this.#pathOf(key));
        return new Uint8Array(buffer, byteOffset, byteLength);
      } catch (error) {
        if (codeOf(error) === "ENOENT") return undefined;
        throw error;
      }
    });
  }

  delete(key: string): Promise<void> {
    return this.#typed("written", async () => {
      const path = this.#pathOf(key);
      for (const file of [path, `${path}.part`]) await rm(file, { force: true });
      // A file that came back after a loss of power would be known to nobody.
      await syncFolder(dirname(path)).catch(unlessMissing);
    });
  }

  #pathOf(key: string): string {
    if (!KEY.test(key)) throw runtimeError("invalid_argument", `${this.name}: ${JSON.stringify(key)} is no key of attachment bytes`);
    return join(this.#root, "sha256", key.slice(0, 2), key);
  }

  /** Makes a folder and all above it; another process may have made them and not have come to sync them. */
  async #keepFolder(folder: string): Promise<void> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    if (this.#kept.has(folder)) return;
    for (let above = dirname(folder); ; above = dirname(above)) {
      await syncFolder(above);
      if (above === dirname(this.#root)) break;
    }
    this.#kept.add(folder);
  }

  async #typed<T>(what: "read" | "written", call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw fromFileSystem(error, this.name, what);
    }
  }
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, "w", 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Windows has no way to do this, and no need: its file systems log changes of folders. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

function unlessMissing(error: unknown): void {
  if (codeOf(error) !== "ENOENT") throw error;
}

function fromFileSystem(error: unknown, name: string, what: "read" | "written"): unknown {
  const code = codeOf(error);
  if (!(error instanceof Error) || typeof code !== "string" || !/^E[A-Z0-9]+$/.test(code)) return error;
  const options = { cause: error, details: { home: name, systemCode: code } };
  switch (code) {
    case "ENOSPC":
    case "EDQUOT":
      return storeError("store_full", `${name} is full; nothing was stored, make room and try again`, options);
    case "EROFS":
    case "EACCES":
    case "EPERM":
      return storeError("store_unavailable", `${name} cannot be ${what}: it is read-only or belongs to somebody else`, options);
    default:
      return storeError("store_unavailable", `${name} cannot be ${what}: ${error.message}`, options);
  }
}
