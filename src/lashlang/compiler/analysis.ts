// Facts about expressions that decide how they are compiled.
import { BUILTINS } from "../builtins/table.ts";
import { acts, childrenOf } from "../linker/linked-children.ts";
import type { LinkedExpr } from "../linker/linked-program.ts";

/**
 * True if evaluating it may suspend or loop, so that it takes several instructions.
 * Everything else is one closure, and bounded by the size of the program text.
 */
export function isCompound(expr: LinkedExpr): boolean {
  const known = memo.get(expr);
  if (known !== undefined) return known;
  const answer = acts(expr) || TAKE_INSTRUCTIONS.has(expr.kind) || childrenOf(expr).some(isCompound);
  memo.set(expr, answer);
  return answer;
}

const memo = new WeakMap<LinkedExpr, boolean>();

/** Loops, and statements whose value nobody asks for. */
const TAKE_INSTRUCTIONS: ReadonlySet<LinkedExpr["kind"]> = new Set(["Comprehension", "For", "Block", "Assign", "Break", "Continue"] as const);

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
