// A static graph as a Mermaid flowchart: one subgraph per entry.
import type { EntryGraph, GraphEdge, GraphNode, StaticGraph } from "./static-graph.ts";

/** @returns Mermaid source that ends with a newline. */
export function toMermaid(graph: StaticGraph): string {
  const lines = ["flowchart TD"];
  const starts = new Map(graph.entries.flatMap(({ name, nodes }, index) => (index > 0 && nodes.length > 0 ? [[name, nodeName(index, 0)] as const] : [])));
  graph.entries.forEach((entry, index) => lines.push(...entryLines(entry, index)));
  graph.entries.forEach(({ nodes }, index) => {
    nodes.forEach(({ process }, place) => {
      const target = process === null ? undefined : starts.get(process);
      if (target !== undefined) lines.push(`  ${nodeName(index, place)} -. starts .-> ${target}`);
    });
  });
  return `${lines.join("\n")}\n`;
}

/** Ids of the graph are too long to read in a diagram's source. */
function nodeName(entry: number, node: number): string {
  return `e${entry}n${node}`;
}

function entryLines({ name, label, nodes, edges }: EntryGraph, index: number): string[] {
  const names = new Map(nodes.map((node, place) => [node.id, nodeName(index, place)]));
  const drawn = new Set<string>();
  const arrows = edges.flatMap((edge) => {
    const [from, to] = [names.get(edge.from), names.get(edge.to)];
    const arrow = `    ${from} ${ARROWS.get(edge.kind)} ${to}`;
    if (from === undefined || to === undefined || drawn.has(arrow)) return [];
    drawn.add(arrow);
    return [arrow];
  });
  return [
    `  subgraph e${index}[${quote(label?.title ?? name)}]`,
    ...nodes.map((node, place) => `    ${nodeName(index, place)}${shape(node)}`),
    ...arrows,
    "  end",
  ];
}

const ARROWS: ReadonlyMap<GraphEdge["kind"], string> = new Map([
  ["next", "-->"],
  ["then", "-->|yes|"],
  ["else", "-->|no|"],
  ["repeat", "-.->|again|"],
]);

function shape({ kind, title }: GraphNode): string {
  const text = quote(title);
  switch (kind) {
    case "process":
      return `([${text}])`;
    case "branch":
      return `{${text}}`;
    case "terminal":
      return `((${text}))`;
    case "child_process":
      return `[[${text}]]`;
    case "sleep":
    case "wait":
      return `{{${text}}}`;
    case "signal":
    case "process_event":
      return `>${text}]`;
    default:
      return `[${text}]`;
  }
}

/** Titles are a program's text: what Mermaid or HTML would read as markup becomes a character code. */
function quote(text: string): string {
  const safe = Array.from(text, (character) => (/[\p{L}\p{N} .,:;_()[\]{}=+*/%?!'…-]/u.test(character) ? character : `#${character.codePointAt(0) ?? 0};`));
  return `"${safe.join("")}"`;
}
