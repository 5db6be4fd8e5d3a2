// Programs that try to use up the host. Each must end with a clear error, in bounded time and memory.
import { describe, expect, test } from "vitest";
import { Session } from "../../../src/lashlang/session/session.ts";
import { fromJson } from "../../../src/lashlang/values/from-json.ts";
import { fixedMeter } from "../../../src/lashlang/values/bounds.ts";
import type { Json } from "../../../src/lashlang/values/json-value.ts";
import { Vm } from "../../../src/lashlang/vm/vm.ts";
import { cell, park, runThrough } from "./harness.ts";

/** Megabytes above what the process held before; a program's own bound is 16 here, what the engine spends on top has room. */
const ROOM = 400;
const heapMegabytes = (): number => process.memoryUsage().heapUsed / 1024 / 1024;

const PROGRAMS: Readonly<Record<string, string>> = {
  "a list that doubles": "x = [1]\nwhile true { x = x + x }",
  "a list of itself": "x = []\nwhile true { x = [x, x, x, x] }",
  "a record of itself": "x = {}\nwhile true { x = { a: x, b: x } }",
  "a cycle by assignment": "x = { l: [] }\nwhile true { x.l = push(x.l, x) }",
  "text that doubles": 's = "x"\nwhile true { s = s + s }',
  "text that grows by one": 's = ""\nwhile true { s = s + "x"\n n = len(s) }',
  "a format bomb": 's = "x"\nwhile true { s = format("{0}{0}{0}{0}", s) }',
  "a join bomb": 'xs = range(1000)\ns = "x"\nwhile true { s = join(xs, s) }',
  "a split bomb": 's = "x"\nfor i in range(22) { s = s + s }\nx = split(s, "")',
  "many ranges": "x = [range(1000000) for i in range(1000)]",
  "a dictionary that never ends": "d = {}\ni = 0\nwhile true { d[format(\"{}\", i)] = i\n i = i + 1 }",
  "deep JSON": 's = "["\nfor i in range(20) { s = s + s }\nx = json_parse(s)',
  "wide JSON": 's = "[],"\nfor i in range(21) { s = s + s }\nx = json_parse("[" + s + "1]")',
  "JSON that is almost right": 's = "\\"a\\","\nfor i in range(18) { s = s + s }\nx = json_parse("[" + s + "}")',
  "a number of a million digits": 's = "1"\nfor i in range(20) { s = s + s }\nx = to_int(s)',
  "text like a bad pattern": 's = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"\nwhile true { x = contains(s, "(a+)+$")\n y = grep_text(s, "(a|aa)+") }',
  "a duration of nines": 's = "9"\nfor i in range(20) { s = s + s }\nsleep for s',
  "a time of nines": 's = "2020-01-01T00:00:00Z"\nfor i in range(16) { s = s + s }\nsleep until s',
  "a loop that does nothing": "while true { }",
  "nested loops": "for a in range(1000000) { for b in range(1000000) { for c in range(1000000) { } } }",
  "comparing what is large": "a = range(100000)\nb = range(100000)\nwhile a == b { }",
  "searching what is large": "a = range(100000)\nwhile not contains(a, -1) { }",
  "printing what is large": "a = range(100000)\nwhile true { print a }",
  "text with astral characters": 's = "😀"\nfor i in range(18) { s = s + s }\nt = s + "x"\nwhile true { a = s[1]\n b = t[len(t) - 1] }',
  "sharing that copies": "x = range(100000)\nwhile true { y = x\n y[0] = 1\n x[0] = 2 }",
  "types of types": "T = Type { a: int }\nwhile true { T = Type { a: T, b: T } }",
  "validation of what is large": "x = range(100000)\nT = Type { l: list[int] }\nwhile true { y = validate({ l: x }, T) }",
  "many temporaries": "x = [[[y for y in range(1000)] for z in range(1000)] for w in range(1000)]",
  "concatenation in a chain": 's = "x"\nwhile true { s = s + s + s + s + s }',
  "grep of many lines": 's = "a\\n"\nfor i in range(21) { s = s + s }\nwhile true { x = grep_text(s, "a") }',
  "stringifying again and again": 's = "\\\\"\nwhile true { s = to_string([s]) }',
};

describe("hostile programs end with a clear error (LL-101)", () => {
  test.each(Object.entries(PROGRAMS))("%s", (_, source) => {
    const bounds = { heap: 16 * 1024 * 1024, instructions: 3_000_000 };
    const before = heapMegabytes();
    const { outcome } = runThrough(Vm.start(cell(source), { bounds }));
    expect(outcome).toMatchObject({ kind: "error", error: { message: expect.stringMatching(/^.{0,4100}$/s) } });
    expect(heapMegabytes() - before).toBeLessThan(ROOM);
  }, 30_000);
});

