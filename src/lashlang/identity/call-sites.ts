// The identities of the places where a program acts or branches (`LL-92`): equal in every run of equal code, so that a
// recorded effect is found again, and equal to the node ids of the static graph (`LL-87`).
import { childrenOf } from "../linker/linked-children.ts";
import type { CallSite, LinkedExpr, SiteKind } from "../linker/linked-program.ts";
import type { Label } from "../syntax/ast.ts";
import { sha256OfParts } from "./digest.ts";

const SITE_KINDS: { readonly [kind in LinkedExpr["kind"]]?: SiteKind } = {
  Operation: "resource_operation",
  Start: "child_process",
  Sleep: "sleep",
  Await: "wait",
  WaitSignal: "wait",
  SignalRun: "signal",
  Yield: "process_event",
  Wake: "process_event",
  Finish: "terminal",
  Fail: "terminal",
  If: "branch",
  Ternary: "branch",
  While: "branch",
  Batch: "step",
  Print: "step",
  Cancel: "step",
  Labeled: "step",
};

/** What a node is to an observer; null for nodes that only compute. */
export function siteKindOf({ kind }: LinkedExpr): SiteKind | null {
  return SITE_KINDS[kind] ?? null;
}

export function nodeIdOf(moduleRef: string, entryKey: string, path: readonly number[], kind: SiteKind): string {
  const pathText = path.length === 0 ? "root" : path.join(".");
  return `${kind}:${sha256OfParts([moduleRef, entryKey, pathText, kind]).slice(0, 24)}`;
}

/** The sites of an entry, indexed by the `site` of its nodes. */
export function callSitesOf(body: LinkedExpr, siteCount: number, moduleRef: string, entryKey: string): readonly CallSite[] {
  const sites = new Map<number, CallSite>();
  const path: number[] = [];

  const visit = (node: LinkedExpr, label: Label | null): void => {
    const kind = siteKindOf(node);
    const own = node.kind === "Labeled" ? node.label : label;
    if (kind !== null && "site" in node) sites.set(node.site, siteOf(nodeIdOf(moduleRef, entryKey, path, kind), kind, own));
    // No level of its own; so it shares a path with what it labels, and its kind tells them apart.
    if (node.kind === "Labeled") return visit(node.statement, own);
    // A label is about its statement, not about the statements inside that statement's blocks.
    const inner = node.kind === "Block" ? null : label;
    childrenOf(node).forEach((child, index) => {
      path.push(index);
      visit(child, inner);
      path.pop();
    });
  };
  visit(body, null);
  const none: CallSite = { nodeId: nodeIdOf(moduleRef, entryKey, [], "step"), nodeKind: "step", label: null };
  return Array.from({ length: siteCount }, (_, site) => sites.get(site) ?? none);
}

function siteOf(nodeId: string, nodeKind: SiteKind, label: Label | null): CallSite {
  if (nodeKind !== "branch") return { nodeId, nodeKind, label };
  return { nodeId, nodeKind, label, branch: { thenEdgeId: `${nodeId}:then`, elseEdgeId: `${nodeId}:else` } };
}
