// `+ - * / %` and unary `-` where the operands are not two plain numbers (`LL-32`).
import { MAX_TEXT_UNITS, boundExhausted, type Meter } from "./bounds.ts";
import { toNumber } from "./coerce.ts";
import { display } from "./display.ts";
import { typeError } from "./errors.ts";
import { materialize } from "./materialize.ts";
import { List, Tuple, type Value, makeList, makeTuple, markShared, weigh } from "./value.ts";

/** Text made of two texts, checked before it exists. */
export function concatText(left: string, right: string, meter: Meter): string {
  admitText(left.length + right.length, meter);
  return left + right;
}

/** Checks a text of `units` UTF-16 units that is about to be made. */
export function admitText(units: number, meter: Meter): void {
  meter.admit(16 + 2 * units, 0);
  if (units > MAX_TEXT_UNITS) throw boundExhausted("heap", 2 * MAX_TEXT_UNITS);
}

export function add(left: Value, right: Value, meter: Meter): Value {
  const a = materialize(left, meter);
  const b = materialize(right, meter);
  if (typeof a === "string" || typeof b === "string") return concatText(display(a, meter), display(b, meter), meter);
  if (a instanceof List && b instanceof List) return makeList(concatItems(a, b, meter), meter);
  if (a instanceof Tuple && b instanceof Tuple) return makeTuple(concatItems(a, b, meter), meter);
  if ((a instanceof List && b instanceof Tuple) || (a instanceof Tuple && b instanceof List)) {
    throw typeError("can't concatenate list and tuple");
  }
  return toNumber(a) + toNumber(b);
}

function concatItems(left: List | Tuple, right: List | Tuple, meter: Meter): Value[] {
  meter.admit(weigh(left) + weigh(right), 0);
  meter.charge((left.items.length + right.items.length) >> 2);
  for (const item of left.items) markShared(item);
  for (const item of right.items) markShared(item);
  return [...left.items, ...right.items];
}

export type NumericOperator = "-" | "*" | "/" | "%";

export function arithmetic(operator: NumericOperator, left: Value, right: Value, meter: Meter): number {
  const a = toNumber(materialize(left, meter));
  const b = toNumber(materialize(right, meter));
  switch (operator) {
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      return a / b;
    default:
      return a % b;
  }
}

/** `-x`, by way of `0 - x` only for what is not a number, so that `-0` behaves as IEEE says. */
export function negate(value: Value, meter: Meter): number {
  return -toNumber(materialize(value, meter));
}
