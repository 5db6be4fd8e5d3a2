// The builtins by name, and how a program calls them.
import type { TypeExpr } from "../syntax/type-expr.ts";
import { ANY, STR } from "../types/type-algebra.ts";
import type { Meter } from "../values/bounds.ts";
import { typeError } from "../values/errors.ts";
import { fromJson } from "../values/from-json.ts";
import { materialize } from "../values/materialize.ts";
import { Projected } from "../values/projected.ts";
import { toJson } from "../values/to-json.ts";
import type { Value } from "../values/value.ts";
import type { Builtin } from "./builtin.ts";
import { COLLECTION_BUILTINS } from "./collection-builtins.ts";
import { jsonParse } from "./json-parse.ts";
import { NUMBER_BUILTINS } from "./number-builtins.ts";
import { TEXT_BUILTINS } from "./text-builtins.ts";
import { validate } from "./validate.ts";

/** All but `format`, which takes any number of arguments. */
export const BUILTINS: ReadonlyMap<string, Builtin> = new Map<string, Builtin>([
  ...COLLECTION_BUILTINS,
  ...TEXT_BUILTINS,
  ...NUMBER_BUILTINS,
  ["json_parse", { counts: [1], gives: ANY, run: (meter, s) => jsonParse(s, meter), ask: () => ({ kind: "JsonParse" }) }],
  ["validate", { counts: [2], gives: (value = ANY) => value, run: (meter, value, type) => validate(value, type, meter), borrows: true }],
]);

export const builtinNames: readonly string[] = [...BUILTINS.keys(), "format"];

/** The type of what a builtin returns, as far as the arguments tell. */
export function builtinResultType(name: string, args: readonly TypeExpr[]): TypeExpr {
  const gives = BUILTINS.get(name)?.gives ?? STR;
  return typeof gives === "function" ? gives(...args) : gives;
}

/** Calls a builtin with arguments of which some may be projected: asks the source first, then strips. */
export function callProjected(builtin: Builtin, meter: Meter, a: Value, b: Value, c: Value, count: number): Value {
  const second = materialize(b, meter);
  const third = materialize(c, meter);
  if (a instanceof Projected && builtin.ask !== undefined) {
    const answer = a.source.ask?.(builtin.ask(toJson(second), toJson(third)));
    if (answer !== undefined) return fromJson(answer, meter);
  }
  return builtin.run(meter, materialize(a, meter), second, third, count);
}

/** The error for a wrong number of arguments. */
export function wrongCount(name: string, counts: readonly number[], got: number): Error {
  const wanted = new Intl.ListFormat("en", { type: "disjunction" }).format(counts.map(String));
  return typeError(`\`${name}\` takes ${wanted} arg(s), got ${got}`);
}
