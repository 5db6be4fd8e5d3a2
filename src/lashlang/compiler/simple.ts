// Simple statements: those that neither suspend nor loop, as closures. A run of them is one instruction, so that a loop
// over simple statements costs one dispatch per round; snapshots fall between rounds.
import type { LinkedExpr } from "../linker/linked-program.ts";
import { truthy } from "../values/compare.ts";
import { isCompound } from "./analysis.ts";
import { assignment } from "./assignment.ts";
import type { Context } from "./context.ts";
import { BREAK, CONTINUE, FALL, type Simple } from "./exits.ts";
import { brancher } from "./expressions.ts";

export function isSimple(expr: LinkedExpr): boolean {
  switch (expr.kind) {
    case "Block":
      return expr.statements.every(isSimple);
    case "If":
      return !isCompound(expr.condition) && isSimple(expr.consequent) && (expr.otherwise === null || isSimple(expr.otherwise));
    case "Assign":
      return !isCompound(expr.value) && expr.steps.every((step) => step.kind === "Field" || !isCompound(step.index));
    case "Break":
    case "Continue":
      return true;
    default:
      return !isCompound(expr);
  }
}

/** The closure of a statement for which `isSimple` holds; emits nothing. */
export function simple(c: Context, expr: LinkedExpr): Simple {
  switch (expr.kind) {
    case "Block":
      return sequence(expr.statements.map((inner) => simple(c, inner)));
    case "If":
      return branch(c, expr);
    case "Assign":
      return assignment(c, expr);
    case "Break":
      return () => BREAK;
    case "Continue":
      return () => CONTINUE;
    default: {
      const value = c.expr(expr);
      return (s, f) => {
        value(s, f);
        return FALL;
      };
    }
  }
}

function branch(c: Context, expr: Extract<LinkedExpr, { kind: "If" }>): Simple {
  const condition = c.expr(expr.condition);
  const then = simple(c, expr.consequent);
  const otherwise = expr.otherwise === null ? null : simple(c, expr.otherwise);
  const chosen = brancher(expr.site);
  return (s, f) => {
    const value = condition(s, f);
    const holds = value === true || (value !== false && truthy(value, f));
    chosen(f, holds);
    if (holds) return then(s, f);
    return otherwise === null ? FALL : otherwise(s, f);
  };
}

/** One after the other until one does not fall through; each costs one instruction. */
export function sequence(statements: readonly Simple[]): Simple {
  const [a, b, c] = statements;
  if (a === undefined) return () => FALL;
  if (b === undefined) return a;
  if (c === undefined) {
    return (s, f) => {
      f.fuel -= 1;
      const exit = a(s, f);
      return exit === FALL ? b(s, f) : exit;
    };
  }
  if (statements.length === 3) {
    return (s, f) => {
      f.fuel -= 2;
      let exit = a(s, f);
      if (exit !== FALL) return exit;
      exit = b(s, f);
      return exit === FALL ? c(s, f) : exit;
    };
  }
  const more = statements.length - 1;
  return (s, f) => {
    f.fuel -= more;
    for (const statement of statements) {
      const exit = statement(s, f);
      if (exit !== FALL) return exit;
    }
    return FALL;
  };
}
