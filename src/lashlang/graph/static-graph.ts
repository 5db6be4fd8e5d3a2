// What a program can do, as a graph, without running it (`LL-87`): effects, branches and ends, in the order they can follow
// each other. Node ids are those that the run time reports, so a run can be drawn on top of it.
import { siteKindOf } from "../identity/call-sites.ts";
import { childrenOf } from "../linker/linked-children.ts";
import type { CallSite, LinkedEntry, LinkedExpr, LinkedProgram, SiteKind } from "../linker/linked-program.ts";
import type { Label } from "../syntax/ast.ts";
import type { Span } from "../syntax/span.ts";
import { describeNode } from "./describe-node.ts";

/** JSON. */
export interface StaticGraph {
  readonly moduleRef: string;
  /** `main` first, then the processes in source order. */
  readonly entries: readonly EntryGraph[];
}

export interface EntryGraph {
  /** `main`, or the key text of a process ref. */
  readonly key: string;
  /** `main`, or the name of the process. */
  readonly name: string;
  readonly label: Label | null;
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
}

export interface GraphNode {
  readonly id: string;
  /** `process` is where an entry begins. */
  readonly kind: SiteKind | "process";
  /** From a label where there is one, else from the code, for example `tools.echo`. */
  readonly title: string;
  readonly description: string | null;
  /** For `child_process`: the process it starts. */
  readonly process: string | null;
  readonly span: Span | null;
}

export interface GraphEdge {
  /** Of the edges that leave a branch: the run-time id of the way taken, which may lead to more than one place. */
  readonly id: string;
  readonly from: string;
  readonly to: string;
  /** `repeat` goes back to the start of a loop. */
  readonly kind: "next" | "then" | "else" | "repeat";
}

export function staticGraph(program: LinkedProgram): StaticGraph {
  const main = entryGraph(program.main, "main", null);
  const processes = program.processes.map(({ name, label, entry }) => entryGraph(entry, name, label));
  return { moduleRef: program.moduleRef, entries: [main, ...processes] };
}

function entryGraph(entry: LinkedEntry, name: string, label: Label | null): EntryGraph {
  const builder = new EntryGraphBuilder(entry.sites);
  const start = builder.node({ id: `process:${entry.key}`, kind: "process", title: label?.title ?? name, description: label?.description ?? null, process: null, span: null });
  builder.flow(entry.body, [{ from: start, kind: "next" }]);
  return { key: entry.key, name, label, nodes: builder.nodes, edges: builder.edges };
}

/** An edge that does not know yet where it leads. */
interface Loose {
  readonly from: string;
  readonly kind: GraphEdge["kind"];
  /** Run-time id, for the edges of branches. */
  readonly id?: string;
}

interface LoopEnds {
  readonly breaks: Loose[];
  readonly continues: Loose[];
}

const MAX_LOOSE = 24;

class EntryGraphBuilder {
  readonly nodes: GraphNode[] = [];
  readonly edges: GraphEdge[] = [];
  readonly #sites: readonly CallSite[];
  readonly #known = new Set<string>();
  #loop: LoopEnds = { breaks: [], continues: [] };

  constructor(sites: readonly CallSite[]) {
    this.#sites = sites;
  }

