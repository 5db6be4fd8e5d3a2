import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { runCli } from "../../src/lashlang/run-cli.ts";
import { result } from "./docs-example.ts";

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

  test("the TypeScript example is the one that is type-checked and run here", () => {
    const [, code = ""] = /```ts\n([^]*?)```/.exec(page) ?? [];
    const file = readFileSync(join(import.meta.dirname, "docs-example.ts"), "utf8");
    expect(file.slice(file.indexOf("\n") + 1)).toBe(code.replaceAll("lash-runtime/lashlang", "../../src/lashlang/index.ts"));
    expect(result).toEqual({ kind: "finished", value: 1_700_000_000 });
  });
});
