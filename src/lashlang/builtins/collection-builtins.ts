// Builtins on containers, and those that work on text and containers alike.
import type { Meter } from "../values/bounds.ts";
import { toText } from "../values/coerce.ts";
import { equals } from "../values/compare.ts";
import { typeError } from "../values/errors.ts";
import { charLength, scanCost, sliceChars } from "../values/unicode.ts";
import { List, Rec, Tuple, type Value, makeList, makeTuple, markShared, recGet, typeName, weigh } from "../values/value.ts";
import type { Builtin } from "./builtin.ts";

/** Characters, items or keys; null counts as nothing, undefined says that `value` has no length. */
function lengthOf(value: Value, meter: Meter): number | undefined {
  if (value instanceof List || value instanceof Tuple) return value.items.length;
  if (typeof value === "string") {
    meter.charge(scanCost(value));
    return charLength(value);
  }
  if (value instanceof Rec) return value.values.length;
  return value === null ? 0 : undefined;
}

function len(meter: Meter, value: Value): Value {
  const length = lengthOf(value, meter);
  if (length === undefined) {
    throw typeError("`len` requires a string, tuple, list, record, or null; use `.size` for images");
  }
  return length;
}

function empty(meter: Meter, value: Value): Value {
  const length = typeof value === "string" ? value.length : lengthOf(value, meter);
  if (length === undefined) throw typeError("`empty` requires a string, tuple, list, record, or null");
  return length === 0;
}

function keys(meter: Meter, value: Value): Value {
  if (value === null) return makeList([], meter);
  if (!(value instanceof Rec)) throw typeError("`keys` requires a record or null");
  meter.charge(value.values.length);
  return makeList([...value.shape.names], meter);
}

function values(meter: Meter, value: Value): Value {
  if (value === null) return makeList([], meter);
  if (!(value instanceof Rec)) throw typeError("`values` requires a record or null");
  return makeList(copied(value.values, meter), meter);
}

/** A copy of items that stay where they are, too. */
function copied(items: readonly Value[], meter: Meter): Value[] {
  meter.charge(items.length >> 1);
  for (const item of items) markShared(item);
  return items.slice();
}

function contains(meter: Meter, haystack: Value, needle: Value): Value {
  if (typeof haystack === "string") {
    meter.charge(haystack.length >> 6);
    return haystack.includes(toText(needle));
  }
  if (haystack instanceof List || haystack instanceof Tuple) {
    meter.charge(haystack.items.length >> 2);
    return haystack.items.some((item) => equals(item, needle, meter));
  }
  if (haystack instanceof Rec) return recGet(haystack, toText(needle)) !== undefined;
  if (haystack === null) return false;
  throw typeError("`contains` requires a string, tuple, list, record, or null as the first argument");
}

function slice(meter: Meter, value: Value, a: Value, b: Value): Value {
  const from = sliceBound(a);
  const to = sliceBound(b);
  if (typeof value === "string") {
    meter.charge(scanCost(value));
    const length = charLength(value);
    return sliceChars(value, clamp(from ?? 0, length), Math.max(clamp(from ?? 0, length), clamp(to ?? length, length)));
  }
  if (!(value instanceof List || value instanceof Tuple)) {
    throw typeError("`slice` requires a string, tuple, or list");
  }
  const length = value.items.length;
  const items = copied(value.items.slice(clamp(from ?? 0, length), clamp(to ?? length, length)), meter);
  return value instanceof List ? makeList(items, meter) : makeTuple(items, meter);
}

function sliceBound(bound: Value): number | null {
  if (bound === null) return null;
  if (typeof bound !== "number" || !Number.isInteger(bound)) throw typeError("`slice` bounds must be integers or null");
  return bound;
}

const clamp = (bound: number, length: number): number =>
  bound < 0 ? Math.max(0, bound + length) : Math.min(bound, length);

function push(meter: Meter, list: Value, item: Value): Value {
  if (!(list instanceof List)) throw typeError("`push` requires a list as the first argument");
  meter.admit(list.weight + weigh(item), 0);
  meter.charge(list.items.length >> 1);
  for (const kept of list.items) markShared(kept);
  // `concat` makes room for the item at once, `slice` and `push` would copy twice.
  return makeList(list.items.concat(item), meter);
}

const MAX_RANGE_ITEMS = 1_000_000;

/** The checked bounds of `range(...)`; `count` items from `start` in steps of `step`. */
export function rangeBounds(a: Value, b: Value, c: Value, args: number): { start: number; step: number; count: number } {
  const start = args === 1 ? 0 : rangeInteger(a);
  const end = rangeInteger(args === 1 ? a : b);
  const step = args < 3 ? 1 : rangeInteger(c);
  if (step === 0) throw typeError("`range` step must not be 0");
  const count = Math.max(0, Math.ceil((end - start) / step));
  if (count > MAX_RANGE_ITEMS) throw typeError(`\`range\` would create more than ${MAX_RANGE_ITEMS} items`);
  return { start: start + 0, step, count };
}

function rangeInteger(value: Value): number {
  if (typeof value !== "number") {
    throw typeError(`\`range\` bounds must be finite integers, got ${typeName(value)}`);
  }
  if (!Number.isInteger(value)) throw typeError("`range` bounds must be finite integers");
  return value;
}

function range(meter: Meter, a: Value, b: Value, c: Value, args: number): Value {
  const { start, step, count } = rangeBounds(a, b, c, args);
  meter.charge(count);
  meter.admit(8 * count, 1);
  const items: Value[] = [];
  for (let i = 0; i < count; i += 1) items.push(start + i * step);
  return makeList(items, meter);
}

export const COLLECTION_BUILTINS: ReadonlyMap<string, Builtin> = new Map<string, Builtin>([
  ["len", { counts: [1], run: len, ask: () => ({ kind: "Len" }) }],
  ["empty", { counts: [1], run: empty, ask: () => ({ kind: "Empty" }) }],
  ["keys", { counts: [1], run: keys, ask: () => ({ kind: "Keys" }) }],
  ["values", { counts: [1], run: values, ask: () => ({ kind: "Values" }) }],
  ["contains", { counts: [2], run: contains, ask: (argument) => ({ kind: "Contains", argument }) }],
  ["slice", { counts: [3], run: slice, ask: (from, to) => ({ kind: "Slice", from, to }) }],
  ["push", { counts: [2], run: push, ask: (argument) => ({ kind: "Push", argument }) }],
  ["range", { counts: [1, 2, 3], run: range }],
]);
