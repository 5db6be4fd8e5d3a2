// Loops over lists, tuples and ranges (`LL-41`, `LL-42`): `for` statements and comprehension clauses alike.
// Layout: prepare, enter (saves the binding), next (binds or leaves), body, jump to next, exit (restores the binding).
import { rangeBounds } from "../builtins/collection-builtins.ts";
import { wrongCount } from "../builtins/table.ts";
import type { LinkedExpr } from "../linker/linked-program.ts";
import { readIndex } from "../values/access.ts";
import { ProgramError } from "../values/errors.ts";
import type { Meter } from "../values/bounds.ts";
import { materialize } from "../values/materialize.ts";
import { Projected } from "../values/projected.ts";
import { List, Tuple, type Value, markShared } from "../values/value.ts";
import type { Frame, Slots } from "../vm/frame.ts";
import type { Label } from "./assembler.ts";
import type { Context } from "./context.ts";
import { type Round, simpleLoop, storeTemp } from "./store.ts";

export interface LoopLabels {
  readonly exit: Label;
  readonly next: Label;
}

/** What a loop repeats: a closure when it takes no instructions (false leaves the loop), else what emits them. */
export type LoopBody =
  | { readonly kind: "round"; readonly run: Round }
  | { readonly kind: "emitted"; readonly emit: (labels: LoopLabels) => void };

/**
 * Emits a loop. `assigns` says that the body may assign the loop variable: only then can it change an item in place, and
 * the item has to be marked as shared. Whoever stores the item elsewhere marks it anyway, and a list that is changed while
 * it is walked is copied first, which marks what is in it (W2).
 */
export function iterate(c: Context, slot: number, iterable: LinkedExpr, assigns: boolean, body: LoopBody): void {
  const labels = { exit: c.code.label(), next: c.code.label() };
  const overRange = iterable.kind === "BuiltinCall" && iterable.name === "range";
  const loop = overRange ? prepareRange(c, iterable.args) : prepareItems(c, iterable, assigns);
  const name = c.entry.variables[slot] ?? "";
  const saved = c.code.temp();
  const after = c.code.label();
  c.code.emit((next) => {
    const out = after.at;
    return (s, f) => {
      if (!loop.isEmpty(s)) {
        f.refuseReadOnly(slot, name);
        return next;
      }
      // A loop over nothing binds nothing, so a read-only binding is no obstacle to it (LL-40).
      loop.release(s, f);
      return out;
    };
  });
  c.code.emit((next) => (s) => {
    // Moved, not copied: what the slots weigh together stays the same.
    s[saved] = s[slot];
    s[slot] = undefined;
    return next;
  });
  const from = c.code.here;
  c.code.place(labels.next);
  const bind = loop.bindTo(slot);
  if (body.kind === "round") {
    const { run } = body;
    simpleLoop(c, labels.exit, (s, f) => bind(s, f) && run(s, f));
  } else {
    c.code.emit((next) => {
      const out = labels.exit.at;
      return (s, f) => (bind(s, f) ? next : out);
    });
    body.emit(labels);
    c.code.jump(labels.next);
  }
  c.code.place(labels.exit);
  const to = c.code.here;
  c.code.emit((next) => (s, f) => {
    loop.release(s, f);
    const before = s[saved];
    f.store(saved, undefined);
    f.store(slot, before);
    return next;
  });
  c.code.place(after);
  c.code.loops.push({ from, to: to + 1, slot, saved });
}

interface Loop {
  isEmpty(s: readonly (Value | undefined)[]): boolean;
  /** Binds the next item to `slot`; false when there is none. */
  bindTo(slot: number): Round;
  /** Empties the temporaries. */
  release(s: Slots, f: Frame): void;
}

/** Never builds the list: a counter and a number of items left. */
function prepareRange(c: Context, exprs: readonly LinkedExpr[]): Loop {
  const [value, step, left] = [c.code.temp(), c.code.temp(), c.code.temp()];
  const args = c.operands(exprs);
  c.code.emit((next) => (s, f) => {
    const values = args.map((arg) => materialize(arg(s, f), f));
    if (values.length < 1 || values.length > 3) throw wrongCount("range", [1, 2, 3], values.length);
    const bounds = rangeBounds(values[0] ?? null, values[1] ?? null, values[2] ?? null, values.length);
    s[value] = bounds.start;
    s[step] = bounds.step;
    s[left] = bounds.count;
    return next;
  });
  return {
    isEmpty: (s) => s[left] === 0,
    bindTo: (slot) => (s, f) => {
      const items = s[left] as number;
      if (items === 0) return false;
      s[left] = items - 1;
      const item = s[value] as number;
      s[value] = item + (s[step] as number);
      const old = s[slot];
      if (typeof old === "number" || old === undefined) s[slot] = item;
      else f.store(slot, item);
      return true;
    },
    release: (_, f) => [value, step, left].forEach((temp) => f.store(temp, undefined)),
  };
}

function prepareItems(c: Context, iterable: LinkedExpr, assigns: boolean): Loop {
  const [items, position] = [c.code.temp(), c.code.temp()];
  const source = c.expr(iterable);
  storeTemp(c, items, (s, f) => {
    const list = iterableOf(source(s, f), f);
    if (list instanceof List) list.walkers += 1;
    return list;
  });
  c.code.emit((next) => (s) => {
    s[position] = 0;
    return next;
  });
  return {
    isEmpty: (s) => lengthOf(s[items] as Value) === 0,
    bindTo: (slot) => (s, f) => {
      const at = s[position] as number;
      const item = itemOf(s[items] as Value, at, f);
      if (item === undefined) return false;
      s[position] = at + 1;
      if (typeof item === "number" && typeof s[slot] === "number") s[slot] = item;
      else {
        if (assigns && typeof item === "object") markShared(item);
        f.store(slot, item);
      }
      return true;
    },
    release(s, f) {
      const list = s[items];
      // One that came out of a snapshot is a copy that nobody counted.
      if (list instanceof List && list.walkers > 0) list.walkers -= 1;
      f.store(items, undefined);
      f.store(position, undefined);
    },
  };
}

/** What a loop walks: a list or tuple, or a projected one, whose items are asked for one at a time. */
function iterableOf(value: Value, meter: Meter): Value {
  if (value instanceof List || value instanceof Tuple) return value;
  if (value instanceof Projected) {
    const isList = value.source.typeName === "list" || value.source.typeName === "tuple";
    if (isList && typeof lengthOf(value) === "number") return value;
    return iterableOf(materialize(value, meter), meter);
  }
  throw new ProgramError("NonListIteration", "`for` expects a list or tuple");
}

function lengthOf(value: Value): number | undefined {
  if (value instanceof List || value instanceof Tuple) return value.items.length;
  const length = value instanceof Projected ? value.source.ask?.({ kind: "Len" }) : undefined;
  return typeof length === "number" ? length : undefined;
}

function itemOf(list: Value, at: number, meter: Meter): Value | undefined {
  if (list instanceof List || list instanceof Tuple) return list.items[at];
  if (at >= (lengthOf(list) ?? 0)) return undefined;
  return materialize(readIndex(list, at, meter), meter);
}

