import { describe, expect, test } from "vitest";
import { Lru } from "../../src/lashlang/cache/lru.ts";
import { ProgramCache } from "../../src/lashlang/cache/program-cache.ts";
import { fixtureEnvironment, fixtureInput } from "./fixture-environment.ts";

describe("caches (LL-86)", () => {
  test("what was not asked for longest is forgotten", () => {
    const lru = new Lru<number>(2);
    lru.set("a", 1);
    lru.set("b", 2);
    expect(lru.get("a")).toBe(1);
    lru.set("c", 3);
    expect([lru.get("a"), lru.get("b"), lru.get("c")]).toEqual([1, undefined, 3]);
  });

  test("the same text gives the same program while the host satisfies it", () => {
    const cache = new ProgramCache();
    const source = "x = tools.echo({})";
    const first = cache.link(source, fixtureEnvironment());
    expect(cache.link(source, fixtureEnvironment({ abilities: { sleep: false } }))).toBe(first);
    expect(cache.link(`${source} `, fixtureEnvironment())).not.toBe(first);
    expect(() => cache.link(source, fixtureEnvironment({ modules: [] }))).toThrow("not a module authority");
  });

  test("a module that takes over the name of a session variable is noticed", () => {
    const cache = new ProgramCache();
    const first = cache.link("finish mail", fixtureEnvironment());
    const modules = [...(fixtureInput.modules ?? []), { path: "mail.work", resourceType: "Mail", operations: {} }];
    expect(cache.link("finish mail", fixtureEnvironment({ modules }))).not.toBe(first);
  });

  test("options of the parser are part of the key", () => {
    const cache = new ProgramCache();
    cache.link("submit 1", fixtureEnvironment());
    expect(() => cache.link("submit 1", fixtureEnvironment(), { submitKeyword: "reject" })).toThrow("was removed");
  });

  test("an error is not kept", () => {
    const cache = new ProgramCache();
    expect(() => cache.link("nope()", fixtureEnvironment())).toThrow("unknown builtin");
    expect(() => cache.link("nope()", fixtureEnvironment())).toThrow("unknown builtin");
  });

  test("cells and processes are compiled once per program", () => {
    const cache = new ProgramCache();
    const program = cache.link("process p() { finish 1 }\nfinish 2", fixtureEnvironment());
    expect(cache.cell(program)).toBe(cache.cell(program));
    expect(cache.process(program, "p")).toBe(cache.process(program, "p"));
    expect(() => cache.process(program, "q")).toThrow(RangeError);
  });
});
