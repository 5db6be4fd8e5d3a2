// Runs in the browser: the engine beside raw IndexedDB, the same transactions in alternating blocks.
//
// A transaction reads 5 rows and writes 5 of about 500 bytes, 2 of them hot. The raw side uses one object store with the same
// keys and values and strict durability.

import type { Key, Value } from "../../src/stores/engine.ts";
import { indexedDbEngine } from "../../src/stores/indexeddb/index.ts";

const BLOCK = 100;
const WARM_UP_BLOCKS = 2;

interface Work {
  readonly reads: readonly Key[];
  readonly writes: readonly (readonly [Key, Value])[];
}

function workOf(turn: number): Work {
  const keys: Key[] = Array.from({ length: 5 }, (_, i) => ["session", `session-${turn % 50}`, i < 2 ? "head" : "node", i < 2 ? i : turn * 5 + i]);
  const writes = keys.map((key): readonly [Key, Value] => {
    const noise = Math.random().toString(36).slice(2);
    return [key, { id: noise, turn, text: noise.repeat(45).slice(0, 450), done: false }];
  });
  return { reads: keys, writes };
}

type Side = (work: Work) => Promise<unknown>;

function engineSide(): Side {
  const engine = indexedDbEngine("bench engine");
  return ({ reads, writes }) =>
    engine.write(async (tx) => {
      for (const key of reads) await tx.get(key);
      for (const [key, value] of writes) tx.set(key, value);
    });
}

const settled = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error));
  });

async function rawSide(): Promise<Side> {
  const opening = indexedDB.open("bench raw", 1);
  opening.addEventListener("upgradeneeded", () => opening.result.createObjectStore("entries"));
  const database = await settled(opening);
  return async ({ reads, writes }) => {
    const transaction = database.transaction("entries", "readwrite", { durability: "strict" });
    const done = new Promise<void>((resolve, reject) => {
      transaction.addEventListener("complete", () => resolve());
      transaction.addEventListener("abort", () => reject(transaction.error));
    });
    const entries = transaction.objectStore("entries");
    for (const key of reads) await settled(entries.get([...key]));
    for (const [key, value] of writes) entries.put(value, [...key]);
    transaction.commit();
    await done;
  };
}

export interface Result {
  readonly side: string;
  readonly p50: number;
  readonly p95: number;
  readonly mean: number;
  readonly transactions: number;
}

async function run(transactions: number): Promise<Result[]> {
  const sides: readonly { name: string; side: Side; times: number[] }[] = [
    { name: "IndexedDB engine", side: engineSide(), times: [] },
    { name: "raw IndexedDB, strict", side: await rawSide(), times: [] },
  ];
  const blocks = WARM_UP_BLOCKS + Math.ceil(transactions / BLOCK);
  for (let block = 0; block < blocks; block++) {
    for (const { side, times } of sides) {
      const works = Array.from({ length: BLOCK }, (_, i) => workOf(block * BLOCK + i));
      for (const work of works) {
        const start = performance.now();
        await side(work);
        if (block >= WARM_UP_BLOCKS) times.push(performance.now() - start);
      }
    }
  }
  return sides.map(({ name, times }) => {
    const sorted = times.toSorted((a, b) => a - b);
    const at = (q: number): number => sorted[Math.floor(sorted.length * q)] ?? Number.NaN;
    return { side: name, p50: at(0.5), p95: at(0.95), mean: times.reduce((sum, time) => sum + time, 0) / times.length, transactions: times.length };
  });
}

Object.assign(globalThis, { bench: run });
