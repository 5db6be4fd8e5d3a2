// AttachmentHome: another place for the bytes of attachments than the rows of the store (design 6). Browser-safe: types only.
//
//   H1. A key is given once and never again, so deleting bytes cannot hit bytes that somebody puts at the same time.
//   H2. Rows are the truth: the store names a key after its `put` has resolved, and forgets it before it is deleted. A home
//       need not be asked what it holds: every key is in a row from before its bytes are written until after they are gone.

/**
 * Where the bytes of attachments live when not in the store itself: a directory, an object storage.
 *
 * A key is `<sha256 of the bytes, 64 lower-case hex digits>.<16 hex digits>`, nothing else. Failures are best thrown as
 * LashError `store_full` or `store_unavailable`.
 */
export interface AttachmentHome {
  /** For messages, such as `directory:agents.blobs`. */
  readonly name: string;
  /** Whether bytes survive the process, once `put` has resolved. */
  readonly durable: boolean;
  /** Resolves once the bytes are as durable as this home makes them; whole or not there at all, whenever the process dies. */
  put(key: string, bytes: Uint8Array): Promise<void>;
  /** @returns undefined where nothing is. */
  get(key: string): Promise<Uint8Array | undefined>;
  /** Removes the bytes, and what an interrupted `put` of this key left. Unknown keys do nothing. */
  delete(key: string): Promise<void>;
}
