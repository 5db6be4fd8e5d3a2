// What must hold for any text and any program; test/lashlang/fuzz.test.ts runs each for a moment, scripts/fuzz-lashlang.ts
// for as long as it is told.
import * as fc from "fast-check";
import type { IRawProperty } from "fast-check";
import { sourceOfArtifact } from "../../src/lashlang/artifact/artifact-source.ts";
import { artifactOf, decodeArtifact, encodeArtifact } from "../../src/lashlang/artifact/module-artifact.ts";
import { FixtureHost } from "../../src/lashlang/cases/fixture-host.ts";
import type { RunVm } from "../../src/lashlang/cases/fixture-host.ts";
import { stepwise } from "../../src/lashlang/cases/stepwise.ts";
import { compileCell } from "../../src/lashlang/compiler/compile.ts";
import { SourceError } from "../../src/lashlang/diagnostics/source-error.ts";
import { toMermaid } from "../../src/lashlang/graph/mermaid.ts";
import { staticGraph } from "../../src/lashlang/graph/static-graph.ts";
import type { LinkedProgram } from "../../src/lashlang/linker/linked-program.ts";
import { link } from "../../src/lashlang/linker/link.ts";
import { printProgram } from "../../src/lashlang/printer/print-program.ts";
import { Session } from "../../src/lashlang/session/session.ts";
import { parse, parseWithComments } from "../../src/lashlang/syntax/parser.ts";
import { drive } from "../../src/lashlang/vm/drive.ts";
import { program, sourceLikeText } from "./arbitrary-program.ts";
import { fixtureEnvironment } from "./fixture-environment.ts";
import { bare } from "./support.ts";

const environment = fixtureEnvironment({ languageFeatures: { labelAnnotations: true } });
const anyText = fc.oneof(sourceLikeText, fc.string({ unit: "binary", maxLength: 200 }));

/** Names that random programs use, so that running them gets somewhere. */
const PRELUDE = 'a = 1\nb = [1, (2, "x"), null]\nx = { a: { b: [0] }, items: "text" }\nitems = ["p", "q", 3.5]\n';

function linkedOrNull(source: string): LinkedProgram | null {
  try {
    return link(parse(source), environment, source);
  } catch (error) {
    if (!SourceError.is(error)) throw error;
    if (error.render().split("\n").length < 4) throw new Error("a diagnostic lost its excerpt", { cause: error });
    return null;
  }
}

function same(left: unknown, right: unknown, what: string): void {
  const [leftText, rightText] = [JSON.stringify(left), JSON.stringify(right)];
  if (leftText !== rightText) throw new Error(`${what}\n${leftText}\n${rightText}`);
}

const driven: RunVm = (vm, host, signal) => drive(vm, host, { signal, maxActiveMs: 2_000 });

async function outcomeOf(linked: LinkedProgram, run: RunVm): Promise<{ kind: string; result: unknown; printed: unknown }> {
  const host = new FixtureHost(linked, environment, run);
  const stop = new AbortController();
  const vm = new Session().begin(compileCell(linked), { bounds: { instructions: 1_500, heap: 4_000_000 } });
  const timer = setTimeout(() => stop.abort(), 500);
  const result = await run(vm, host.for(null), stop.signal);
  clearTimeout(timer);
  host.stop();
  return { kind: result.kind, result, printed: host.printed };
}

export const properties: Readonly<Record<string, IRawProperty<unknown>>> = {
  "any text parses and links, or is refused with a diagnostic (LL-10)": fc.property(anyText, (source) => {
    linkedOrNull(source);
  }),
  "what parses prints, and parses to the same tree again (LL-87)": fc.property(anyText, (source) => {
    let tree;
    try {
      tree = parseWithComments(source);
    } catch (error) {
      if (SourceError.is(error)) return;
      throw error;
    }
    const formatted = printProgram(tree.program, { source, comments: tree.comments });
    same(bare(parse(formatted).main), bare(tree.program.main), formatted);
    same(parseWithComments(formatted).comments.length, tree.comments.length, formatted);
  }),
  "any tree prints to text that parses to it (LL-87)": fc.property(program, (tree) => {
    const text = printProgram(tree);
    const again = parse(text);
    same([bare(again.declarations), bare(again.main)], [bare(tree.declarations), bare(tree.main)], text);
  }),
  "what links has an artifact that comes back, prints and links to the same refs (LL-84, LL-87)": fc.property(program, (tree) => {
    const linked = linkedOrNull(printProgram(tree));
    if (linked === null) return;
    toMermaid(staticGraph(linked));
    const artifact = decodeArtifact(encodeArtifact(artifactOf(linked)));
    const again = linkedOrNull(sourceOfArtifact(artifact));
    if (again === null) throw new Error(`canonical source does not link\n${sourceOfArtifact(artifact)}`);
    same([again.moduleRef, again.hostRequirementsRef, again.main.sites], [linked.moduleRef, linked.hostRequirementsRef, linked.main.sites], "refs");
  }),
  "what links runs to an outcome, and to the same one when it is restored from JSON on the way (LL-98, LL-99)": fc.asyncProperty(program, async (tree) => {
    const linked = linkedOrNull(PRELUDE + printProgram(tree));
    if (linked === null) return;
    const [restored, straight] = [await outcomeOf(linked, stepwise(3)), await outcomeOf(linked, driven)];
    // A program that waits for ever is given up after a while, and how far it got by then says nothing.
    if (restored.kind !== "cancelled" && straight.kind !== "cancelled") same(restored, straight, "outcome");
  }),
};
