import { describe, expect, test } from "vitest";
import { runCli, USAGE } from "../../src/lashlang/run-cli.ts";
import type { CliHost } from "../../src/lashlang/run-cli.ts";

async function cli(args: string, files: Record<string, string>): Promise<{ code: number; out: string[]; err: string[]; files: Record<string, string> }> {
  const seen = { out: [] as string[], err: [] as string[], files: { ...files } };
  const host: CliHost = {
    read: async (file) => {
      const text = seen.files[file];
      if (text === undefined) throw new Error("no such file");
      return text;
    },
    write: async (file, text) => {
      seen.files[file] = text;
    },
    out: (text) => seen.out.push(text),
    err: (text) => seen.err.push(text),
  };
  return { code: await runCli(args.split(" "), host), ...seen };
}

describe("lashlang command", () => {
  test("run prints what the program prints, then its value", async () => {
    expect(await cli("run a", { a: 'print "hi"\nprint { a: 1 }\nfinish await tools.echo({ value: 2 })?' })).toMatchObject({ code: 0, out: ["hi", '{"a":1}', "2"], err: [] });
  });

  test("run runs processes", async () => {
    expect(await cli("run a", { a: "process p(n: int) { sleep for 5 finish n * 2 }\nfinish (await start p(n: 2))?" })).toMatchObject({ code: 0, out: ["4"] });
  });

  test("run without an end prints no value", async () => {
    expect(await cli("run a", { a: "x = 1" })).toMatchObject({ code: 0, out: [] });
  });

  test("a failing program is shown with its place", async () => {
    const { code, err } = await cli("run a", { a: "x = 1\nfinish x[0]" });
    expect([code, err]).toEqual([1, ["can't index number\n--> line 2, column 1\nfinish x[0]\n^~~~~~~~~~~"]]);
  });

  test("check links without running", async () => {
    expect((await cli("check a", { a: "print 1" })).out).toEqual([expect.stringMatching(/^ok lashlang:v1:sha256:/)]);
    expect(await cli("check a", { a: "upper(1)" })).toMatchObject({ code: 1, err: ["unknown builtin `upper`\n--> line 1, column 1\nupper(1)\n^~~~~~~~"] });
  });

  test("fmt prints, writes or compares", async () => {
    expect(await cli("fmt a", { a: "x=1 # c" })).toMatchObject({ code: 0, out: ["x = 1 # c"] });
    expect(await cli("fmt --write a", { a: "x=1" })).toMatchObject({ code: 0, out: [], files: { a: "x = 1\n" } });
    expect(await cli("fmt --check a", { a: "x=1" })).toMatchObject({ code: 1, err: ["a is not formatted"] });
    expect(await cli("fmt --check a", { a: "x = 1\n" })).toMatchObject({ code: 0 });
    expect((await cli("fmt a", { a: "x = " })).code).toBe(1);
  });

  test("graph prints a flowchart", async () => {
    expect((await cli("graph a", { a: "print 1" })).out[0]).toMatch(/^flowchart TD\n {2}subgraph/);
  });

  test("cases counts on its last line, and fails when a case fails", async () => {
    const line = (value: number): string => JSON.stringify({ id: `c${value}`, group: "g", src: "finish 1", expect: { kind: "finish", value } });
    const report = await cli("cases a", { a: `${line(1)}\n${line(2)}\n` });
    expect([report.code, report.out.join("\n").split("\n").at(-1)]).toEqual([1, "1 passed, 1 failed"]);
    expect(await cli("cases a", { a: line(1) })).toMatchObject({ code: 0, out: ["1 passed, 0 failed"] });
    expect(await cli("cases a", { a: "{" })).toMatchObject({ code: 2 });
  });

  test("wrong usage says how to use it", async () => {
    for (const args of ["", "nope a", "run", "run a b", "run --write a"]) expect(await cli(args, { a: "" })).toMatchObject({ code: 2, err: [USAGE] });
    expect(await cli("run b", {})).toMatchObject({ code: 2, err: ["cannot read b: no such file"] });
    expect(await cli("help", {})).toMatchObject({ code: 0, out: [USAGE] });
  });
});
