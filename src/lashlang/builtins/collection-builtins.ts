// Builtins on containers, and those that work on text and containers alike.
import type { TypeExpr } from "../syntax/type-expr.ts";
import { ANY, BOOL, INT, listOf, NEVER, partsOf, STR, unionOf } from "../types/type-algebra.ts";
import type { Meter } from "../values/bounds.ts";
import { toInteger, toText } from "../values/coerce.ts";
import { equals } from "../values/compare.ts";
import { typeError } from "../values/errors.ts";
import { charLength, scanCost, sliceChars } from "../values/unicode.ts";
import { List, Rec, Tuple, type Value, makeList, makeTuple, markShared, recGet, weigh } from "../values/value.ts";
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

function slice(meter: Meter, value: Value, from: Value, to: Value): Value {
  const isText = typeof value === "string";
  if (!isText && !(value instanceof List || value instanceof Tuple)) throw typeError("`slice` requires a string, tuple, or list");
  if (isText) meter.charge(scanCost(value));
  const length = isText ? charLength(value) : value.items.length;
  const start = sliceBound(from, 0, length);
  const end = Math.max(start, sliceBound(to, length, length));
  if (isText) return sliceChars(value, start, end);
  const items = copied(value.items.slice(start, end), meter);
  return value instanceof List ? makeList(items, meter) : makeTuple(items, meter);
}

function sliceBound(bound: Value, otherwise: number, length: number): number {
  if (bound === null) return otherwise;
  if (typeof bound !== "number" || !Number.isInteger(bound)) throw typeError("`slice` bounds must be integers or null");
  return bound < 0 ? Math.max(0, bound + length) : Math.min(bound, length);
}

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

const rangeInteger = (value: Value): number => toInteger(value, "`range` bounds must be finite integers");

function range(meter: Meter, a: Value, b: Value, c: Value, args: number): Value {
  const { start, step, count } = rangeBounds(a, b, c, args);
  meter.charge(count);
  meter.admit(8 * count, 1);
  const items: Value[] = [];
  for (let i = 0; i < count; i += 1) items.push(start + i * step);
  return makeList(items, meter);
}

/** An empty list has no item type yet; what is no list may hold anything. */
const itemType = (list: TypeExpr = listOf(NEVER)): TypeExpr => (list.kind === "List" ? list.item : ANY);

export const COLLECTION_BUILTINS: ReadonlyMap<string, Builtin> = new Map<string, Builtin>([
  ["len", { counts: [1], gives: INT, run: len, ask: () => ({ kind: "Len" }) }],
  ["empty", { counts: [1], gives: BOOL, run: empty, ask: () => ({ kind: "Empty" }) }],
  ["keys", { counts: [1], gives: listOf(STR), run: keys, ask: () => ({ kind: "Keys" }) }],
  [
    "values",
    {
      counts: [1],
      gives: (record) => listOf(record?.kind === "Object" ? unionOf(partsOf(record)) : ANY),
      run: values,
      ask: () => ({ kind: "Values" }),
    },
  ],
  ["contains", { counts: [2], gives: BOOL, run: contains, ask: (argument) => ({ kind: "Contains", argument }) }],
  [
    "slice",
    {
      counts: [3],
      gives: (from) => (from?.kind === "Enum" ? STR : from?.kind === "Str" || from?.kind === "List" ? from : ANY),
      run: slice,
      ask: (from, to) => ({ kind: "Slice", from, to }),
    },
  ],
  [
    "push",
    {
      counts: [2],
      gives: (list, item = NEVER) => listOf(unionOf([itemType(list), item])),
      run: push,
      ask: (argument) => ({ kind: "Push", argument }),
    },
  ],
  ["range", { counts: [1, 2, 3], gives: listOf(INT), run: range }],
]);
