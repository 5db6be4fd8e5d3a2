import { collectParts } from "../syntax/children.ts";
import type { LinkedExpr } from "./linked-program.ts";

/**
 * The sub-expressions of a linked node in evaluation order. Their indexes are the paths of call-site identities,
 * so the order is part of what a durable run depends on.
 */
export function childrenOf(node: LinkedExpr): readonly LinkedExpr[] {
  return collectParts(node, []);
}

/** Whether the node itself, its parts apart, has an effect or takes a way at run time; a `?:` between values is no more than a value. */
export function acts(node: LinkedExpr): boolean {
  return "site" in node && node.kind !== "Ternary";
}
