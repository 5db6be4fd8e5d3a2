// E1: which keys there are, and in which order they come.

import { type Bound, END, type Engine, type Key, prefixRange, type RangeOptions } from "../../stores/engine.ts";
import { check, rejectsWith, same } from "../assertions.ts";
import type { EngineCase } from "../engine-suite.ts";
import { contents, onEngine } from "./case.ts";

/** In the order of E1. */
const ASCENDING: readonly Key[] = [
  [0],
  [0, 0],
  [0, "a"],
  [1],
  [2],
  [10],
  [255],
  [256],
  [65_536],
  [Number.MAX_SAFE_INTEGER],
  [""],
  ["", 0],
  ["", ""],
  ["A"],
  ["a"],
  ["a", 0],
  ["a", 9],
  ["a", 10],
  ["a", ""],
  ["a", "b"],
  ["a", "b", 0],
  ["a", "bc"],
  ["a "],
  ["aa"],
  ["b"],
  ["é"],
  ["e\u0301".normalize("NFC") + "x"],
  ["߿"],
  ["ࠀ"],
  ["日本"],
  ["\u{10000}"],
  ["\u{1f600}"],
  ["\ue000"],
  ["\uffff"],
];

/** Deterministic, far from sorted. */
const shuffled = <T>(items: readonly T[]): T[] => items.map((_, i) => items[(i * 23 + 7) % items.length] as T);

async function fill(engine: Engine, keys: readonly Key[]): Promise<void> {
  await engine.write(async (tx) => {
    for (const key of keys) tx.set(key, [...key]);
  });
}

const keysIn = (engine: Engine, from: Bound, to: Bound, options?: RangeOptions): Promise<Key[]> =>
  engine.read(async (tx) => (await tx.range(from, to, options)).map((entry) => entry.key));

const BAD_KEYS: readonly (readonly [what: string, key: readonly unknown[], code: string])[] = [
  ["no part", [], "invalid_argument"],
  ["a negative integer", [-1], "invalid_argument"],
  ["a fraction", ["a", 0.5], "invalid_argument"],
  ["an unsafe integer", [2 ** 53], "invalid_argument"],
  ["NaN", [Number.NaN], "invalid_argument"],
  ["NUL", ["a\0"], "invalid_argument"],
  ["a lone high surrogate", ["a\ud800"], "invalid_argument"],
  ["a lone low surrogate", ["\udfffa"], "invalid_argument"],
  ["null", [null], "invalid_argument"],
  ["17 parts", Array.from({ length: 17 }, () => 0), "limit_exceeded"],
  ["more than 1 KiB", ["é".repeat(512)], "limit_exceeded"],
];