  node(node: GraphNode): string {
    if (!this.#known.has(node.id)) this.nodes.push(node);
    this.#known.add(node.id);
    return node.id;
  }

  /** Adds what `expr` does after `incoming`, and says where control leaves it; nowhere after an end. */
  flow(expr: LinkedExpr, incoming: readonly Loose[]): readonly Loose[] {
    switch (expr.kind) {
      case "If":
      case "Ternary": {
        const branch = this.#branch(expr, this.flow(expr.condition, incoming));
        const taken = this.flow(expr.consequent, [branch.taken]);
        return this.#join(taken, expr.otherwise === null ? [branch.otherwise] : this.flow(expr.otherwise, [branch.otherwise]));
      }
      case "While":
        return this.#flowWhile(expr, incoming);
      case "For":
        return this.#flowFor([expr.iterable], expr.body, incoming);
      case "Comprehension": {
        const [first, ...rest] = childrenOf(expr);
        return first === undefined ? incoming : this.#flowFor([first], { kind: "List", items: rest }, incoming);
      }
      case "Binary": {
        const left = this.flow(expr.left, incoming);
        const right = this.flow(expr.right, left);
        const maySkip = (expr.operator === "and" || expr.operator === "or") && right !== left;
        return maySkip ? this.#join(right, left) : right;
      }
      case "Break":
        this.#loop.breaks.push(...incoming);
        return [];
      case "Continue":
        this.#loop.continues.push(...incoming);
        return [];
      case "Labeled":
        return this.flow(expr.statement, [{ from: this.#step(expr, incoming), kind: "next" }]);
      case "Batch":
        return this.#flowBatch(expr, incoming);
      default: {
        const before = childrenOf(expr).reduce((loose, child) => this.flow(child, loose), incoming);
        const kind = siteKindOf(expr);
        if (kind === null) return before;
        const id = this.#step(expr, before);
        return kind === "terminal" ? [] : [{ from: id, kind: "next" }];
      }
    }
  }

  /** The node of an expression that has a site, reached by `incoming`. */
  #step(expr: LinkedExpr, incoming: readonly Loose[]): string {
    const site = "site" in expr ? this.#sites[expr.site] : undefined;
    const own = describeNode(expr);
    const label = expr.kind === "Labeled" ? expr.label : null;
    const id = this.node({
      id: site?.nodeId ?? `step:${this.nodes.length}`,
      kind: site?.nodeKind ?? "step",
      title: label?.title ?? own,
      description: label?.description ?? null,
      process: expr.kind === "Start" ? expr.process : null,
      span: expr.span ?? null,
    });
    this.#connect(incoming, id);
    return id;
  }

  #connect(incoming: readonly Loose[], to: string): void {
    for (const { from, kind, id } of incoming) {
      if (from === to && kind === "next") continue; // a labeled step that shares its node with what it labels
      this.edges.push({ id: id ?? `${from}->${to}`, from, to, kind });
    }
  }

  /** Ways that go on at one place. Many of them meet in a node of their own, so that edges stay in proportion to the program. */
  #join(...ways: readonly (readonly Loose[])[]): readonly Loose[] {
    const distinct = new Map(ways.flat().map((loose) => [`${loose.kind} ${loose.from}`, loose]));
    if (distinct.size <= MAX_LOOSE) return Array.from(distinct.values());
    const id = this.node({ id: `join:${this.nodes.length}`, kind: "step", title: "then", description: null, process: null, span: null });
    this.#connect(Array.from(distinct.values()), id);
    return [{ from: id, kind: "next" }];
  }

  #branch(expr: LinkedExpr, incoming: readonly Loose[]): { taken: Loose; otherwise: Loose } {
    const from = this.#step(expr, incoming);
    const edges = "site" in expr ? this.#sites[expr.site]?.branch : undefined;
    return {
      taken: { from, kind: "then", ...(edges === undefined ? {} : { id: edges.thenEdgeId }) },
      otherwise: { from, kind: "else", ...(edges === undefined ? {} : { id: edges.elseEdgeId }) },
    };
  }

  #flowWhile(expr: Extract<LinkedExpr, { kind: "While" }>, incoming: readonly Loose[]): readonly Loose[] {
    const firstNode = this.nodes.length;
    const branch = this.#branch(expr, this.flow(expr.condition, incoming));
    const start = this.nodes[firstNode]?.id ?? branch.taken.from;
    const { breaks, rounds } = this.#inLoop(() => this.flow(expr.body, [branch.taken]));
    this.#connect(rounds.map((round) => ({ ...round, kind: "repeat" })), start);
    return this.#join([branch.otherwise], breaks);
  }

  /** A loop over items has no node of its own: its body may follow itself, or be skipped. */
  #flowFor(before: readonly LinkedExpr[], body: LinkedExpr, incoming: readonly Loose[]): readonly Loose[] {
    const entered = before.reduce((loose, expr) => this.flow(expr, loose), incoming);
    const firstNode = this.nodes.length;
    const { breaks, rounds } = this.#inLoop(() => this.flow(body, entered));
    const start = this.nodes[firstNode]?.id;
    if (start === undefined) return entered;
    this.#connect(rounds.map((round) => ({ ...round, kind: "repeat" })), start);
    return this.#join(entered, rounds, breaks);
  }

  #inLoop(body: () => readonly Loose[]): { breaks: readonly Loose[]; rounds: readonly Loose[] } {
    const outer = this.#loop;
    const ends: LoopEnds = { breaks: [], continues: [] };
    this.#loop = ends;
    const fallen = body();
    this.#loop = outer;
    return { breaks: ends.breaks, rounds: this.#join(fallen, ends.continues) };
  }

  /** Operations of an aggregate run side by side between its step and whatever follows. */
  #flowBatch(expr: Extract<LinkedExpr, { kind: "Batch" }>, incoming: readonly Loose[]): readonly Loose[] {
    const operations: Extract<LinkedExpr, { kind: "Operation" }>[] = [];
    let loose = incoming;
    const visit = (node: LinkedExpr): void => {
      if (node.kind === "Operation") {
        operations.push(node);
        loose = childrenOf(node).reduce((before, child) => this.flow(child, before), loose);
      } else {
        childrenOf(node).forEach(visit);
      }
    };
    visit(expr.tree);
    const fork: Loose = { from: this.#step(expr, loose), kind: "next" };
    return operations.map((operation) => ({ from: this.#step(operation, [fork]), kind: "next" }));
  }
}
