import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ERROR_CODES } from "../../src/domain/error-codes.ts";
import { isRetryable, isTerminalCode } from "../../src/domain/error-traits.ts";

interface Row {
  readonly family: string;
  readonly codes: readonly string[];
  readonly cells: readonly string[];
}

/** The rows of docs/errors.md below its family headings. */
function readRows(): readonly Row[] {
  const rows: Row[] = [];
  let family = "";
  for (const line of readFileSync(new URL("../../docs/errors.md", import.meta.url), "utf8").split("\n")) {
    if (line.startsWith("## ")) family = line.slice(3);
    if (family === "" || !line.startsWith("| `")) continue;
    const cells = line.split("|").slice(1, -1).map((cell) => cell.trim());
    rows.push({ family, cells, codes: [...(cells[0] ?? "").matchAll(/`([^`]+)`/g)].map(([, code]) => code ?? "") });
  }
  return rows;
}

const ROWS = readRows();
/** What a journal of today finds wrong with a row. */
const REPLAY = ["<backend>_effect_replay_hash_conflict"];

const signalOf = (code: string): string => (isRetryable(code) ? "retryable" : isTerminalCode(code) ? "terminal" : "-");

describe("docs/errors.md", () => {
  test.each(Object.entries(ERROR_CODES))("ER-2 lists every code of family %s that can be raised once, and no others", (family, codes) => {
    const documented = ROWS.filter((row) => row.family === family).flatMap((row) => row.codes);
    const expected = family === "effect" ? [...codes, ...REPLAY] : codes;
    expect(documented.toSorted()).toEqual(expected.toSorted());
  });

  test("has no section of a family that does not exist", () => {
    expect([...new Set(ROWS.map(({ family }) => family))]).toEqual(Object.keys(ERROR_CODES));
  });

  test("ER-17 ER-18 states the signal of every code", () => {
    const stated = ROWS.flatMap(({ codes, cells }) => codes.map((code) => [code, cells[4]]));
    expect(stated).toEqual(ROWS.flatMap(({ codes }) => codes.map((code) => [code, signalOf(code)])));
  });

  test("says meaning, durable state and what to do in every row", () => {
    expect(ROWS.filter(({ cells }) => cells.length !== 5 || cells.includes(""))).toEqual([]);
  });
});
