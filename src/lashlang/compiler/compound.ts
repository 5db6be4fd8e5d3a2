// Expressions that need instructions of their own: branches with effects inside them, and comprehensions.
import type { LinkedClause, LinkedExpr } from "../linker/linked-program.ts";
import { truthy } from "../values/compare.ts";
import { type List, makeList } from "../values/value.ts";
import type { Eval } from "../vm/frame.ts";
import { isCompound } from "./analysis.ts";
import type { Context } from "./context.ts";
import { brancher } from "./expressions.ts";
import { iterate } from "./iteration.ts";
import { takeTemp } from "./read.ts";
import { type Round, jumpUnless, storeTemp } from "./store.ts";

type Of<K extends LinkedExpr["kind"]> = Extract<LinkedExpr, { kind: K }>;

/** Undefined for kinds that are compiled elsewhere. */
export function compound(c: Context, expr: LinkedExpr): Eval | undefined {
  switch (expr.kind) {
    case "Ternary":
      return ternary(c, expr);
    case "Binary":
      return shortCircuit(c, expr);
    case "Comprehension":
      return comprehension(c, expr);
    default:
      return undefined;
  }
}

function ternary(c: Context, expr: Of<"Ternary">): Eval {
  const result = c.code.temp();
  const otherwise = c.code.label();
  const end = c.code.label();
  jumpUnless(c, c.expr(expr.condition), otherwise, brancher(expr.site));
  storeTemp(c, result, c.owned(expr.consequent));
  c.code.jump(end);
  c.code.place(otherwise);
  storeTemp(c, result, c.owned(expr.otherwise));
  c.code.place(end);
  return takeTemp(result);
}

/** `and`, `or` whose right side takes instructions: skipped side, no effect (`LL-31`). */
function shortCircuit(c: Context, expr: Of<"Binary">): Eval {
  const result = c.code.temp();
  const end = c.code.label();
  const left = c.expr(expr.left);
  storeTemp(c, result, (s, f) => truthy(left(s, f), f));
  const stopsAt = expr.operator === "or";
  c.code.emit((next) => {
    const target = end.at;
    return (s) => (s[result] === stopsAt ? target : next);
  });
  const right = c.expr(expr.right);
  storeTemp(c, result, (s, f) => truthy(right(s, f), f));
  c.code.place(end);
  return takeTemp(result);
}

function comprehension(c: Context, expr: Of<"Comprehension">): Eval {
  const result = c.code.temp();
  storeTemp(c, result, (_, f) => makeList([], f));
  clauses(c, expr.clauses, expr.element, result);
  return takeTemp(result);
}

/** Clauses nest left to right (`LL-18`). */
function clauses(c: Context, [clause, ...rest]: readonly LinkedClause[], element: LinkedExpr, result: number): void {
  if (clause === undefined) {
    const read = c.owned(element);
    c.code.emit((next) => (s, f) => {
      f.append(s[result] as List, read(s, f));
      return next;
    });
  } else if (clause.kind === "For") {
    const run = round(c, rest, element, result);
    const emit = (): void => clauses(c, rest, element, result);
    // An expression assigns nothing.
    iterate(c, clause.slot, clause.iterable, false, run === null ? { kind: "emitted", emit } : { kind: "round", run });
  } else {
    const skip = c.code.label();
    jumpUnless(c, c.expr(clause.condition), skip);
    clauses(c, rest, element, result);
    c.code.place(skip);
  }
}

/** The innermost loop as a closure, when only conditions are left and nothing in it needs instructions. */
function round(c: Context, rest: readonly LinkedClause[], element: LinkedExpr, result: number): Round | null {
  const conditions = rest.flatMap((clause) => (clause.kind === "If" ? [clause.condition] : []));
  if (conditions.length < rest.length || conditions.some(isCompound) || isCompound(element)) return null;
  const tests = conditions.map((condition) => c.expr(condition));
  const read = c.owned(element);
  return (s, f) => {
    for (const test of tests) if (!truthy(test(s, f), f)) return true;
    f.append(s[result] as List, read(s, f));
    return true;
  };
}
