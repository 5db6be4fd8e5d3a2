// Builtins that give numbers.
import { FLOAT, INT } from "../types/type-algebra.ts";
import { toInteger, toNumber } from "../values/coerce.ts";
import { valueError } from "../values/errors.ts";
import type { Value } from "../values/value.ts";
import type { Builtin } from "./builtin.ts";

/** Rounds down. Exact where a rounded quotient would not be: the remainder decides. */
function divide(builtin: string, a: Value, b: Value, sign: 1 | -1): number {
  const dividend = sign * toInteger(a, `\`${builtin}\` dividend must be a finite integer`);
  const divisor = toInteger(b, `\`${builtin}\` divisor must be a finite integer`);
  if (divisor === 0) throw valueError(`\`${builtin}\` divisor must not be 0`);
  const remainder = dividend % divisor;
  const quotient = Math.round((dividend - remainder) / divisor);
  return sign * (remainder !== 0 && remainder > 0 !== divisor > 0 ? quotient - 1 : quotient) + 0;
}

export const NUMBER_BUILTINS: ReadonlyMap<string, Builtin> = new Map<string, Builtin>([
  ["to_int", { counts: [1], gives: INT, run: (_, x) => Math.trunc(toNumber(x)) + 0, ask: () => ({ kind: "ToNumber" }) }],
  ["to_float", { counts: [1], gives: FLOAT, run: (_, x) => toNumber(x), ask: () => ({ kind: "ToNumber" }) }],
  ["ceil_div", { counts: [2], gives: INT, run: (_, a, b) => divide("ceil_div", a, b, -1) }],
  ["floor_div", { counts: [2], gives: INT, run: (_, a, b) => divide("floor_div", a, b, 1) }],
]);
