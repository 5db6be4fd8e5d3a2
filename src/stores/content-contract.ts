// Bytes and documents beside the conversation. Part of the persistence contract; implemented in src/stores/persistence.

import type { Json } from "../domain/json.ts";
import type { AttachmentRef } from "../domain/messages.ts";

/** Bytes that come with a row which refers to them. */
export interface NewAttachment {
  readonly bytes: Uint8Array;
  readonly mime: string;
}

/** Attachments by the hash of their bytes. Where the bytes lie, in the store or in a home of their own, makes no difference here. */
export interface AttachmentBytes {
  /** Whether bytes survive the process. */
  readonly persistence: "ephemeral" | "durable";
  /** Idempotent: the id is the SHA-256 of the bytes. */
  put(bytes: Uint8Array, mime: string): Promise<AttachmentRef>;
  /**
   * @throws LashError `attachment_not_found` - nothing was ever put under this id, or it was deleted.
   * @throws LashError `attachment_damaged` - the bytes in the store's home are gone or are not those that were put there.
   * @throws LashError `missing_attachment_store` - they are in a home that this store was opened without.
   */
  get(id: string): Promise<{ readonly reference: AttachmentRef; readonly bytes: Uint8Array }>;
  /** Deleting unknown bytes does nothing. */
  delete(id: string): Promise<void>;
}

export interface AttachmentIntent {
  readonly sessionId: string;
  readonly attachmentId: string;
  readonly intentAtMs: number;
}

/** Which session refers to which attachment, and since when for good. Keys are (session, id). */
export interface AttachmentManifest {
  /** Recorded before bytes are put. A committed row stays as it is, one without a stamp is as young as a new one. */
  recordIntent(sessionId: string, attachmentId: string): Promise<void>;
  /** Stamps rows of this session once; unknown ids are ignored, never created. */
  commitRefs(sessionId: string, attachmentIds: readonly string[]): Promise<void>;
  /** Rows without stamp whose intent is at or before the cutoff, over all sessions. */
  listUncommitted(cutoffMs: number): Promise<readonly AttachmentIntent[]>;
  /** Drops an uncommitted row; a committed one stays. */
  forget(sessionId: string, attachmentId: string): Promise<void>;
  /** Whether this session ever referred to the attachment. */
  holds(sessionId: string, attachmentId: string): Promise<boolean>;
}

export interface SweepReport {
  /** Aged uncommitted intents that were looked at. */
  readonly scanned: number;
  /** Intents dropped. Their bytes went, too, unless another session refers to them. */
  readonly reclaimed: number;
}

export interface AttachmentFacet extends AttachmentBytes {
  readonly manifest: AttachmentManifest;
  /**
   * Reclaims aged uncommitted intents, one transaction each. Spared: ids that a waiting input, an accepted turn, its
   * log or its journal names, and bytes that another session holds. Bytes in a home of their own are deleted after
   * the rows that named them; what a dead process put there and nobody named counts as an intent of its own.
   *
   * @param cutoffMs - epoch milliseconds; older than any put that may still be under way.
   */
  sweep(cutoffMs: number): Promise<SweepReport>;
}

/** Execution environments of processes. Refs are the caller's: `process-env:sha256:<hash>`. */
export interface EnvironmentFacet {
  /** Overwrites. */
  put(ref: string, bytes: Uint8Array): Promise<void>;
  get(ref: string): Promise<Uint8Array | undefined>;
}

/** Compiled modules and raw artifacts of programs; each kind has keys of its own. */
export interface ArtifactFacet {
  putModule(ref: string, module: Json): Promise<void>;
  getModule(ref: string): Promise<Json | undefined>;
  putBytes(ref: string, bytes: Uint8Array): Promise<void>;
  getBytes(ref: string): Promise<Uint8Array | undefined>;
}