export const keyCases: readonly EngineCase[] = [
  onEngine("EN-K1", "keys come back in tuple order: integers before strings, strings by UTF-16 unit, a tuple before its extensions (E1)", async (engine) => {
    check(new Set(shuffled(ASCENDING)).size === ASCENDING.length, "the shuffle keeps every key");
    await fill(engine, shuffled(ASCENDING));
    same(await keysIn(engine, [], [END]), ASCENDING, "all keys");
    same(await keysIn(engine, [], [END], { reverse: true }), ASCENDING.toReversed(), "all keys, reverse");
  }),

  onEngine("EN-K2", "every key finds its own value", async (engine) => {
    await fill(engine, shuffled(ASCENDING));
    await engine.read(async (tx) => {
      for (const key of ASCENDING) same(await tx.get(key), key, `value of ${JSON.stringify(key)}`);
    });
  }),

  onEngine("EN-K3", "a range holds its lower bound and not its upper one", async (engine) => {
    await fill(engine, [["k", 1], ["k", 2], ["k", 3]]);
    same(await keysIn(engine, ["k", 1], ["k", 3]), [["k", 1], ["k", 2]], "range between keys");
    same(await keysIn(engine, ["k", 0], ["k", 9]), [["k", 1], ["k", 2], ["k", 3]], "range between absent keys");
    same(await keysIn(engine, ["k", 2], ["k", 2]), [], "range from a key to itself");
    same(await keysIn(engine, ["k", 3], ["k", 1]), [], "range with swapped bounds");
    same(await keysIn(engine, [END], []), [], "range from the end to the start");
  }),

  onEngine("EN-K4", "a limit counts from the end that reverse names", async (engine) => {
    await fill(engine, Array.from({ length: 100 }, (_, i) => ["n", i]));
    same(await keysIn(engine, ["n", 10], ["n", 20], { limit: 3 }), [["n", 10], ["n", 11], ["n", 12]], "first three");
    same(await keysIn(engine, ["n", 10], ["n", 20], { limit: 3, reverse: true }), [["n", 19], ["n", 18], ["n", 17]], "last three");
    same(await keysIn(engine, ["n", 10], ["n", 12], { limit: 5 }), [["n", 10], ["n", 11]], "limit above the count");
    same(await keysIn(engine, ["n"], ["n", END], { limit: 0 }), [], "limit 0");
    await rejectsWith("invalid_argument", keysIn(engine, [], [END], { limit: -1 }), "limit -1");
    await rejectsWith("invalid_argument", keysIn(engine, [], [END], { limit: 1.5 }), "limit 1.5");
  }),

  onEngine("EN-K5", "END after a prefix bounds the prefix and all its extensions, and nothing of its neighbours", async (engine) => {
    await fill(engine, ASCENDING);
    for (const prefix of ASCENDING) {
      const inside = ASCENDING.filter((key) => prefix.every((part, i) => key[i] === part));
      same(await keysIn(engine, ...prefixRange(prefix)), inside, `keys below ${JSON.stringify(prefix)}`);
    }
    same(await keysIn(engine, ["a", END], ["b"]), [["a "], ["aa"]], "keys after all extensions of a");
    same(await keysIn(engine, [0, END], [2]), [[1]], "keys after all extensions of 0");
  }),

  onEngine("EN-K6", "reading page by page meets every entry once, in order", async (engine) => {
    const keys: Key[] = Array.from({ length: 2500 }, (_, i) => ["page", Math.floor(i / 50), `n${String(i).padStart(6, "0")}`]);
    await fill(engine, keys.map((_, i) => keys[(i * 1009) % keys.length] ?? ["page"]));
    const met: Key[] = [];
    for (let from: Bound = ["page"]; ; ) {
      const page = await keysIn(engine, from, ["page", END], { limit: 64 });
      met.push(...page);
      const last = page.at(-1);
      if (last === undefined) break;
      from = [...last, 0];
    }
    same(met, keys, "keys of all pages");
  }),

  onEngine("EN-K7", "a key that some engine could not keep is refused everywhere, and its write with it (OP-2)", async (engine) => {
    for (const [what, parts, code] of BAD_KEYS) {
      const key = parts as Key;
      await rejectsWith(code, engine.read((tx) => tx.get(key)), `get with ${what}`);
      await rejectsWith(code, engine.write(async (tx) => tx.set(key, 1)), `set with ${what}`);
      await rejectsWith(code, engine.write(async (tx) => tx.delete(key)), `delete with ${what}`);
      const swallowed = engine.write(async (tx) => {
        tx.set(["fine"], 1);
        try {
          tx.set(key, 1);
        } catch {
          // a body that goes on regardless
        }
      });
      await rejectsWith(code, swallowed, `a swallowed set with ${what}`);
    }
    same(await contents(engine), [], "nothing was written");
    await fill(engine, [["x".repeat(1022)], Array.from({ length: 16 }, (_, i) => i)]);
    same((await contents(engine)).length, 2, "the largest keys are kept");
  }),

  onEngine("EN-K8", "changing a key array after the call, or one that came back, changes no entry", async (engine) => {
    const key: (string | number)[] = ["mine", 1];
    await engine.write(async (tx) => {
      tx.set(key, "value");
      key[1] = 2;
    });
    const [entry] = await contents(engine);
    same(entry?.key, ["mine", 1], "key after its array was changed");
    const result = entry?.key as (string | number)[];
    try {
      result[0] = "stolen";
    } catch {
      // frozen is fine
    }
    same(await keysIn(engine, [], [END]), [["mine", 1]], "key after a result was changed");
  }),
];
