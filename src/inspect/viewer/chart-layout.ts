// Places the boxes, arrows and labels of a chart. ELK does the work; this says what it is to lay out, and how it should look.
// The order of the source is the order of the picture: arrows that point back in it are given to ELK reversed, so that it
// has no cycle to break. (Its own model-order strategies fail on nested graphs in 0.12.)
import type { ELK, ElkExtendedEdge, ElkNode } from "elkjs/lib/elk-api.js";
import * as bundled from "elkjs/lib/elk.bundled.js";
import { statesOf, type Chart, type ChartState, type ChartTransition } from "../chart.ts";

export interface Box { readonly x: number; readonly y: number; readonly width: number; readonly height: number }
export interface PlacedState extends Box { readonly state: ChartState; readonly depth: number; readonly lines: readonly string[] }
export interface PlacedEdge {
  readonly source: string;
  readonly target: string;
  readonly transitions: readonly ChartTransition[];
  /** Corners of the arrow, first to last. */
  readonly points: readonly (readonly [x: number, y: number])[];
  readonly label: (Box & { readonly lines: readonly Label[] }) | undefined;
}
/** `broken`: the guard stands on a line of its own, so that branches stay narrow. */
export interface Label { readonly event: string; readonly guard: string | undefined; readonly broken: boolean }
export interface PlacedChart {
  readonly width: number;
  readonly height: number;
  readonly states: readonly PlacedState[];
  readonly edges: readonly PlacedEdge[];
  /** Dots from which a region starts. */
  readonly starts: readonly (readonly [x: number, y: number])[];
}

/** Widths of texts; the view measures with the font it draws with. */
export type Measure = (text: string, size: number) => number;

export const TITLE_SIZE = 13;
export const SMALL_SIZE = 10.5;
const LINE = 15;
const HEADER = 30;

/** Dense charts share lines into and out of a state: nine arrowheads side by side say less than one. */
const MERGED = { "elk.layered.mergeEdges": "true", "elk.layered.mergeHierarchyEdges": "true" };
const DENSE = 1.7;

type Options = Readonly<Record<string, string>>;

/** A CommonJS module whose types claim a default export where bundlers find the constructor. */
const { default: Elk } = bundled as unknown as { readonly default: new () => ELK };
const elk = new Elk();
const OPTIONS = {
  "elk.algorithm": "layered",
  "elk.direction": "DOWN",
  "elk.hierarchyHandling": "INCLUDE_CHILDREN",
  "elk.edgeRouting": "ORTHOGONAL",
  "elk.json.edgeCoords": "ROOT",
  "elk.json.shapeCoords": "ROOT",
  "elk.spacing.nodeNode": "26",
  "elk.spacing.edgeNode": "18",
  "elk.spacing.edgeEdge": "14",
  "elk.spacing.edgeLabel": "4",
  "elk.layered.spacing.nodeNodeBetweenLayers": "12",
  "elk.layered.spacing.edgeNodeBetweenLayers": "11",
  "elk.layered.spacing.edgeEdgeBetweenLayers": "10",
  "elk.layered.nodePlacement.strategy": "BRANDES_KOEPF",
  "elk.layered.nodePlacement.bk.fixedAlignment": "BALANCED",
  "elk.layered.thoroughness": "12",
};

export async function placeChart(chart: Chart, measure: Measure): Promise<PlacedChart> {
  const labels = new Map<string, readonly Label[]>();
  const states = new Map(statesOf(chart.root).map((state) => [state.path, state]));
  const groups = groupTransitions(chart, states);
  const order = new Map(statesOf(chart.root).map((state, index) => [state.path, index]));
  const isBack = ({ source, target }: Group): boolean => (order.get(source) ?? 0) > (order.get(target) ?? 0);
  const edges: ElkExtendedEdge[] = [];
  for (const [id, group] of groups) {
    const { source, target, transitions } = group;
    const branches = [...groups.values()].filter((other) => other.source === source).length > 1;
    const lines = labelLines(transitions, branches);
    const back = isBack(group);
    labels.set(id, lines);
    edges.push({
      id,
      sources: [nodeId(back ? target : source)],
      targets: [nodeId(back ? source : target)],
      labels: [{
        id: `${id} label`,
        text: "x",
        width: Math.max(...lines.flatMap(labelRows).map((row) => measure(row, SMALL_SIZE))) + 8,
        height: lines.flatMap(labelRows).length * 13 + 2,
        layoutOptions: { "elk.edgeLabels.inline": "true", "elk.edgeLabels.placement": "CENTER" },
      }],
    });
  }
  const options: Options = edges.length > DENSE * states.size ? { ...OPTIONS, ...MERGED } : OPTIONS;
  const root = node(chart.root, chart, measure, edges, options);
  const placed = await elk.layout({ id: "all", children: [root], edges, layoutOptions: { ...options, "elk.padding": "[top=8,left=8,bottom=8,right=8]" } });
  return collect(placed, chart, states, groups, labels, isBack);
}

interface Group { readonly source: string; readonly target: string; readonly transitions: ChartTransition[] }

