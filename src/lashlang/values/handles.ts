// Handles inside values: what `await` waits for (`LL-52`).
import type { Meter } from "./bounds.ts";
import { materialize } from "./materialize.ts";
import { List, Rec, Tuple, type Value, makeList, makeRec, makeTuple, recGet } from "./value.ts";

export function isHandle(value: Value): value is Rec {
  return value instanceof Rec && (recGet(value, "__handle__") !== undefined || recGet(value, "handle") !== undefined);
}

/** A record that names a process run. */
export function isProcessHandle(value: Value): boolean {
  return value instanceof Rec && recGet(value, "__handle__") === "process";
}

/**
 * A result that is in already, as an operation gives it. Awaiting it changes nothing: programs collect wrappers in a list
 * and await the list, and taking the wrappers apart would lose what they hold.
 */
export function isSettled(value: Value): value is Rec {
  if (!(value instanceof Rec) || value.values.length !== 2 || isHandle(value)) return false;
  const ok = recGet(value, "ok");
  return typeof ok === "boolean" && recGet(value, ok ? "value" : "error") !== undefined;
}

/** The leaves of a tree of handles in order: handles, settled results, and whatever else is no list, tuple or record. */
export function leavesOf(value: Value, meter: Meter): Value[] {
  const leaves: Value[] = [];
  const walk = (part: Value): void => {
    const node = materialize(part, meter);
    meter.charge(1);
    if (isHandle(node) || isSettled(node)) leaves.push(node);
    else if (node instanceof List || node instanceof Tuple) node.items.forEach(walk);
    else if (node instanceof Rec) node.values.forEach(walk);
    else leaves.push(node);
  };
  walk(value);
  return leaves;
}

/** The tree with its leaves replaced by `results`, in the same order. */
export function withLeaves(value: Value, results: readonly Value[], meter: Meter): Value {
  let at = 0;
  const rebuild = (part: Value): Value => {
    const node = materialize(part, meter);
    if (!isHandle(node) && !isSettled(node)) {
      if (node instanceof List) return makeList(node.items.map(rebuild), meter);
      if (node instanceof Tuple) return makeTuple(node.items.map(rebuild), meter);
      if (node instanceof Rec) return makeRec(node.shape.fork(), node.values.map(rebuild), meter);
    }
    at += 1;
    return results[at - 1] ?? null;
  };
  return rebuild(value);
}
