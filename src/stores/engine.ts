// Engine: the whole of what a storage backend writes. An ordered key-value store with transactions.
//
// Owns: atomicity, isolation, key order, durability. The persistence contract above it owns what keys and values mean.
//   E1. Keys are tuples. Integers sort before strings; integers by value; strings by UTF-16 code unit; a tuple before
//       its extensions (OP-2). Every engine gives the same order.
//   E2. `write` is atomic and serializable against every other writer of the same storage, in this process or another.
//       When its promise resolves, what it wrote is durable, if the engine is. When it rejects, nothing was written; an engine
//       that cannot know first tries to find out, and only then rejects with `store_outcome_unknown`: whoever wrote looks (SC-1).
//   E3. `read` sees one snapshot: no write becomes visible in the middle of it. Readers do not wait for writers' flushes.
//   E4. A body is a function of what it reads. It waits for nothing, touches nothing but its transaction, and may be run again:
//       after a conflict, and by an engine that has to fetch rows, once they are there. Asking such an engine for a row that it
//       has not fetched yet throws; a body lets that pass. `prefetch` says beforehand what will be read, so that it comes in one
//       trip (SC-4).
//   E5. Values are immutable. What was handed to `set` must not be changed afterwards; what `get` and `range` give cannot be,
//       unless a range asked for values of its own.
//   E6. Writes with equal scopes are applied in the order in which they were asked for (SC-3).

import type { Json } from "../domain/json.ts";
import type { Liveness } from "./liveness.ts";

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

/** Something that a body is going to read: the value of a key, or a range. */
export type Read = Key | RangeRead;
export interface RangeRead extends Pick<RangeOptions, "limit" | "reverse"> {
  readonly from: Bound;
  readonly to: Bound;
}

export interface ReadTransaction {
  get(key: Key): Value | undefined;
  /** Entries with `from <= key < to` in key order. */
  range(from: Bound, to: Bound, options?: RangeOptions): readonly Entry[];
  /**
   * Says what the body is going to read. Does nothing where rows are at hand; elsewhere all of it is fetched in one trip instead
   * of one trip for each row. Saying too much costs little, saying too little costs a trip; the result is the same.
   */
  prefetch(reads: readonly Read[]): void;
}

export interface WriteTransaction extends ReadTransaction {
  /** Visible to this transaction's own reads at once. A failure rejects the whole `write`. */
  set(key: Key, value: Value): void;
  /** Deleting an absent key does nothing. */
  delete(key: Key): void;
  /** Takes one more session into the scope of the write, before its rows are read: which one it is may be known only then. */
  widen(sessionId: string): void;
}

/**
 * What a write reads and changes. Two writes may run side by side where neither could tell: they have no session in common, and
 * neither changes content while the other one uses it.
 */
export interface Scope {
  /** Sessions whose rows it reads or changes. */
  readonly sessions: readonly string[];
  /** Content that sessions share. `add`: reads some and puts what is not there yet; `change`: replaces or removes some. */
  readonly content: "none" | "add" | "change";
}

/** A body may also be async, as long as it awaits nothing else (E4); a plain function costs no promise. */
export type Body<Transaction, T> = (tx: Transaction) => T | Promise<T>;

/** Carries notices between the processes that use one storage. A notice is a hint and may get lost: rows are the truth. */
export interface Topics {
  /** Must not throw; sent after the commit of what it tells of, never inside. Never comes back to its sender. */
  post(topic: string, notice: Json): void;
  /** What arrives is foreign: check it. @returns what stops it. */
  listen(listener: (topic: string, notice: unknown) => void): () => void;
}

/** What is written for a storage. `defineEngine` adds what it knows of itself beyond that. */
export interface Engine {
  /** For messages and liveness names, such as `sqlite:agents.db`. */
  readonly name: string;
  /** Whether a resolved `write` survives the death of the process. */
  readonly durable: boolean;
  read<T>(body: Body<ReadTransaction, T>): Promise<T>;
  /**
   * Resolves with what `body` gave once everything it set is durable; rejects with nothing written when `body` throws.
   *
   * @param scope - what it reads and changes. Left out: anything; such a write runs alone.
   * @throws LashError `store_outcome_unknown` - the transaction may or may not have committed, as when the answer to a commit was
   *   lost, and it could not be found out. Every other rejection says that nothing was written.
   */
  write<T>(body: Body<WriteTransaction, T>, scope?: Scope): Promise<T>;
  /** Waits for running transactions, then releases the storage. Later calls reject with `store_unavailable`. Idempotent. */
  close(): Promise<void>;
}

/** An engine with all that a storage may know of itself. Made by `defineEngine`, of any engine. */
export interface DefinedEngine extends Engine {
  /**
   * Makes what was deleted unreadable in the files, too; for the host alone, and may take as long as writing everything anew.
   * Does nothing where deleting does that, or where there are no files.
   */
  erase(): Promise<void>;
  /** Time of the storage itself in epoch milliseconds, as it was last heard of; undefined where the host's clock is all there is. */
  now(): number | undefined;
  /** Notices between the processes that use the storage. */
  readonly topics: Topics;
  /** What the storage can prove about the owners of leases. */
  readonly liveness: Liveness;
}

/** Bounds of all keys that extend `prefix`, the prefix itself included. */
export function prefixRange(prefix: Key): readonly [from: Bound, to: Bound] {
  return [prefix, [...prefix, END]];
}

/** A range of all keys that extend `prefix`, to be prefetched. */
export const below = (prefix: Key, limit?: number): RangeRead => {
  const [from, to] = prefixRange(prefix);
  return { from, to, ...(limit !== undefined && { limit }) };
};
