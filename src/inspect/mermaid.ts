// A machine as Mermaid `stateDiagram-v2` text: for documentation that a test keeps equal to the code.
import { chartOf, type Chart, type ChartState, type ChartTransition } from "./chart.ts";

/** Anything with an XState machine config. */
export interface MachineLike {
  readonly id: string;
  readonly config: unknown;
}

/**
 * @returns the chart, nested and parallel states included, guards in brackets; ends without a newline.
 * The same machine always gives the same text.
 */
export function stateDiagram(machine: MachineLike): string {
  const chart = chartOf(machine.config);
  const lines = ["stateDiagram-v2"];
  body(chart.root, chart, 1, lines);
  for (const line of transitionLines(chart)) lines.push(`  ${line}`);
  for (const line of notes(chart)) lines.push(`  ${line}`);
  return lines.join("\n");
}

/** @returns a Markdown page: title, the machine's description, the diagram, and a table of the transitions. */
export function machinePage(machine: MachineLike): string {
  const chart = chartOf(machine.config);
  const rows = chart.transitions.map(
    ({ source, label, guard, target, actions }) =>
      `| ${cell(source === "" ? "(any state)" : source)} | ${cell(label)} | ${cell(guard ?? "")} | ${cell(target === null ? "(stays)" : target === "" ? "(start)" : target)} | ${cell(actions.join(", "))} |`,
  );
  return [
    `# ${machine.id}`,
    "",
    "Generated from the machine by `node scripts/charts.ts`; a test fails when it is out of date.",
    "",
    ...(chart.root.description === undefined ? [] : [chart.root.description, ""]),
    "```mermaid",
    stateDiagram(machine),
    "```",
    "",
    "| State | Event | Guard | Target | Actions |",
    "|---|---|---|---|---|",
    ...rows,
    "",
  ].join("\n");
}

function body(state: ChartState, chart: Chart, depth: number, lines: string[]): void {
  const pad = "  ".repeat(depth);
  if (state.initial !== undefined) lines.push(`${pad}[*] --> ${alias(state.initial)}`);
  state.children.forEach((child, index) => {
    // A line of two hyphens separates the regions of a parallel state.
    if (state.kind === "parallel" && index > 0) lines.push(`${pad}--`);
    lines.push(`${pad}state "${text(child.key)}" as ${alias(child.path)}`);
    if (child.children.length > 0) {
      lines.push(`${pad}state ${alias(child.path)} {`);
      body(child, chart, depth + 1, lines);
      lines.push(`${pad}}`);
    }
    if (child.kind === "final") lines.push(`${pad}${alias(child.path)} --> [*]`);
  });
}

/** Transitions between the same two states share an arrow: Mermaid draws each as a curve of its own, and labels collide. */
function transitionLines(chart: Chart): readonly string[] {
  const arrows = new Map<string, { readonly from: string; readonly to: string; readonly labels: string[] }>();
  for (const transition of chart.transitions) {
    if (transition.target === null || transition.source === "" || transition.target === "") continue;
    const key = `${transition.source}\n${transition.target}`;
    const arrow = arrows.get(key) ?? { from: transition.source, to: transition.target, labels: [] };
    arrow.labels.push(label(transition));
    arrows.set(key, arrow);
  }
  return [...arrows.values()].map(({ from, to, labels }) => `${alias(from)} --> ${alias(to)} : ${[...new Set(labels)].join("<br/>")}`);
}

/** The root has no box to start an arrow from: what it handles is said beside the first state. */
function notes(chart: Chart): readonly string[] {
  const anywhere = chart.transitions.filter(({ source, target }) => source === "" && target !== null);
  const first = chart.root.initial ?? chart.root.children[0]?.path;
  if (anywhere.length === 0 || first === undefined) return [];
  return [
    `note left of ${alias(first)}`,
    "  in any state:",
    ...anywhere.map((transition) => `  ${label(transition)} goes to ${transition.target === "" ? "start" : text(transition.target ?? "")}`),
    "end note",
  ];
}

function label({ label, guard }: ChartTransition): string {
  return text(guard === undefined ? label : `${label} [${guard}]`);
}

/** Mermaid ids: letters, digits, underscore. Other characters are written as their code, so that no two states collide. */
function alias(path: string): string {
  const name = path.replaceAll("_", "__").replaceAll(".", "_").replace(/\W/g, (character) => `_u${character.codePointAt(0)?.toString(16) ?? ""}_`);
  // `end`, `note`, `state` and friends are words of the grammar.
  return `s_${name}`;
}

/** Quotes, colons, semicolons and line breaks end a label; entities survive. */
function text(value: string): string {
  return value.replace(/["#;\n<>]/g, (character) => `#${character.codePointAt(0) ?? 32};`);
}

function cell(value: string): string {
  return value.replaceAll("|", "\\|").replaceAll("\n", " ");
}
