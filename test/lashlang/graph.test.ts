import { describe, expect, test } from "vitest";
import { toMermaid } from "../../src/lashlang/graph/mermaid.ts";
import { staticGraph } from "../../src/lashlang/graph/static-graph.ts";
import type { EntryGraph } from "../../src/lashlang/graph/static-graph.ts";
import { fixtureEnvironment } from "./fixture-environment.ts";
import { linked } from "./support.ts";

const labels = fixtureEnvironment({ languageFeatures: { labelAnnotations: true } });
const graphOf = (source: string): EntryGraph => {
  const [main] = staticGraph(linked(source, labels)).entries;
  if (main === undefined) throw new Error("no entry");
  return main;
};

/** Edges as `from -kind-> to`, by title. */
const edgesOf = ({ nodes, edges }: EntryGraph): string[] => {
  const titles = new Map(nodes.map(({ id, title }) => [id, title]));
  return edges.map(({ from, to, kind }) => `${titles.get(from)} -${kind}-> ${titles.get(to)}`);
};

describe("static graph (LL-87)", () => {
  test.each<[id: string, source: string, edges: string[]]>([
    ["effects follow each other in evaluation order", "x = tools.echo({ value: tools.boom({}) })\nprint x", ["main -next-> tools.boom", "tools.boom -next-> tools.echo", "tools.echo -next-> print"]],
    ["an if branches and joins", "if a { tools.echo({}) } else { tools.err({}) }\nprint 1", ["main -next-> if a", "if a -then-> tools.echo", "if a -else-> tools.err", "tools.echo -next-> print", "tools.err -next-> print"]],
    ["nothing follows an end", "finish 1\nprint 2", ["main -next-> finish"]],
    ["a while repeats", "while a { tools.echo({}) }\nprint 1", ["main -next-> while a", "while a -then-> tools.echo", "tools.echo -repeat-> while a", "while a -else-> print"]],
    ["a for repeats or is skipped", "for x in y { tools.echo({}) }\nprint 1", ["main -next-> tools.echo", "tools.echo -repeat-> tools.echo", "main -next-> print", "tools.echo -next-> print"]],
    ["break leaves, continue repeats", "while a { if b { break } if c { continue } tools.echo({}) }", ["main -next-> while a", "while a -then-> if b", "if b -else-> if c", "if c -else-> tools.echo", "tools.echo -repeat-> while a", "if c -repeat-> while a"]],
    ["what short-circuits may be skipped", "x = a and tools.echo({})\nprint x", ["main -next-> tools.echo", "tools.echo -next-> print", "main -next-> print"]],
    ["an aggregate forks and joins", "await [tools.echo({}), files.read({})]\nprint 1", ["main -next-> in parallel", "in parallel -next-> tools.echo", "in parallel -next-> files.read", "tools.echo -next-> print", "files.read -next-> print"]],
    ["a label is a step before its statement", '@label(title: "Read it") x = tools.echo({})', ["main -next-> Read it", "Read it -next-> tools.echo"]],
  ])("%s", (_, source, edges) => {
    expect(edgesOf(graphOf(source))).toEqual(edges);
  });

  test("node ids are those of the run time, branch edges too", () => {
    const program = linked("if a { tools.echo({}) }");
    const [main] = staticGraph(program).entries;
    const ids = new Set(program.main.sites.map(({ nodeId }) => nodeId));
    expect(main?.nodes.slice(1).every(({ id }) => ids.has(id))).toBe(true);
    expect(main?.edges.find(({ kind }) => kind === "then")?.id).toBe(program.main.sites.find(({ branch }) => branch !== undefined)?.branch?.thenEdgeId);
  });

  test("processes are entries of their own, titled by their labels", () => {
    const { entries } = staticGraph(linked('@label(title: "Worker", description: "works") process p() { sleep for 1 finish 1 }\nstart p()', labels));
    expect(entries.map(({ name }) => name)).toEqual(["main", "p"]);
    expect(entries[1]?.nodes.map(({ kind, title, description }) => [kind, title, description])).toEqual([
      ["process", "Worker", "works"],
      ["sleep", "sleep for 1", null],
      ["terminal", "finish", null],
    ]);
    expect(entries[0]?.nodes[1]).toMatchObject({ kind: "child_process", process: "p" });
  });

  test.each([
    ["operands", `x = a${" and tools.echo({})".repeat(300)}`],
    ["loops", "for x in xs { tools.echo({}) }\n".repeat(1_000)],
    ["branches", "if c { tools.echo({}) }\n".repeat(1_000)],
    ["branches without effects", "if c { x = 1 }\n".repeat(2_000)],
  ])("edges stay in proportion to a program of many %s", (_, source) => {
    const { nodes, edges } = graphOf(source);
    expect(edges.length).toBeLessThan(nodes.length * 30);
  });
});

describe("Mermaid", () => {
  test("one subgraph per entry, dotted arrows to started processes", () => {
    const source = 'process p() { finish 1 }\n@label(title: "a <b> \\"c\\"") start p()\nif x { sleep for 1 }';
    expect(toMermaid(staticGraph(linked(source, labels)))).toBe(`flowchart TD
  subgraph e0["main"]
    e0n0(["main"])
    e0n1["a #60;b#62; #34;c#34;"]
    e0n2[["start p"]]
    e0n3{"if x"}
    e0n4{{"sleep for 1"}}
    e0n0 --> e0n1
    e0n1 --> e0n2
    e0n2 --> e0n3
    e0n3 -->|yes| e0n4
  end
  subgraph e1["p"]
    e1n0(["p"])
    e1n1(("finish"))
    e1n0 --> e1n1
  end
  e0n2 -. starts .-> e1n0
`);
  });
});