describe("large programs run without deep stacks", () => {
  const value = (source: string): unknown => {
    const { outcome } = runThrough(Vm.start(cell(source)));
    return outcome.kind === "finished" ? outcome.value : outcome;
  };
  const times = (count: number, of: (i: number) => string, between: string): string =>
    Array.from({ length: count }, (_, i) => of(i)).join(between);

  test("chains as long as the parser takes them (LL-19)", () => {
    expect(value(`finish ${times(480, () => "1", " + ")}`)).toBe(480);
    expect(value(`finish ${times(480, () => "true", " and ")}`)).toBe(true);
    expect(value(`finish ${times(200, () => "await tools.echo({ value: 1 })?", " + ")}`)).toBe(200);
    expect(value(`r = {}\nfinish r${times(480, () => ".a", "")}`)).toBe(null);
    expect(value(`x = 400\nif x < 0 { y = 0 }${times(450, (i) => ` else if x == ${i} { y = ${i} }`, "")}\nfinish y`)).toBe(400);
  });

  test("many statements, in a row, in a block and in a loop", () => {
    expect(value(`${times(5000, (i) => `x${i} = ${i}`, "\n")}\nfinish x4999`)).toBe(4999);
    expect(value(`if true { ${times(5000, (i) => `x = ${i}`, "\n")} }\nfinish x`)).toBe(4999);
    expect(value(`x = 0\nfor i in range(2) { ${times(5000, () => "x = x + 1", "\n")} }\nfinish x`)).toBe(10_000);
    expect(value(`finish len([${times(20_000, String, ",")}])`)).toBe(20_000);
  }, 30_000);
});

describe("hostile data", () => {
  test("snapshots of shared values are as large as the values say they are, not exponential (LL-101)", () => {
    const vm = Vm.start(cell("x = [1]\nfor i in range(14) { x = [x, x] }\ntools.echo({})"));
    park(vm);
    expect(JSON.stringify(vm.snapshot()).length).toBeLessThan(vm.heap);
  });

  test("host data that is cyclic or too deep is refused", () => {
    const cyclic: { [key: string]: Json } = {};
    cyclic["self"] = cyclic;
    expect(() => fromJson(cyclic, fixedMeter())).toThrow("execution bound exhausted: depth");
    let deep: Json = 1;
    for (let i = 0; i < 100_000; i += 1) deep = [deep];
    expect(() => fromJson(deep, fixedMeter())).toThrow("execution bound exhausted: depth");
  });

  test("a tool that answers something deep ends the program, not the host", () => {
    let deep: Json = 1;
    for (let i = 0; i < 5000; i += 1) deep = { deep };
    const { outcome } = runThrough(Vm.start(cell("x = tools.echo({})")), () => ({ value: deep }));
    expect(outcome).toMatchObject({ kind: "error", error: { kind: "BoundExhausted" } });
  });

  test("host objects that are no JSON are copied as data or refused", () => {
    const odd = { a: undefined, d: new Date(0), m: new Map([[1, 2]]) } as unknown as Json;
    const { outcome } = runThrough(Vm.start(cell("finish tools.echo({})?")), ({ op }) =>
      op.kind === "Finish" ? { value: op.value } : { value: odd },
    );
    expect(outcome).toEqual({ kind: "finished", value: { d: {}, m: {} } });
    const code = (() => 1) as unknown as Json;
    const refused = runThrough(Vm.start(cell("x = tools.echo({})")), () => ({ value: code }));
    expect(refused.outcome).toMatchObject({ kind: "error", error: { message: "host value is not JSON: function" } });
  });

  test("prototype names are keys like any other, in and out (LL-27)", () => {
    const evil = JSON.parse('{ "__proto__": { "polluted": true }, "constructor": 1 }') as Json;
    const { outcome } = runThrough(Vm.start(cell("r = tools.echo({})?\nr.toString = 1\nfinish [r, r.polluted, keys(r)]")), ({ op }) =>
      op.kind === "Finish" ? { value: op.value } : { value: evil },
    );
    expect(JSON.stringify(outcome)).toBe(
      '{"kind":"finished","value":[{"__proto__":{"polluted":true},"constructor":1,"toString":1},null,["__proto__","constructor","toString"]]}',
    );
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  test("lone surrogates from outside become replacement characters", () => {
    const { outcome } = runThrough(Vm.start(cell("s = tools.echo({})?\nfinish [s, len(s)]")), ({ op }) =>
      op.kind === "Finish" ? { value: op.value } : { value: "a\ud800b" },
    );
    expect(outcome).toEqual({ kind: "finished", value: ["a\ufffdb", 3] });
  });

  test("a snapshot that was tampered with is refused or harmless, never a crash of another kind", () => {
    const bad: Json[] = [{ __lashlang_snapshot_tuple__: true }, { __lashlang_snapshot_nope__: true }, { __lashlang_snapshot_record__: true, entries: [5] }];
    const restored = bad.map((value) => {
      try {
        return Session.restore({ globals: { x: value } }).get("x");
      } catch (error) {
        return error instanceof TypeError ? "refused" : error;
      }
    });
    expect(restored).toEqual([[], "refused", "refused"]);
  });
});
