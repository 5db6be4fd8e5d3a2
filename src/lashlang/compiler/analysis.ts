// Facts about expressions that decide how they are compiled.
import { BUILTINS } from "../builtins/table.ts";
import { childrenOf } from "../linker/linked-children.ts";
import type { LinkedExpr } from "../linker/linked-program.ts";

/**
 * True if evaluating it may suspend or loop, so that it takes several instructions.
 * Everything else is one closure, and bounded by the size of the program text.
 */
export function isCompound(expr: LinkedExpr): boolean {
  const known = memo.get(expr);
  if (known !== undefined) return known;
  const answer = children(expr)?.some(isCompound) ?? true;
  memo.set(expr, answer);
  return answer;
}

const memo = new WeakMap<LinkedExpr, boolean>();

/** Direct parts of an expression that one closure can compute; undefined for what needs instructions of its own. */
function children(expr: LinkedExpr): readonly LinkedExpr[] | undefined {
  switch (expr.kind) {
    case "Null":
    case "Bool":
    case "Number":
    case "String":
    case "Variable":
    case "Resource":
    case "ProcessValue":
    case "TriggerEvent":
      return [];
    case "List":
    case "Tuple":
      return expr.items;
    case "Record":
      return expr.entries.map((entry) => entry.value);
    case "TypeLiteral":
      return expr.refs.map((ref) => ref.value);
    case "Field":
      return [expr.object];
    case "Index":
      return [expr.object, expr.index];
    case "Unwrap":
      return [expr.value];
    case "Unary":
      return [expr.operand];
    case "Binary":
      return [expr.left, expr.right];
    case "Ternary":
      return [expr.condition, expr.consequent, expr.otherwise];
    case "BuiltinCall":
      return expr.args;
    case "Construct":
      return [expr.argument];
    default:
      return undefined;
  }
}

/** True if the value may be referred to from somewhere else as well, so that storing it makes it shared. */
export function isBorrowed(expr: LinkedExpr): boolean {
  switch (expr.kind) {
    case "Variable":
    case "Field":
    case "Index":
    case "TypeLiteral":
      return true;
    case "Unwrap":
      return isBorrowed(expr.value);
    case "Ternary":
      return isBorrowed(expr.consequent) || isBorrowed(expr.otherwise);
    case "BuiltinCall":
      return BUILTINS.get(expr.name)?.borrows ?? false;
    default:
      return false;
  }
}

/** True if `expr` or anything in it assigns the variable `slot`. */
export function assigns(expr: LinkedExpr, slot: number): boolean {
  return (expr.kind === "Assign" && expr.slot === slot) || childrenOf(expr).some((child) => assigns(child, slot));
}

export function isConstant(expr: LinkedExpr): boolean {
  return expr.kind === "Null" || expr.kind === "Bool" || expr.kind === "Number" || expr.kind === "String";
}
