// The sub-expressions of a node in evaluation order: what generic walks are written on, over the syntax tree and over the
// linked one (linker/linked-children.ts), which share their words.
import type { Expr } from "./ast.ts";

/** Where nodes keep their parts. One order serves all kinds of nodes: no two kinds evaluate shared keys the other way round. */
const RANKS: ReadonlyMap<string, number> = new Map([
  "items", "entries", "clauses", "element", "refs", "object", "index", "operand", "left", "right", "receiver", "args", "argument",
  "tree", "run", "payload", "statements", "statement", "condition", "consequent", "otherwise", "iterable", "body", "handle",
  "target", "steps", "value",
].map((key, rank) => [key, rank]));

/** Clauses and steps have kinds, too, but are no expressions: what counts is inside. */
const GROUPS = ["clauses", "steps"];

export function childrenOf(expr: Expr): readonly Expr[] {
  return collectParts(expr, []);
}

type Fields = { readonly [key: string]: unknown };

/** Adds the expressions directly inside `node` to `found`, and returns it. */
export function collectParts<E extends { readonly kind: string }>(node: E, found: E[]): E[] {
  const keys = Object.keys(node).filter((key) => RANKS.has(key));
  if (keys.length > 1) keys.sort((left, right) => (RANKS.get(left) ?? 0) - (RANKS.get(right) ?? 0));
  for (const key of keys) {
    const part = (node as unknown as Fields)[key];
    for (const each of Array.isArray(part) ? part : [part]) {
      if (typeof each !== "object" || each === null) continue;
      if ("kind" in each && !GROUPS.includes(key)) found.push(each);
      else collectParts(each, found);
    }
  }
  return found;
}
