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
  const isLast = at === steps.length - 1;
  const container = materialize(target, meter);
  let own: List | Rec;
  let items: Value[];
  let position: number | undefined;
  if (container instanceof Rec) {
    const key = "field" in step ? step.field : toText(materialize(step.index, meter));
    position = container.shape.at(key);
    if (position === undefined) {
      if (isLast) return addKey(ownRecord(container, meter), key, value);
      throw valueError(`can't assign through missing ${"field" in step ? `field \`.${key}\`` : `key \`${key}\``}`);
    }
    own = ownRecord(container, meter);
    items = own.values;
  } else if (container instanceof List && "index" in step) {
    position = listPosition(step.index, container.items.length, meter);
    own = ownList(container, meter);
    items = own.items;
  } else throw unfit(container, step, isLast);
  const old = items[position] as Value;
  const oldWeight = weigh(old);
  const oldDepth = depthOf(old);
  replace(own, items, position, isLast ? value : assignFrom(old, steps, at + 1, value, meter), oldWeight, oldDepth, meter);
  return own;
}

function unfit(container: Value, step: PathStep, isLast: boolean): Error {
  if (isLast && container instanceof Tuple && "index" in step) return typeError("can't assign tuple indexes; tuples are immutable");
  if (isLast && container instanceof Image && "field" in step) return typeError("can't assign image fields; images are immutable");
  return typeError(`can't assign ${isLast ? "" : "through "}${"field" in step ? `\`.${step.field}\`` : "index"} on ${typeName(container)}`);
}

/** Without the check of the new weight, which is the caller's. */
function addKey(own: Rec, key: string, value: Value): Rec {
  const keys = own.shape.keyWeight;
  own.shape = own.shape.with(key);
  own.values.push(value);
  own.weight += own.shape.keyWeight - keys + weigh(value);
  if (depthOf(value) >= own.depth) own.depth = depthOf(value) + 1;
  return own;
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
