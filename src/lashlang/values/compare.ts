// Truth, equality and order (`LL-23`, `LL-24`, `LL-33`). Recursion is bounded by the depth bound of values.
import type { Meter } from "./bounds.ts";
import { toNumber } from "./coerce.ts";
import { materialize } from "./materialize.ts";
import { Projected } from "./projected.ts";
import { compareText } from "./unicode.ts";
import { Image, List, Rec, Resource, Tuple, type Value, recGet } from "./value.ts";

/** False for null, false, 0, NaN, empty text and the empty tuple; true for all else, empty lists and records too. */
export function truthy(value: Value, meter: Meter): boolean {
  switch (typeof value) {
    case "boolean":
      return value;
    case "number":
      return value !== 0 && !Number.isNaN(value);
    case "string":
      return value !== "";
    default:
  }
  if (value === null) return false;
  if (value instanceof Tuple) return value.items.length > 0;
  if (value instanceof Projected) {
    const answer = value.source.ask?.({ kind: "Truthy" });
    return typeof answer === "boolean" ? answer : truthy(materialize(value, meter), meter);
  }
  return true;
}

/** Structural, never coercing; records ignore key order, projected values count as what they stand for. */
export function equals(left: Value, right: Value, meter: Meter): boolean {
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) {
    if (typeof left === "string" && typeof right === "string") {
      if (left.length !== right.length) return false;
      meter.charge(left.length >> 6);
      return left === right;
    }
    if (left instanceof Projected || right instanceof Projected) {
      return equals(materialize(left, meter), materialize(right, meter), meter);
    }
    return left === right;
  }
  if (left instanceof Projected || right instanceof Projected) {
    return equals(materialize(left, meter), materialize(right, meter), meter);
  }
  if (left instanceof List) return right instanceof List && sameItems(left.items, right.items, meter);
  if (left instanceof Tuple) return right instanceof Tuple && sameItems(left.items, right.items, meter);
  if (left instanceof Rec) return right instanceof Rec && sameFields(left, right, meter);
  if (left instanceof Image) return right instanceof Image && JSON.stringify(left.fields) === JSON.stringify(right.fields);
  return right instanceof Resource && left.alias === right.alias && left.resourceType === right.resourceType;
}

function sameItems(left: readonly Value[], right: readonly Value[], meter: Meter): boolean {
  if (left.length !== right.length) return false;
  for (let i = 0; i < left.length; i += 1) {
    meter.charge(1);
    if (!equals(left[i] as Value, right[i] as Value, meter)) return false;
  }
  return true;
}

function sameFields(left: Rec, right: Rec, meter: Meter): boolean {
  if (left.values.length !== right.values.length) return false;
  const names = left.shape.names;
  for (let i = 0; i < names.length; i += 1) {
    meter.charge(1);
    const other = recGet(right, names[i] as string);
    if (other === undefined || !equals(left.values[i] as Value, other, meter)) return false;
  }
  return true;
}

/** Two texts by code point, all else by numeric coercion; NaN when a number is NaN, so that every comparison fails. */
export function order(left: Value, right: Value, meter: Meter): number {
  const a = left instanceof Projected ? materialize(left, meter) : left;
  const b = right instanceof Projected ? materialize(right, meter) : right;
  if (typeof a === "string" && typeof b === "string") {
    meter.charge(Math.min(a.length, b.length) >> 6);
    return compareText(a, b);
  }
  const x = toNumber(a);
  const y = toNumber(b);
  if (x === y) return 0;
  return x < y ? -1 : x > y ? 1 : Number.NaN;
}
