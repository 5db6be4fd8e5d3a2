// What the SQLite engine remembers of rows it wrote or read a moment ago.

import { expect, test } from "vitest";
import { RecentTexts } from "../../../src/stores/sqlite/recent-texts.ts";

const value = (n: number) => Object.freeze({ n });

test("the text that was kept of a row gives the very value, another text or another row nothing (E5)", () => {
  const recent = new RecentTexts();
  const kept = value(1);
  recent.keep(["row"], '{"n":1}', kept);
  expect(recent.get(["row"], '{"n":1}')).toBe(kept);
  expect(recent.get(["row"], '{"n":2}')).toBeUndefined();
  expect(recent.get(["other"], '{"n":1}')).toBeUndefined();
  recent.keep(["row"], '{"n":2}', value(2));
  expect(recent.get(["row"], '{"n":1}')).toBeUndefined();
});

test("a row that is written is kept where it was asked for before, there or not", () => {
  const recent = new RecentTexts();
  recent.written(["nobody asked"], "1", 1);
  recent.expect(["not there yet"]);
  recent.written(["not there yet"], "2", 2);
  recent.keep(["read"], "3", 3);
  recent.written(["read"], "4", 4);
  expect([recent.get(["nobody asked"], "1"), recent.get(["not there yet"], "2"), recent.get(["read"], "3"), recent.get(["read"], "4")]).toEqual([undefined, 2, undefined, 4]);
});

test("keys that read alike do not give each other's value", () => {
  const recent = new RecentTexts();
  recent.keep(["row", 1], "1", 1);
  recent.keep(["row", "1"], "2", 2);
  expect(recent.get(["row", 1], "1")).toBeUndefined();
  expect(recent.get(["row", "1"], "2")).toBe(2);
});

test("what is asked for stays, the rest is forgotten after two generations, and long texts are not kept", () => {
  const recent = new RecentTexts(10_000);
  const text = (n: number) => JSON.stringify(value(n));
  recent.keep(["row", 0], text(0), value(0));
  recent.keep(["row", 1], text(1), value(1));
  for (let n = 2; n < 1_000; n++) {
    recent.keep(["row", n], text(n), value(n));
    recent.get(["row", 0], text(0));
  }
  expect(recent.get(["row", 0], text(0))).toEqual({ n: 0 });
  expect(recent.get(["row", 1], text(1))).toBeUndefined();
  const long = JSON.stringify("x".repeat(10_000));
  recent.keep(["long"], long, "x".repeat(10_000));
  expect(recent.get(["long"], long)).toBeUndefined();
});
