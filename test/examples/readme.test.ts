import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { deadLinks, programsIn, runProgram, typeProblems, unknownEntries } from "../support/doc-programs.ts";
import { root } from "./run-example.ts";

const pageOf = (path: string): string => readFileSync(join(root, path), "utf8");
const readme = pageOf("README.md");
const guide = pageOf("docs/guide.md");
const testing = pageOf("docs/test-your-agent.md");
const { scripts } = JSON.parse(pageOf("package.json")) as { readonly scripts: Readonly<Record<string, string>> };

describe("README", () => {
  test("its program says what the README says it says", { timeout: 30_000 }, async () => {
    const [{ program, output } = { program: "", output: "" }] = programsIn(readme);
    expect(program.split("\n").filter((line) => line.trim() !== "").length).toBeLessThanOrEqual(16);
    expect(await runProgram(program)).toEqual({ code: 0, output });
  });

  test("the commands it names are scripts", () => {
    const commands = [...readme.matchAll(/npm (?:run )?(start|test|chat|playground)\b/g)].map(([, script = ""]) => script);
    expect(commands.filter((script) => scripts[script] === undefined)).toEqual([]);
  });
});

test.concurrent.each(programsIn(guide).map(({ program, output }, at) => [at + 1, program, output] as const))("program %i of the guide says what the guide says it says", { timeout: 60_000 }, async (_, program, output) => {
  expect(await runProgram(program)).toEqual({ code: 0, output });
});

test("the programs of README, guide and the page about tests are well typed", { timeout: 120_000 }, async () => {
  expect(await typeProblems([...programsIn(readme), ...programsIn(guide), ...programsIn(testing)].map(({ program }) => program))).toBe("");
});

test.concurrent.each(programsIn(testing).map(({ program, output }, at) => [at + 1, program, output] as const))("program %i of the page about tests says what the page says it says", { timeout: 60_000 }, async (_, program, output) => {
  expect(await runProgram(program)).toEqual({ code: 0, output });
});

test("the files that README, guide and the page about tests link to are there, and so are the package entries they name", () => {
  expect(["README.md", "docs/guide.md", "docs/test-your-agent.md"].flatMap(deadLinks)).toEqual([]);
  expect(unknownEntries(readme + guide + testing)).toEqual([]);
  expect(programsIn(guide)).toHaveLength(7);
  expect(programsIn(testing)).toHaveLength(2);
});
