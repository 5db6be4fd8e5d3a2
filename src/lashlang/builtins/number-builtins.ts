// Builtins that give numbers.
import { toNumber } from "../values/coerce.ts";
import { typeError, valueError } from "../values/errors.ts";
import { type Value, typeName } from "../values/value.ts";
import type { Builtin } from "./builtin.ts";

function integerArgument(builtin: string, role: string, value: Value): number {
  const message = `\`${builtin}\` ${role} must be a finite integer`;
  if (typeof value !== "number") throw typeError(`${message}, got ${typeName(value)}`);
  if (!Number.isInteger(value)) throw typeError(message);
  return value;
}

/** Exact where a rounded quotient would not be: the remainder decides. */
function divide(builtin: "ceil_div" | "floor_div", a: Value, b: Value): number {
  const dividend = integerArgument(builtin, "dividend", a);
  const divisor = integerArgument(builtin, "divisor", b);
  if (divisor === 0) throw valueError(`\`${builtin}\` divisor must not be 0`);
  const remainder = dividend % divisor;
  const quotient = Math.round((dividend - remainder) / divisor);
  if (remainder === 0) return quotient + 0;
  const positive = remainder > 0 === divisor > 0;
  if (builtin === "ceil_div") return positive ? quotient + 1 : quotient + 0;
  return positive ? quotient + 0 : quotient - 1;
}

export const NUMBER_BUILTINS: ReadonlyMap<string, Builtin> = new Map<string, Builtin>([
  ["to_int", { counts: [1], run: (_, x) => Math.trunc(toNumber(x)) + 0, ask: () => ({ kind: "ToNumber" }) }],
  ["to_float", { counts: [1], run: (_, x) => toNumber(x), ask: () => ({ kind: "ToNumber" }) }],
  ["ceil_div", { counts: [2], run: (_, a, b) => divide("ceil_div", a, b) }],
  ["floor_div", { counts: [2], run: (_, a, b) => divide("floor_div", a, b) }],
]);
