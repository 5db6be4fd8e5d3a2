// `await` and `?`: which of their combinations mean a plain operation, an aggregate, or waiting for a handle
// (`LL-16`, `LL-48`, `LL-50`, `LL-52`).
import type { Expr } from "../syntax/ast.ts";
import type { Span } from "../syntax/span.ts";
import type { TypeExpr } from "../syntax/type-expr.ts";
import { ANY, unionOf, wrapperOf } from "../types/type-algebra.ts";
import { acts, childrenOf } from "./linked-children.ts";
import type { LinkedExpr } from "./linked-program.ts";
import { lowerReceiverCall } from "./lower-call.ts";
import type { Lowering, Typed } from "./lowering.ts";

/** `await value` */
export function lowerAwait(lowering: Lowering, value: Expr, span: Span): Typed {
  switch (value.kind) {
    case "Unwrap": // LL-16: `await x?` unwraps what was awaited
      return lowerUnwrap(lowering, { kind: "Await", value: value.value, span }, span);
    case "ReceiverCall": {
      const call = lowerReceiverCall(lowering, value, false);
      return call.node.kind === "Operation" ? call : waitFor(lowering, call, span);
    }
    case "Ternary": {
      // Only the branch that is taken is awaited either way; so an operation in a branch is recognized as one.
      const awaited = (branch: Expr): Expr => ({ kind: "Await", value: branch, span: branch.span });
      return lowering.lower({ ...value, consequent: awaited(value.consequent), otherwise: awaited(value.otherwise) });
    }
    case "List":
    case "Tuple":
    case "Record": {
      const tree = lowering.lower(value);
      if (!isBatch(tree.node)) return waitFor(lowering, tree, span);
      return { node: { kind: "Batch", tree: tree.node, site: lowering.scope.nextSite(), span }, type: tree.type };
    }
    case "Comprehension": {
      const list = lowering.lower(value);
      const { node, type } = list;
      // `await [m.op(x) for x in xs]`: each operation performs itself, and there is no handle to wait for.
      if (node.kind !== "Comprehension" || !isBatch(node.element)) return waitFor(lowering, list, span);
      if (node.element.kind === "Operation") return list;
      return { node: { ...node, element: { kind: "Batch", tree: node.element, site: lowering.scope.nextSite(), span } }, type };
    }
    default:
      return waitFor(lowering, lowering.lower(value), span);
  }
}

/** `value?` */
export function lowerUnwrap(lowering: Lowering, value: Expr, span: Span): Typed {
  const call = directCall(value);
  if (call !== null) {
    const operation = lowerReceiverCall(lowering, call, true);
    if (operation.node.kind === "Operation") return operation;
    const awaited = value.kind === "Await" ? waitFor(lowering, operation, value.span) : operation;
    return unwrap(lowering, awaited, span);
  }
  return unwrap(lowering, lowering.lower(value), span);
}

/** The receiver call under any number of `await`. */
function directCall(value: Expr): Extract<Expr, { kind: "ReceiverCall" }> | null {
  let at = value;
  while (at.kind === "Await") at = at.value;
  return at.kind === "ReceiverCall" ? at : null;
}

function unwrap(lowering: Lowering, value: Typed, span: Span): Typed {
  return { node: { kind: "Unwrap", value: value.node, span }, type: unwrappedType(lowering, value.type) };
}

function unwrappedType(lowering: Lowering, type: TypeExpr): TypeExpr {
  const meaning = lowering.context.expand(type);
  if (meaning.kind === "Union") return unionOf(meaning.members.map((member) => unwrappedType(lowering, member)));
  const value = meaning.kind === "Object" ? meaning.fields.find((field) => field.name === "value") : undefined;
  return value?.type ?? ANY;
}

function waitFor(lowering: Lowering, value: Typed, span: Span): Typed {
  const meaning = lowering.context.meanings.get(value.type);
  const node: LinkedExpr = { kind: "Await", value: value.node, site: lowering.scope.nextSite(), span };
  return { node, type: meaning?.kind === "handle" ? wrapperOf(meaning.output) : ANY };
}

/** LL-50: an operation, or a literal tree with at least one among its leaves, and no other effect. */
function isBatch(tree: LinkedExpr): boolean {
  let operations = 0;
  const fits = (node: LinkedExpr): boolean => {
    if (node.kind === "List" || node.kind === "Tuple") return node.items.every(fits);
    if (node.kind === "Record") return node.entries.every((entry) => fits(entry.value));
    if (node.kind !== "Operation") return isPure(node);
    operations += 1;
    return true;
  };
  return fits(tree) && operations > 0;
}

function isPure(node: LinkedExpr): boolean {
  return !acts(node) && childrenOf(node).every(isPure);
}
