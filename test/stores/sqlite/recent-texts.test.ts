// What the SQLite engine remembers of rows it wrote or read a moment ago.

import { expect, test } from "vitest";
import { RecentTexts } from "../../../src/stores/sqlite/recent-texts.ts";

const value = (n: number) => Object.freeze({ n });

test("a text that was kept gives the very value, any other text nothing (E5)", () => {
  const recent = new RecentTexts();
  const kept = value(1);
  recent.keep('{"n":1}', kept);
  expect(recent.get('{"n":1}')).toBe(kept);
  expect(recent.get('{"n":2}')).toBeUndefined();
});

test("what is asked for stays, the rest is forgotten after two generations, and long texts are not kept", () => {
  const recent = new RecentTexts();
  const text = (n: number) => JSON.stringify(value(n));
  recent.keep(text(0), value(0));
  recent.keep(text(1), value(1));
  for (let n = 2; n < 1_000; n++) {
    recent.keep(text(n), value(n));
    recent.get(text(0));
  }
  expect(recent.get(text(0))).toEqual({ n: 0 });
  expect(recent.get(text(1))).toBeUndefined();
  const long = JSON.stringify("x".repeat(10_000));
  recent.keep(long, "x".repeat(10_000));
  expect(recent.get(long)).toBeUndefined();
});
