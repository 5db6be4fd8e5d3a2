// RecordingEngine: writes down what every write transaction of a real run did, so that others can do the same without the
// runtime: the floor that the runtime is measured against.

import type { Bound, Engine, Key, RangeOptions, Value, WriteTransaction } from "../src/stores/engine.ts";
import { encodeKey } from "../src/stores/key-codec.ts";

export type Operation =
  | { readonly kind: "get"; readonly key: Key; readonly keyBytes: Uint8Array }
  | { readonly kind: "range"; readonly from: Bound; readonly to: Bound; readonly fromBytes: Uint8Array; readonly toBytes: Uint8Array; readonly options: RangeOptions }
  | { readonly kind: "set"; readonly key: Key; readonly keyBytes: Uint8Array; readonly value: Value; readonly stored: string | Uint8Array }
  | { readonly kind: "delete"; readonly key: Key; readonly keyBytes: Uint8Array };

export type Transaction = readonly Operation[];

export interface RecordingEngine extends Engine {
  /** Transactions since the last call, in the order they were committed. */
  take(): readonly Transaction[];
}

export function recordingEngine(engine: Engine): RecordingEngine {
  let transactions: Transaction[] = [];
  return {
    name: engine.name,
    durable: engine.durable,
    read: (body) => engine.read(body),
    async write(body) {
      let operations: Operation[] = [];
      const result = await engine.write((tx) => {
        // An engine may run a body again.
        operations = [];
        return body(recorded(tx, operations));
      });
      transactions.push(operations);
      return result;
    },
    close: () => engine.close(),
    take() {
      const taken = transactions;
      transactions = [];
      return taken;
    },
  };
}

const recorded = (tx: WriteTransaction, into: Operation[]): WriteTransaction => ({
  prefetch: (reads) => tx.prefetch(reads),
  widen: (sessionId) => tx.widen(sessionId),
  get(key) {
    into.push({ kind: "get", key, keyBytes: encodeKey(key) });
    return tx.get(key);
  },
  range(from, to, options = {}) {
    into.push({ kind: "range", from, to, fromBytes: encodeKey(from), toBytes: encodeKey(to), options });
    return tx.range(from, to, options);
  },
  set(key, value) {
    const stored = value instanceof Uint8Array ? value : JSON.stringify(value);
    into.push({ kind: "set", key, keyBytes: encodeKey(key), value, stored });
    tx.set(key, value);
  },
  delete(key) {
    into.push({ kind: "delete", key, keyBytes: encodeKey(key) });
    tx.delete(key);
  },
});

/** Bytes of keys and values that a transaction sets. */
export function bytesSet(transaction: Transaction): number {
  let bytes = 0;
  for (const operation of transaction) {
    if (operation.kind !== "set") continue;
    bytes += operation.keyBytes.length;
    bytes += typeof operation.stored === "string" ? Buffer.byteLength(operation.stored) : operation.stored.length;
  }
  return bytes;
}
