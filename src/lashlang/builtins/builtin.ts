// What every builtin is to the linker and to the compiler.
import type { TypeExpr } from "../syntax/type-expr.ts";
import type { Meter } from "../values/bounds.ts";
import type { ProjectionQuestion } from "../values/projected.ts";
import type { Json } from "../values/json-value.ts";
import type { Value } from "../values/value.ts";

/**
 * A builtin of at most three arguments; absent ones arrive as null and `count` says how many were written.
 * Arguments are never projected: the caller strips them.
 */
export interface Builtin {
  readonly counts: readonly number[];
  /** The type of what it returns, as far as the types of the arguments tell. */
  readonly gives: TypeExpr | ((...args: readonly TypeExpr[]) => TypeExpr);
  readonly run: (meter: Meter, a: Value, b: Value, c: Value, count: number) => Value;
  /** The question that answers this builtin for a projected first argument, from the JSON of the other arguments. */
  readonly ask?: (b: Json, c: Json) => ProjectionQuestion;
  /** True when the result may be a value that something else refers to as well. */
  readonly borrows?: boolean;
}
