// Homes for the bytes of attachments: one in memory that a test can look into, and a directory.

import type { AttachmentHome } from "../../src/stores/attachment-home.ts";

export interface VisibleHome extends AttachmentHome {
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** Refuses what no home may be asked for: a key used twice (H1). */
export function memoryHome(): VisibleHome {
  const files = new Map<string, Uint8Array>();
  const used = new Set<string>();
  return {
    name: "test home",
    durable: true,
    files,
    put: async (key, bytes) => {
      if (used.has(key)) throw new Error(`key ${key} is used twice`);
      used.add(key);
      files.set(key, bytes.slice());
    },
    get: async (key) => files.get(key)?.slice(),
    delete: async (key) => void files.delete(key),
  };
}
