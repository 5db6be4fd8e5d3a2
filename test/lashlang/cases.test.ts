import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseCases } from "../../src/lashlang/cases/case-file.ts";
import { reportText, runCases } from "../../src/lashlang/cases/report.ts";
import { stepwise } from "../../src/lashlang/cases/stepwise.ts";

const folder = join(import.meta.dirname, "cases");
const files = readdirSync(folder).filter((name) => name.endsWith(".jsonl"));
const textOf = (name: string): string => readFileSync(join(folder, name), "utf8");
const subjects = files.flatMap((name) => parseCases(textOf(name)));

describe.each(files)("%s", (name) => {
  test("every case ends as expected", async () => {
    const report = await runCases(textOf(name));
    expect(reportText(report)).toBe(`${parseCases(textOf(name)).length} passed, 0 failed`);
  });

  test("every case ends alike when the program is restored from JSON after each instruction (LL-99)", async () => {
    // Programs that run into a bound take hundreds of thousands of instructions: there every 997th.
    const report = await runCases(textOf(name), { run: stepwise(name === "bounds.jsonl" ? 997 : 1), timeoutMs: 60_000 });
    expect(reportText(report)).toBe(`${parseCases(textOf(name)).length} passed, 0 failed`);
  }, 120_000);
});

describe("the suite", () => {
  test("has at least 400 cases with ids of their own", () => {
    expect(subjects.length).toBeGreaterThanOrEqual(400);
    expect(new Set(subjects.map((subject) => subject.id)).size).toBe(subjects.length);
  });

  test("names requirements for every case", () => {
    expect(subjects.filter((subject) => (subject.covers ?? []).length === 0)).toEqual([]);
  });
});
