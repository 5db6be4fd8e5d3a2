// Engine: the whole of what a storage backend writes. An ordered key-value store with transactions.
//
// Owns: atomicity, isolation, key order, durability. The persistence contract above it owns what keys and values mean.
//   E1. Keys are tuples. Integers sort before strings; integers by value; strings by UTF-16 code unit; a tuple before
//       its extensions (OP-2). Every engine gives the same order.
//   E2. `write` is atomic and serializable against every other writer of the same storage, in this process or another.
//       When its promise resolves, what it wrote is durable, if the engine is. When it rejects, nothing was written; an engine
//       that cannot know, and cannot find out, rejects with `store_outcome_unknown`, and whoever wrote looks (SC-1).
//   E3. `read` sees one snapshot: no write becomes visible in the middle of it. Readers do not wait for writers' flushes.
//   E4. A callback awaits nothing but its own transaction, and touches nothing else: an engine may run it again after a
//       conflict, and IndexedDB commits as soon as a callback waits for anything else.
//   E5. Values are immutable. What was handed to `set` must not be changed afterwards; what `get` and `range` give cannot be,
//       unless a range asked for values of its own.

import type { Json } from "../domain/json.ts";

/** One component of a key: a safe integer >= 0, or a well-formed string without NUL. */
export type KeyPart = string | number;
/** 1 to 16 parts, at most 1 KiB encoded. */
export type Key = readonly KeyPart[];
/** Sorts after every part, so `[...prefix, END]` bounds all extensions of a prefix. Only in range bounds. */
export const END: unique symbol = Symbol.for("lash-runtime.key-end");
export type Bound = readonly (KeyPart | typeof END)[];
/** A JSON document or raw bytes, up to 8 MiB; larger content is split by whoever owns it. */
export type Value = Json | Uint8Array;

export interface Entry {
  readonly key: Key;
  readonly value: Value;
}

export interface RangeOptions {
  /** Most entries to return; default all. */
  readonly limit?: number;
  /** Largest key first; default false. The limit counts from that end. */
  readonly reverse?: boolean;
  /** Values that are made for this call need not be frozen: the caller takes them over. Others are given as ever. Default false. */
  readonly owned?: boolean;
  /**
   * A value may be made of what was read when it is first looked at, also after the transaction; looking throws then what the range
   * would have thrown. For whoever may never look at most of them. An engine may ignore it. Default false.
   */
  readonly later?: boolean;
}

export interface ReadTransaction {
  get(key: Key): Promise<Value | undefined>;
  /** Entries with `from <= key < to` in key order. */
  range(from: Bound, to: Bound, options?: RangeOptions): Promise<readonly Entry[]>;
}

export interface WriteTransaction extends ReadTransaction {
  /** Visible to this transaction's own reads at once. A failure rejects the whole `write`. */
  set(key: Key, value: Value): void;
  /** Deleting an absent key does nothing. */
  delete(key: Key): void;
}

export interface Engine {
  /** For messages and liveness names, such as `sqlite:agents.db`. */
  readonly name: string;
  /** Whether a resolved `write` survives the death of the process. */
  readonly durable: boolean;
  read<T>(body: (tx: ReadTransaction) => Promise<T>): Promise<T>;
  /**
   * Resolves with what `body` gave once everything it set is durable; rejects with nothing written when `body` throws.
   *
   * @throws LashError `store_outcome_unknown` - the transaction may or may not have committed, as when the answer to a commit was
   *   lost. Every other rejection says that nothing was written.
   */
  write<T>(body: (tx: WriteTransaction) => Promise<T>): Promise<T>;
  /**
   * Makes what was deleted unreadable in the files, too; for the host alone, and may take as long as writing everything anew.
   * Left out where deleting does that, or where there are no files.
   */
  erase?(): Promise<void>;
  /** Waits for running transactions, then releases the storage. Later calls reject with `store_unavailable`. Idempotent. */
  close(): Promise<void>;
}

/** Bounds of all keys that extend `prefix`, the prefix itself included. */
export function prefixRange(prefix: Key): readonly [from: Bound, to: Bound] {
  return [prefix, [...prefix, END]];
}
