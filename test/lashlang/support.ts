// Small helpers of the language tests.
import { SourceError } from "../../src/lashlang/diagnostics/source-error.ts";
import type { HostEnvironment } from "../../src/lashlang/linker/host-environment.ts";
import type { LinkedProgram } from "../../src/lashlang/linker/linked-program.ts";
import { link } from "../../src/lashlang/linker/link.ts";
import { parse } from "../../src/lashlang/syntax/parser.ts";
import { fixtureEnvironment } from "./fixture-environment.ts";

/** The same tree without spans. */
export function bare(tree: unknown): unknown {
  if (Array.isArray(tree)) return tree.map(bare);
  if (typeof tree !== "object" || tree === null) return tree;
  return Object.fromEntries(Object.entries(tree).flatMap(([key, value]) => (key === "span" ? [] : [[key, bare(value)]])));
}

/** The SourceError that `run` throws. */
export function errorOf(run: () => unknown): SourceError {
  try {
    run();
  } catch (error) {
    if (SourceError.is(error)) return error;
    throw error;
  }
  throw new Error("no error was thrown");
}

export function linked(source: string, environment: HostEnvironment = fixtureEnvironment()): LinkedProgram {
  return link(parse(source), environment, source);
}
