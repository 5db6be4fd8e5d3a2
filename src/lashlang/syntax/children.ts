// The sub-expressions of a node in evaluation order: what generic walks are written on, over the syntax tree and over the
// linked one (linker/linked-children.ts), which share their words.
import type { Expr } from "./ast.ts";

/** Where a node keeps its parts. */
const PARTS: Readonly<Record<string, readonly string[]>> = {
  List: ["items"],
  Tuple: ["items"],
  Record: ["entries"],
  Comprehension: ["clauses", "element"],
  TypeLiteral: ["refs"],
  Field: ["object"],
  Index: ["object", "index"],
  Unary: ["operand"],
  Binary: ["left", "right"],
  Ternary: ["condition", "consequent", "otherwise"],
  BuiltinCall: ["args"],
  ReceiverCall: ["receiver", "args"],
  Operation: ["receiver", "args"],
  Construct: ["argument"],
  Batch: ["tree"],
  Start: ["args"],
  SignalRun: ["run", "payload"],
  Block: ["statements"],
  Labeled: ["statement"],
  If: ["condition", "consequent", "otherwise"],
  For: ["iterable", "body"],
  While: ["condition", "body"],
  Cancel: ["handle", "value"],
};

/** Every other node, and what entries, arguments and assignment targets have. */
const OTHER_PARTS = ["target", "steps", "value"];

/** Clauses and steps have kinds, too, but are no expressions: what counts is inside. */
const GROUPS = ["clauses", "steps"];

export function childrenOf(expr: Expr): readonly Expr[] {
  return collectParts(expr, []);
}

type Fields = { readonly [key: string]: unknown };

/** Adds the expressions directly inside `node` to `found`, and returns it. */
export function collectParts<E extends { readonly kind: string }>(node: E, found: E[]): E[] {
  for (const key of PARTS[node.kind] ?? OTHER_PARTS) {
    const part = (node as unknown as Fields)[key];
    for (const each of Array.isArray(part) ? part : [part]) {
      if (typeof each !== "object" || each === null) continue;
      if ("kind" in each && !GROUPS.includes(key)) found.push(each);
      else collectParts(each, found);
    }
  }
  return found;
}
