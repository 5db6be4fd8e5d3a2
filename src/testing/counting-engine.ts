// CountingEngine: what an engine is asked to do, for tests of budgets ("one turn is four transactions").

import type { Bound, DefinedEngine, Engine, Entry, Key, RangeOptions, ReadTransaction, Value, WriteTransaction } from "../stores/engine.ts";
import { wrapEngine } from "../stores/define-engine.ts";
import { encodeKey } from "../stores/key-codec.ts";

export interface EngineCounts {
  /** Calls of `read` and of `write`. */
  reads: number;
  writes: number;
  gets: number;
  ranges: number;
  /** Entries that ranges gave. */
  entriesRead: number;
  sets: number;
  deletes: number;
  /** Bytes of encoded keys and of values (JSON as UTF-8) given to `set`. */
  bytesSet: number;
}

export interface CountingEngine extends DefinedEngine {
  /** Since the start or the last `reset`. Rolled back transactions count, too. */
  readonly counts: Readonly<EngineCounts>;
  /** Starts again at 0. @returns the counts until now. */
  reset(): EngineCounts;
}

/** Wraps `engine`; closing the wrapper closes it. */
export function countingEngine(engine: Engine): CountingEngine {
  let counts = noCounts();
  const counted = wrapEngine(engine, {
    read(body) {
      counts.reads++;
      return once((run) => engine.read((tx) => body(countedRead(tx, run()))));
    },
    write(body, scope) {
      counts.writes++;
      return once((run) => engine.write((tx) => body(countedWrite(tx, run())), scope));
    },
  });
  /** An engine may run a body several times: the last run counts. */
  function once<T>(call: (run: () => EngineCounts) => Promise<T>): Promise<T> {
    let last = noCounts();
    const result = call(() => (last = noCounts()));
    const count = (): void => {
      for (const name of Object.keys(last) as (keyof EngineCounts)[]) counts[name] += last[name];
    };
    result.then(count, count);
    return result;
  }
  return Object.defineProperties(counted as CountingEngine, {
    counts: { get: () => counts },
    reset: {
      value: () => {
        const until = counts;
        counts = noCounts();
        return until;
      },
    },
  });
}

const noCounts = (): EngineCounts => ({ reads: 0, writes: 0, gets: 0, ranges: 0, entriesRead: 0, sets: 0, deletes: 0, bytesSet: 0 });

const countedRead = (tx: ReadTransaction, counts: EngineCounts): ReadTransaction => ({
  get(key: Key): Value | undefined {
    counts.gets++;
    return tx.get(key);
  },
  range(from: Bound, to: Bound, options?: RangeOptions): readonly Entry[] {
    counts.ranges++;
    const entries = tx.range(from, to, options);
    counts.entriesRead += entries.length;
    return entries;
  },
  prefetch: (reads) => tx.prefetch(reads),
});

const countedWrite = (tx: WriteTransaction, counts: EngineCounts): WriteTransaction => ({
  ...countedRead(tx, counts),
  set(key: Key, value: Value): void {
    tx.set(key, value);
    counts.sets++;
    counts.bytesSet += encodeKey(key).length + sizeOf(value);
  },
  delete(key: Key): void {
    tx.delete(key);
    counts.deletes++;
  },
  widen: (sessionId) => tx.widen(sessionId),
});

const utf8 = new TextEncoder();
const sizeOf = (value: Value): number => (value instanceof Uint8Array ? value.byteLength : utf8.encode(JSON.stringify(value)).length);
