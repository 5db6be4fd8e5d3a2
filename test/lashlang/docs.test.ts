import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { compileCell, createHostEnvironment, drive, link, parse, Session } from "../../src/lashlang/index.ts";
import type { LashHost } from "../../src/lashlang/index.ts";
import { runCli } from "../../src/lashlang/run-cli.ts";

const page = readFileSync(join(import.meta.dirname, "../../docs/lashlang.md"), "utf8");

/** Each program of the page with the text block that follows it. */
const examples = Array.from(page.matchAll(/```lash\n([^]*?)```\n(?:\n```text\n([^]*?)```)?/g), ([, source = "", output = ""], index) => ({
  title: `example ${index + 1}: ${source.split("\n").find((line) => !line.startsWith("//")) ?? ""}`,
  source,
  output,
}));

describe("docs/lashlang.md", () => {
  test("has examples", () => {
    expect(examples.length).toBeGreaterThan(15);
    expect(examples.filter(({ output }) => output === "")).toEqual([]);
  });

  test.each(examples)("$title", async ({ source, output }) => {
    const lines: string[] = [];
    const show = (text: string): void => void lines.push(text);
    await runCli(["run", "-"], { read: async () => source.trimEnd(), write: async () => undefined, out: show, err: show });
    expect(`${lines.join("\n")}\n`).toBe(output);
  });

  test("the TypeScript example does what it says", async () => {
    const code = /```ts\n([^]*?)```/.exec(page)?.[1] ?? "";
    // The page's program, word for word except for its imports; types are checked by the compiler below.
    const body = code.slice(code.indexOf("const environment"), code.indexOf("console.log")).replace(": LashHost", "");
    const run = new Function("names", `return (async () => { const { compileCell, createHostEnvironment, drive, link, parse, Session } = names; ${body} return result; })()`);
    expect(await run({ compileCell, createHostEnvironment, drive, link, parse, Session })).toEqual({ kind: "finished", value: 1_700_000_000 });
  });

  test("a host needs no more than `perform`", async () => {
    const host: LashHost = {
      perform: ({ op }) => (op.kind === "Finish" ? { value: op.value } : { error: `this host does not do ${op.kind}` }),
    };
    const source = "finish 6 * 7";
    const program = link(parse(source), createHostEnvironment({}), source);
    expect(await drive(new Session().begin(compileCell(program)), host)).toEqual({ kind: "finished", value: 42 });
  });
});
