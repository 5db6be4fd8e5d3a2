import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { printProgram } from "../../src/lashlang/printer/print-program.ts";
import type { Program } from "../../src/lashlang/syntax/ast.ts";
import { parse, parseWithComments } from "../../src/lashlang/syntax/parser.ts";
import { program } from "./arbitrary-program.ts";

function withoutSpans(tree: Program): unknown {
  return JSON.parse(JSON.stringify(tree, (key, value: unknown) => (key === "span" ? undefined : value === Infinity ? "inf" : value)));
}

function format(source: string): string {
  const { program: tree, comments } = parseWithComments(source);
  return printProgram(tree, { source, comments });
}

describe("canonical printer (LL-87)", () => {
  test("what is printed parses to the same tree, whatever the tree", () => {
    fc.assert(
      fc.property(program, (tree) => {
        expect(withoutSpans(parse(printProgram(tree)))).toEqual(withoutSpans(tree));
      }),
      { numRuns: 150 },
    );
  });
});

describe("formatter", () => {
  test("comments and blank lines stay where they are", () => {
    const source = `# head

process p(a:str)->str { # opened
  if a=="x" { finish "a" } // after
  # last
  finish a }

x = [1, # inside
  2]
y=2 # trailing
# end`;
    expect(format(source)).toBe(`# head

process p(a: str) -> str {
  # opened
  if a == "x" {
    finish "a"
  } // after
  # last
  finish a
}

# inside
x = [1, 2]
y = 2 # trailing
# end
`);
  });

  test("formatting twice changes nothing", () => {
    const source = "# a\nx = {long_name_number_one: [1,2,3], long_name_number_two: 'it is a long text', long_name_three: f(x)} // b\n\n\nif x { y = 1 }";
    expect(format(format(source))).toBe(format(source));
  });

  test("an empty program prints as nothing", () => {
    expect(format("")).toBe("");
  });
});
