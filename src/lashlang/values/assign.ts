// Writing into values along a path (`LL-37` to `LL-39`), copying what is shared (`LL-22`).
//   A1. A missing or unfit step is found before anything changes; copies made on the way change no value.
//   A2. Weight and depth of every container on the path are right again when the root is returned.
import type { Meter } from "./bounds.ts";
import { toText } from "./coerce.ts";
import { typeError, valueError } from "./errors.ts";
import { materialize } from "./materialize.ts";
import { Image, List, Rec, Tuple, type Value, depthOf, markShared, recGet, typeName, weigh } from "./value.ts";

/** `{ field }` for `.field`, `{ index }` for `[index]`. */
export type PathStep = { readonly field: string } | { readonly index: Value };

/** Puts `value` at the end of `steps` (at least one) and returns the root to store: the same one if it was not shared. */
export function assignPath(root: Value, steps: readonly PathStep[], value: Value, meter: Meter): Value {
  const updated = assignFrom(root, steps, 0, value, meter);
  meter.admit(weigh(updated), depthOf(updated));
  return updated;
}

function assignFrom(target: Value, steps: readonly PathStep[], at: number, value: Value, meter: Meter): Value {
  const step = steps[at] as PathStep;
  const container = materialize(target, meter);
  if (at === steps.length - 1) return putLast(container, step, value, meter);
  if (container instanceof Rec) {
    const key = recordKey(step, meter);
    const child = recGet(container, key);
    if (child === undefined) {
      throw valueError(`can't assign through missing ${"field" in step ? `field \`.${key}\`` : `key \`${key}\``}`);
    }
    const own = ownRecord(container, meter);
    return descend(own, own.values, own.shape.at(key) as number, child, steps, at, value, meter);
  }
  if (container instanceof List && "index" in step) {
    const position = listPosition(step.index, container.items.length, meter);
    const own = ownList(container, meter);
    return descend(own, own.items, position, own.items[position] as Value, steps, at, value, meter);
  }
  throw typeError(`can't assign through ${"field" in step ? `\`.${step.field}\`` : "index"} on ${typeName(container)}`);
}

function descend(
  own: List | Rec,
  items: Value[],
  position: number,
  child: Value,
  steps: readonly PathStep[],
  at: number,
  value: Value,
  meter: Meter,
): Value {
  const weight = weigh(child);
  const depth = depthOf(child);
  replace(own, items, position, assignFrom(child, steps, at + 1, value, meter), weight, depth, meter);
  return own;
}

function putLast(container: Value, step: PathStep, value: Value, meter: Meter): Value {
  if (container instanceof Rec) return putKey(container, recordKey(step, meter), value, meter);
  if ("index" in step) {
    if (container instanceof List) return putIndex(container, step.index, value, meter);
    if (container instanceof Tuple) throw typeError("can't assign tuple indexes; tuples are immutable");
    throw typeError(`can't assign index on ${typeName(container)}`);
  }
  if (container instanceof Image) throw typeError("can't assign image fields; images are immutable");
  throw typeError(`can't assign \`.${step.field}\` on ${typeName(container)}`);
}

/** `record[key] = value`; without the check of the new weight, which is the caller's. */
function putKey(record: Rec, key: string, value: Value, meter: Meter): Rec {
  const own = ownRecord(record, meter);
  const at = own.shape.at(key);
  if (at !== undefined) {
    const old = own.values[at] as Value;
    replace(own, own.values, at, value, weigh(old), depthOf(old), meter);
    return own;
  }
  const keys = own.shape.keyWeight;
  own.shape = own.shape.with(key);
  own.values.push(value);
  own.weight += own.shape.keyWeight - keys + weigh(value);
  if (depthOf(value) >= own.depth) own.depth = depthOf(value) + 1;
  return own;
}

function putIndex(list: List, index: Value, value: Value, meter: Meter): List {
  const at = listPosition(index, list.items.length, meter);
  const own = ownList(list, meter);
  const old = own.items[at] as Value;
  replace(own, own.items, at, value, weigh(old), depthOf(old), meter);
  return own;
}

function recordKey(step: PathStep, meter: Meter): string {
  return "field" in step ? step.field : toText(materialize(step.index, meter));
}

function listPosition(index: Value, length: number, meter: Meter): number {
  const at = materialize(index, meter);
  if (typeof at !== "number" || !Number.isInteger(at)) throw typeError("list assignment index must be an integer");
  const position = at < 0 ? at + length : at;
  if (position < 0 || position >= length) throw valueError("list assignment index out of bounds");
  return position;
}

/** The list itself when nobody else refers to it, else a copy; the items then have two owners. */
function ownList(list: List, meter: Meter): List {
  if (list.isOwned) return list;
  meter.charge(list.items.length >> 2);
  for (const item of list.items) markShared(item);
  return new List(list.items.slice(), list.weight, list.depth);
}

function ownRecord(record: Rec, meter: Meter): Rec {
  if (record.isOwned) return record;
  meter.charge(record.values.length >> 2);
  for (const item of record.values) markShared(item);
  return new Rec(record.shape.fork(), record.values.slice(), record.weight, record.depth);
}

/** Adds `item` at the end of a list nobody else refers to. */
export function appendOwned(list: List, item: Value, meter: Meter): void {
  list.items.push(item);
  list.weight += weigh(item);
  if (depthOf(item) >= list.depth) list.depth = depthOf(item) + 1;
  meter.admit(list.weight, list.depth);
}

/**
 * `path = push(path, item)` in place: appends to the list at the end of `steps` and returns true, or does nothing and
 * returns false when a container on the way is missing, shared or of another kind.
 */
export function appendAtPath(root: Value, steps: readonly PathStep[], item: Value, meter: Meter): boolean {
  const containers: (List | Rec)[] = [];
  let at: Value | undefined = root;
  for (const step of steps) {
    if (!(at instanceof List || at instanceof Rec) || !at.isOwned) return false;
    containers.push(at);
    at = childOf(at, step);
  }
  if (!(at instanceof List) || !at.isOwned) return false;
  const added = weigh(item);
  appendOwned(at, item, meter);
  let depth = at.depth;
  for (let i = containers.length - 1; i >= 0; i -= 1) {
    const container = containers[i] as List | Rec;
    container.weight += added;
    depth += 1;
    if (depth > container.depth) container.depth = depth;
    depth = container.depth;
  }
  meter.admit(weigh(root), depth);
  return true;
}

function childOf(container: List | Rec, step: PathStep): Value | undefined {
  if (container instanceof Rec) {
    const key = "field" in step ? step.field : step.index;
    return typeof key === "string" ? recGet(container, key) : undefined;
  }
  if ("field" in step || typeof step.index !== "number") return undefined;
  return container.items[step.index < 0 ? step.index + container.items.length : step.index];
}

function replace(
  container: List | Rec,
  items: Value[],
  at: number,
  value: Value,
  oldWeight: number,
  oldDepth: number,
  meter: Meter,
): void {
  items[at] = value;
  container.weight += weigh(value) - oldWeight;
  const depth = depthOf(value);
  if (depth >= container.depth) container.depth = depth + 1;
  else if (depth < oldDepth && oldDepth + 1 === container.depth) {
    // The deepest item may be gone; depth must stay exact (W1), so look again.
    meter.charge(items.length >> 2);
    let deepest = 0;
    for (const item of items) deepest = Math.max(deepest, depthOf(item));
    container.depth = deepest + 1;
  }
}
