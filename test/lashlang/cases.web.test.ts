/// <reference types="vite/client" />
// The same case files in a browser tab: the language has no Node in it.
import { expect, test } from "vitest";
import { parseCases } from "../../src/lashlang/cases/case-file.ts";
import { reportText, runCases } from "../../src/lashlang/cases/report.ts";
import { stepwise } from "../../src/lashlang/cases/stepwise.ts";

const files = import.meta.glob<string>("./cases/*.jsonl", { query: "?raw", import: "default", eager: true });

test("there are case files", () => {
  expect(Object.keys(files).length).toBeGreaterThan(5);
});

test.each(Object.entries(files))("%s ends as expected in the browser", async (_, text) => {
  expect(reportText(await runCases(text))).toBe(`${parseCases(text).length} passed, 0 failed`);
});

test.each(Object.entries(files).filter(([name]) => !name.includes("bounds")))(
  "%s ends alike when restored after each instruction (LL-99)",
  async (_, text) => {
    const report = await runCases(text, { run: stepwise() });
    expect(reportText(report)).toBe(`${parseCases(text).length} passed, 0 failed`);
  },
);
