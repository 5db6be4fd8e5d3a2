import { describe, expect, test } from "vitest";
import { positionAt, renderDiagnostic } from "../../src/lashlang/diagnostics/render.ts";
import { SourceError } from "../../src/lashlang/diagnostics/source-error.ts";
import { parse } from "../../src/lashlang/syntax/parser.ts";
import { errorOf, linked } from "./support.ts";

describe("diagnostics (LL-103, LL-104)", () => {
  test.each<[id: string, source: string, text: string]>([
    ["an unexpected `if` points at it and says what to write", "x = 1\nfinish { a: if x { 1 } }", "unexpected `if`\n--> line 2, column 13\nfinish { a: if x { 1 } }\n            ^~\nhint: `if` is a statement; for a value use `cond ? yes : no`"],
    ["an unexpected `for`", "x = for y in z { }", "unexpected `for`\n--> line 1, column 5\nx = for y in z { }\n    ^~~\nhint: `for` is a statement; for a list use `[expr for item in items]`"],
    ["removed triggers", "trigger x on y { }", "declarative trigger syntax has been removed; construct a source value and call the trigger registry register operation\n--> line 1, column 1\ntrigger x on y { }\n^~~~~~~\nhint: construct a source value, then `await triggers.register({ source: ..., target: ..., inputs: { ... } })?`"],
    ["the end of input has a caret behind the last character", "x = {", "expected a field name or `}`, found end of input\n--> line 1, column 6\nx = {\n     ^"],
    ["columns count characters, not UTF-16 units", "x = '😀😀' &", "unexpected `&`\n--> line 1, column 10\nx = '😀😀' &\n         ^"],
    ["a tab stays a tab under its line", "\tx = &", "unexpected `&`\n--> line 1, column 6\n\tx = &\n\t    ^"],
    ["a carriage return is no part of the line", "x = &\r\ny", "unexpected `&`\n--> line 1, column 5\nx = &\n    ^"],
  ])("%s", (_, source, text) => {
    expect(errorOf(() => parse(source)).render()).toBe(text);
  });

  test.each<[id: string, source: string, text: string]>([
    ["a link error points at the argument", "x = 1\ntools.read_file({ path: 1 })", "operation `read_file` expects { path: str }, got { path: float }\n--> line 2, column 17\ntools.read_file({ path: 1 })\n                ^~~~~~~~~~~"],
    ["a span of several lines is underlined to the end of its first", "tools.read_file({\n  path: 1,\n})", "operation `read_file` expects { path: str }, got { path: float }\n--> line 1, column 17\ntools.read_file({\n                ^"],
  ])("%s", (_, source, text) => {
    expect(errorOf(() => linked(source)).render()).toBe(text);
  });

  test("an error in a process body points at its place and carries the span of the declaration (LL-104)", () => {
    const source = "x = 1\nprocess p() {\n  finish nope\n}";
    const error = errorOf(() => linked(source));
    expect(positionAt(source, error.span.start)).toEqual({ line: 3, column: 10 });
    expect(error.declaration).toEqual({ start: source.indexOf("process"), end: source.length });
    expect(errorOf(() => linked("nope()")).declaration).toBeNull();
  });

  test("a very long line is cut around the place", () => {
    const text = errorOf(() => parse(`x = "${"a".repeat(5_000)}" & "${"b".repeat(5_000)}"`)).render();
    expect(text.length).toBeLessThan(600);
    expect(text.split("\n")[3]?.length).toBe(text.split("\n")[2]?.indexOf("&") === undefined ? 0 : (text.split("\n")[2]?.indexOf("&") ?? 0) + 1);
  });

  test("a span outside the source is brought inside", () => {
    expect(renderDiagnostic("ab", { message: "m", span: { start: 90, end: 99 }, hint: null })).toBe("m\n--> line 1, column 3\nab\n  ^");
  });

  test("an error is recognized across copies of the package", () => {
    const error = errorOf(() => parse("&"));
    expect([SourceError.is(error), SourceError.is(new Error("x")), SourceError.is(null), error.phase, error.name]).toEqual([true, false, false, "parse", "SourceError"]);
  });
});