/** Transitions between the same two states share one arrow. Those that stay in or go into their source are told in its header. */
function groupTransitions(chart: Chart, states: ReadonlyMap<string, ChartState>): ReadonlyMap<string, Group> {
  const groups = new Map<string, Group>();
  for (const transition of chart.transitions) {
    const { source, target } = transition;
    if (!isArrow(transition) || target === null || !states.has(target)) continue;
    const id = `edge ${source} -> ${target}`;
    const group = groups.get(id);
    if (group) group.transitions.push(transition);
    else groups.set(id, { source, target, transitions: [transition] });
  }
  return groups;
}

function isArrow({ source, target }: ChartTransition): boolean {
  return target !== null && source !== "" && target !== "" && !target.startsWith(`${source}.`);
}

function headerLines(state: ChartState, chart: Chart): readonly string[] {
  const own = chart.transitions.filter((transition) => transition.source === state.path && !isArrow(transition));
  const lines = own.map(({ label, guard, target, actions }) => {
    const to = target === null ? (actions.length > 0 ? ` / ${actions.join(", ")}` : "") : ` → ${target.slice(state.path === "" ? 0 : state.path.length + 1) || "start"}`;
    return shorten(`${label}${guard === undefined ? "" : ` [${guard}]`}${to}`, 44);
  });
  return [...new Set([...state.invokes.map((name) => `runs ${shorten(name, 38)}`), ...lines])].slice(0, 6);
}

function node(state: ChartState, chart: Chart, measure: Measure, edges: ElkExtendedEdge[], options: Options): ElkNode {
  const lines = headerLines(state, chart);
  const width = Math.max(measure(state.key, TITLE_SIZE) + 28, ...lines.map((line) => measure(line, SMALL_SIZE) + 20), 64);
  const header = HEADER + lines.length * LINE + (lines.length > 0 ? 3 : 0);
  if (state.children.length === 0) return { id: nodeId(state.path), width, height: header };
  const children = state.children.map((child) => node(child, chart, measure, edges, options));
  if (state.initial !== undefined) {
    // First, so that the order of the source puts the start on top.
    children.unshift({ id: `start ${state.path}`, width: 9, height: 9 });
    edges.unshift({ id: `start edge ${state.path}`, sources: [`start ${state.path}`], targets: [nodeId(state.initial)] });
  }
  return {
    id: nodeId(state.path),
    children,
    layoutOptions: {
      ...options,
      "elk.padding": `[top=${header + 8},left=16,bottom=16,right=16]`,
      "elk.nodeSize.constraints": "MINIMUM_SIZE",
      "elk.nodeSize.minimum": `(${width},${header})`,
    },
  };
}

function collect(
  placed: ElkNode, chart: Chart, states: ReadonlyMap<string, ChartState>, groups: ReadonlyMap<string, Group>, labels: ReadonlyMap<string, readonly Label[]>,
  isBack: (group: Group) => boolean,
): PlacedChart {
  const boxes: PlacedState[] = [];
  const starts: (readonly [number, number])[] = [];
  const walk = (node: ElkNode, depth: number): void => {
    const box = { x: node.x ?? 0, y: node.y ?? 0, width: node.width ?? 0, height: node.height ?? 0 };
    if (node.id.startsWith("start ")) starts.push([box.x + box.width / 2, box.y + box.height / 2]);
    const state = node.id.startsWith("state ") ? states.get(node.id.slice(6)) : undefined;
    if (state) boxes.push({ ...box, state, depth, lines: headerLines(state, chart) });
    for (const child of node.children ?? []) walk(child, depth + 1);
  };
  for (const child of placed.children ?? []) walk(child, 0);
  const edges: PlacedEdge[] = [];
  for (const edge of placed.edges ?? []) {
    const section = edge.sections?.[0];
    if (!section) continue;
    const points = [section.startPoint, ...(section.bendPoints ?? []), section.endPoint].map(({ x, y }) => [x, y] as const);
    const group = groups.get(edge.id);
    if (group && isBack(group)) points.reverse();
    const label = edge.labels?.[0];
    edges.push({
      source: group?.source ?? "",
      target: group?.target ?? edge.targets[0]?.slice(6) ?? "",
      transitions: group?.transitions ?? [],
      points,
      label: label && group ? { x: label.x ?? 0, y: label.y ?? 0, width: label.width ?? 0, height: label.height ?? 0, lines: labels.get(edge.id) ?? [] } : undefined,
    });
  }
  return { width: placed.width ?? 0, height: placed.height ?? 0, states: boxes, edges, starts };
}

function labelLines(transitions: readonly ChartTransition[], branches: boolean): readonly Label[] {
  const lines = transitions.map(({ label, guard }): Label => ({
    event: shorten(label, 30),
    guard: guard === undefined ? undefined : shorten(guard, 34),
    broken: branches && guard !== undefined && label.length + guard.length > 18,
  }));
  const distinct = lines.filter((line, index) => lines.findIndex((other) => labelText(other) === labelText(line)) === index).slice(0, 5);
  // One event with several guards is named once.
  return distinct.map((line, index) => (line.broken && distinct[index - 1]?.event === line.event ? { ...line, event: "" } : line));
}

/** What is drawn of a label, row by row. */
export function labelRows(label: Label): readonly string[] {
  if (!label.broken) return [labelText(label)];
  return [...(label.event === "" ? [] : [label.event]), `[${label.guard ?? ""}]`];
}

export function labelText({ event, guard }: Pick<Label, "event" | "guard">): string {
  return guard === undefined ? event : `${event} [${guard}]`;
}

function shorten(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

function nodeId(path: string): string {
  return `state ${path}`;
}
