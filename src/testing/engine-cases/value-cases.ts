// E5: what values there are, and that nobody changes them behind the engine's back.

import type { Json } from "../../domain/json.ts";
import { END, type Engine, type Key, type Value } from "../../stores/engine.ts";
import { check, rejectsWith, same } from "../assertions.ts";
import type { EngineCase } from "../engine-suite.ts";
import { contents, onEngine } from "./case.ts";

const MEBIBYTE = 1024 * 1024;

const DOCUMENTS: readonly Json[] = [
  null,
  true,
  false,
  0,
  -1.5,
  1e300,
  Number.MAX_SAFE_INTEGER,
  "",
  "text",
  "NUL \0, a lone \ud800 surrogate, \u2028, 日本, \u{1f600}",
  [],
  {},
  [[], {}, [null, [1, "a", { b: [] }]]],
  { "": 1, a: { b: { c: [1, 2, 3] } }, "key with \0": null, constructor: "x" },
  JSON.parse('{"__proto__":{"polluted":true},"toString":1}') as Json,
];

const BAD_VALUES: readonly (readonly [what: string, value: unknown, code: string])[] = [
  ["undefined", undefined, "invalid_argument"],
  ["a function", () => 1, "invalid_argument"],
  ["NaN", Number.NaN, "invalid_argument"],
  ["an infinite number", [Number.POSITIVE_INFINITY], "invalid_argument"],
  ["an undefined field", { a: undefined }, "invalid_argument"],
  ["a bigint", { a: [1n] }, "invalid_argument"],
  ["a Date", { at: new Date(0) }, "invalid_argument"],
  ["a Map", new Map(), "invalid_argument"],
  ["bytes inside a document", [new Uint8Array(1)], "invalid_argument"],
  ["bytes above 8 MiB", new Uint8Array(8 * MEBIBYTE + 1), "limit_exceeded"],
  ["text above 8 MiB", "x".repeat(8 * MEBIBYTE + 1), "limit_exceeded"],
];

const put = (engine: Engine, key: Key, value: Value): Promise<void> => engine.write(async (tx) => tx.set(key, value));
const fetchValue = (engine: Engine, key: Key): Promise<Value | undefined> => engine.read((tx) => tx.get(key));

function tryToChange(change: () => void): void {
  try {
    change();
  } catch {
    // a frozen value throws, which is just as good
  }
}

export const valueCases: readonly EngineCase[] = [
  onEngine("EN-V1", "a JSON document comes back equal, from get and from range", async (engine) => {
    await engine.write(async (tx) => {
      for (const [i, document] of DOCUMENTS.entries()) tx.set(["json", i], document);
    });
    await engine.read(async (tx) => {
      for (const [i, document] of DOCUMENTS.entries()) same(await tx.get(["json", i]), document, `document ${i}`);
    });
    same((await contents(engine)).map((entry) => entry.value), DOCUMENTS, "documents of a range");
  }),

  onEngine("EN-V2", "an absent key is undefined, a stored null is null", async (engine) => {
    await put(engine, ["there"], null);
    same(await fetchValue(engine, ["there"]), null, "stored null");
    same(await fetchValue(engine, ["absent"]), undefined, "absent key");
  }),

  onEngine("EN-V3", "bytes come back equal, also none and all 256, and as their own copy", async (engine) => {
    const all = Uint8Array.from({ length: 256 }, (_, i) => i);
    const part = new Uint8Array(all.buffer, 10, 20);
    await engine.write(async (tx) => {
      tx.set(["none"], new Uint8Array());
      tx.set(["all"], all);
      tx.set(["part"], part);
    });
    const expected = [all.slice(), new Uint8Array(), part.slice()];
    all.fill(0);
    const found = (await contents(engine)).map((entry) => entry.value);
    same(found, expected, "bytes after the source was changed");
    for (const bytes of found) if (bytes instanceof Uint8Array) bytes.fill(7);
    const inRead = await fetchValue(engine, ["all"]);
    if (inRead instanceof Uint8Array) inRead.fill(8);
    same((await contents(engine)).map((entry) => entry.value), expected, "bytes after results were changed");
  }),

  onEngine("EN-V4", "a document that came back cannot be changed, at any depth (E5)", async (engine) => {
    await put(engine, ["doc"], { list: [{ n: 1 }], name: "a" });
    const value = (await fetchValue(engine, ["doc"])) as { list: { n: number }[]; name: string };
    for (const each of [value, value.list, value.list[0]]) check(Object.isFrozen(each), "every part is frozen");
    tryToChange(() => void (value.name = "b"));
    tryToChange(() => void value.list.push({ n: 2 }));
    same(await fetchValue(engine, ["doc"]), { list: [{ n: 1 }], name: "a" }, "the stored document");
    const [entry] = await contents(engine);
    check(Object.isFrozen(entry?.value), "a value of a range is frozen");
    const later = await engine.read((tx) => tx.range([], [END], { later: true }));
    await put(engine, ["doc"], { list: [], name: "c" });
    same([later[0]?.value, later[0]?.value], [entry?.value, entry?.value], "a value that was asked for later, as it was");
    check(Object.isFrozen(later[0]?.value), "it is frozen");
    await put(engine, ["doc"], { list: [{ n: 1 }], name: "a" });
    for (const own of await engine.read((tx) => tx.range([], [END], { owned: true }))) tryToChange(() => void ((own.value as { name: string }).name = "b"));
    same(await fetchValue(engine, ["doc"]), { list: [{ n: 1 }], name: "a" }, "the document after its owned copy was changed");
  }),

  onEngine("EN-V5", "a key takes another kind of value, and loses it", async (engine) => {
    for (const value of [{ a: 1 }, Uint8Array.of(1, 2), "text", Uint8Array.of(), null, [1]]) {
      await put(engine, ["k"], value);
      same(await fetchValue(engine, ["k"]), value, "the latest value");
    }
    await engine.write(async (tx) => tx.delete(["k"]));
    same(await contents(engine), [], "after delete");
  }),

  onEngine("EN-V6", "8 MiB of bytes or text are kept (OP-2)", async (engine) => {
    const bytes = new Uint8Array(8 * MEBIBYTE);
    for (let i = 0; i < bytes.length; i += 997) bytes[i] = i;
    const text = "0123456789abcdef".repeat(MEBIBYTE / 2).slice(2);
    await put(engine, ["bytes"], bytes);
    await put(engine, ["text"], text);
    same(await fetchValue(engine, ["bytes"]), bytes, "large bytes");
    check((await fetchValue(engine, ["text"])) === text, "large text comes back equal");
  }),

  onEngine("EN-V7", "what is neither JSON nor bytes is refused, and its whole write with it", async (engine) => {
    for (const [what, bad, code] of BAD_VALUES) {
      const value = bad as Value;
      const swallowed = engine.write(async (tx) => {
        tx.set(["before"], 1);
        tryToChange(() => tx.set(["bad"], value));
      });
      await rejectsWith(code, put(engine, ["bad"], value), `set of ${what}`);
      await rejectsWith(code, swallowed, `a swallowed set of ${what}`);
    }
    same(await contents(engine), [], "nothing was written");
  }),
];
