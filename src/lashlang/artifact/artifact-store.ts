// Where artifacts live: modules by ref and raw bytes by name, apart from each other (`LL-84`). The store of bytes under it
// is the host's; it only has to keep what it was given.
import { ArtifactError } from "./artifact-error.ts";
import { decodeArtifact, encodeArtifact } from "./module-artifact.ts";
import type { ModuleArtifact } from "./module-artifact.ts";

/** A store of bytes. `put` of a key that exists must keep or replace it by equal content, never fail. */
export interface ArtifactBytes {
  get(namespace: ArtifactNamespace, key: string): Promise<Uint8Array | null>;
  put(namespace: ArtifactNamespace, key: string, bytes: Uint8Array): Promise<void>;
}

export type ArtifactNamespace = "module" | "blob";

export interface ArtifactStore {
  /** Idempotent: a ref that is stored already stays as it is. Resolves once the artifact is as durable as the bytes store is. */
  putModule(artifact: ModuleArtifact): Promise<void>;
  /**
   * @returns null when the ref was never stored.
   * @throws ArtifactError when what is stored is corrupt, or is another module than the ref says.
   */
  getModule(moduleRef: string): Promise<ModuleArtifact | null>;
  putBlob(name: string, bytes: Uint8Array): Promise<void>;
  getBlob(name: string): Promise<Uint8Array | null>;
}

export function createArtifactStore(bytes: ArtifactBytes = createMemoryBytes()): ArtifactStore {
  return {
    async putModule(artifact) {
      const encoded = encodeArtifact(artifact);
      decodeArtifact(encoded); // a bad artifact must fail here, not when a process is recovered from it
      if ((await bytes.get("module", artifact.module_ref)) === null) await bytes.put("module", artifact.module_ref, encoded);
    },
    async getModule(moduleRef) {
      const found = await bytes.get("module", moduleRef);
      if (found === null) return null;
      const artifact = decodeArtifact(found);
      if (artifact.module_ref !== moduleRef) {
        throw new ArtifactError("artifact_mismatch", `module artifact module_ref mismatch: expected ${moduleRef}, got ${artifact.module_ref}`);
      }
      return artifact;
    },
    putBlob: (name, blob) => bytes.put("blob", name, blob),
    getBlob: (name) => bytes.get("blob", name),
  };
}

/** Lives as long as the object. Copies what it is given and what it gives. */
export function createMemoryBytes(): ArtifactBytes {
  const stored = new Map<string, Uint8Array>();
  return {
    get: async (namespace, key) => stored.get(`${namespace}:${key}`)?.slice() ?? null,
    put: async (namespace, key, bytes) => {
      stored.set(`${namespace}:${key}`, bytes.slice());
    },
  };
}
