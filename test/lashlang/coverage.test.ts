// Every requirement of the language is checked by something: a case that names it, or a test whose title does.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseCases } from "../../src/lashlang/cases/case-file.ts";

/** LL-46 stands for the table of builtins, which has no number of its own. */
const REQUIREMENTS: readonly string[] = Array.from({ length: 104 }, (_, i) => `LL-${i + 1}`);

const here = import.meta.dirname;
const files = readdirSync(here, { recursive: true, encoding: "utf8" });
const read = (name: string): string => readFileSync(join(here, name), "utf8");

const citing = new Map<string, string[]>();
const cite = (id: string, where: string): void => {
  citing.set(id, [...(citing.get(id) ?? []), where]);
};

for (const name of files.filter((file) => file.endsWith(".jsonl"))) {
  for (const subject of parseCases(read(name))) for (const id of subject.covers ?? []) cite(id, subject.id);
}
const TITLE = /\b(?:test|it|describe)(?:\.each\([^)]*\)|\.each`[^`]*`)?\(\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`)/g;
for (const name of files.filter((file) => file.endsWith(".test.ts") && !file.endsWith("coverage.test.ts"))) {
  for (const [, title = ""] of read(name).matchAll(TITLE)) {
    for (const [id] of title.matchAll(/\bLL-\d+\b/g)) cite(id, `${name}: ${title}`);
  }
}

describe("requirements", () => {
  test("each is named by a case or by the title of a test", () => {
    expect(REQUIREMENTS.filter((id) => !citing.has(id))).toEqual([]);
  });

  test("nothing names one that does not exist", () => {
    expect([...citing.keys()].filter((id) => !REQUIREMENTS.includes(id))).toEqual([]);
  });
});
