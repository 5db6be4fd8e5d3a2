// Assignments as closures: plain variables, and paths into values (`LL-37` to `LL-40`).
import type { Builtin } from "../builtins/builtin.ts";
import { BUILTINS, callProjected } from "../builtins/table.ts";
import type { LinkedExpr } from "../linker/linked-program.ts";
import { add, concatText } from "../values/arithmetic.ts";
import { type PathStep, appendAtPath, assignPath } from "../values/assign.ts";
import { unknownName } from "../values/errors.ts";
import { Projected } from "../values/projected.ts";
import { List, Rec, type Value, markShared, recGet, weigh } from "../values/value.ts";
import type { Eval, Frame, Slots } from "../vm/frame.ts";
import { isBorrowed, isCompound } from "./analysis.ts";
import type { Context } from "./context.ts";
import { numberOf } from "./expressions.ts";
import { FALL, type Simple } from "./exits.ts";

type Assign = Extract<LinkedExpr, { kind: "Assign" }>;

/** Emits what must run first; the closure has to be run by the very next instruction. */
export const assignment = (c: Context, expr: Assign): Simple =>
  expr.steps.length === 0 ? assignVariable(c, expr) : assignInto(c, expr);

function assignVariable(c: Context, expr: Assign): Simple {
  const { slot, name, value } = expr;
  if (value.kind === "Binary" && value.operator === "+" && isVariable(value.left, slot) && !isCompound(value.right)) {
    if (value.right.kind === "Number") return increment(slot, name, numberOf(value.right));
    return extend(slot, name, c.expr(value.right), isBorrowed(value.right));
  }
  if (value.kind === "BuiltinCall" && value.name === "push" && value.args.length === 2) {
    const [list, item] = value.args as [LinkedExpr, LinkedExpr];
    if (isVariable(list, slot) && !isCompound(item)) {
      return append(slot, name, c.owned(item));
    }
  }
  const read = c.owned(value);
  return (s, f) => {
    const result = read(s, f);
    if (typeof result === "number" && typeof s[slot] === "number") s[slot] = result;
    else f.assign(slot, result, name);
    return FALL;
  };
}

const isVariable = (expr: LinkedExpr, slot: number): boolean => expr.kind === "Variable" && expr.slot === slot;

/** `x = x + 1` */
function increment(slot: number, name: string, by: number): Simple {
  return (s, f) => {
    const old = s[slot];
    if (typeof old === "number") s[slot] = old + by;
    else if (old === undefined) throw unknownName(name);
    else f.assign(slot, add(old, by, f), name);
    return FALL;
  };
}

/** `x = x + y`: text and numbers at once; a list that only `x` refers to grows in place. */
function extend(slot: number, name: string, right: Eval, borrowed: boolean): Simple {
  return (s, f) => {
    const old = s[slot];
    if (old === undefined) throw unknownName(name);
    const more = right(s, f);
    if (typeof old === "number" && typeof more === "number") s[slot] = old + more;
    else if (typeof old === "string" && typeof more === "string") {
      s[slot] = concatText(old, more, f);
      f.grew(2 * more.length);
    } else if (old instanceof List && more instanceof List && old.isOwned && old !== more) {
      f.charge(more.items.length >> 2);
      for (const item of more.items) {
        if (borrowed) markShared(item);
        f.append(old, item);
      }
    } else f.assign(slot, add(old, more, f), name);
    return FALL;
  };
}

/** `x = push(x, y)`: in place when only `x` refers to the list. */
function append(slot: number, name: string, item: Eval): Simple {
  const push = BUILTINS.get("push") as Builtin;
  return (s, f) => {
    const list = s[slot];
    if (list === undefined) throw unknownName(name);
    const value = item(s, f);
    // Reading the item may have made the list shared: it may be, or hold, the list itself.
    if (list instanceof List && list.isOwned && !(value instanceof Projected)) f.append(list, value);
    else f.assign(slot, callProjected(push, f, list, value, null, 2), name);
    return FALL;
  };
}

/** `x.f[i] = v`: indexes, then the value, then the update (`LL-37`). */
function assignInto(c: Context, expr: Assign): Simple {
  const { slot, name, steps } = expr;
  const grown = appendedPath(expr);
  if (grown !== null) return appendInto(c, expr, grown);
  const [keys, value] = pathOperands(c, steps, expr.value);
  const general = (s: Slots, f: Frame, path: readonly Value[], result: Value): void => {
    const root = s[slot];
    if (root === undefined) throw unknownName(name);
    f.refuseReadOnly(slot, name);
    const before = weigh(root);
    const updated = assignPath(root, pathSteps(steps, path), result, f);
    s[slot] = updated;
    f.grew(weigh(updated) - before);
  };
  const [first, second] = keys;
  if (first !== undefined && keys.length === 1) {
    return (s, f) => {
      const key = first(s, f);
      const result = value(s, f);
      if (typeof result !== "number" || !putNumber(s[slot], key, result)) general(s, f, [key], result);
      return FALL;
    };
  }
  if (first !== undefined && second !== undefined && keys.length === 2) {
    return (s, f) => {
      const outer = first(s, f);
      const key = second(s, f);
      const result = value(s, f);
      const done = typeof result === "number" && putNumber(ownChild(s[slot], outer), key, result);
      if (!done) general(s, f, [outer, key], result);
      return FALL;
    };
  }
  return (s, f) => {
    const path = keys.map((key) => key(s, f));
    general(s, f, path, value(s, f));
    return FALL;
  };
}

type Steps = Assign["steps"];

/** The keys of a path, fields as constants, and the value; what must run first is emitted in source order. */
function pathOperands(c: Context, steps: Steps, value: LinkedExpr): [keys: Eval[], value: Eval] {
  const indexes = steps.flatMap((step) => (step.kind === "Index" ? [step.index] : []));
  const evals = c.operands([...indexes, value], true);
  let at = 0;
  const keys = steps.map((step): Eval => {
    if (step.kind === "Field") {
      const { field } = step;
      return () => field;
    }
    at += 1;
    return evals[at - 1] as Eval;
  });
  return [keys, evals.at(-1) as Eval];
}

const pathSteps = (steps: Steps, keys: readonly Value[]): PathStep[] =>
  steps.map((step, i) => (step.kind === "Field" ? step : { index: keys[i] as Value }));

/** The child of a container that only its variable refers to; undefined leaves the matter to the general way. */
function ownChild(container: Value | undefined, key: Value): Value | undefined {
  if (container instanceof List) return !container.isOwned || typeof key !== "number" ? undefined : container.items[key];
  if (!(container instanceof Rec) || !container.isOwned || typeof key !== "string") return undefined;
  return recGet(container, key);
}

/** Puts a number over a number where nothing else refers to the container: neither weight nor depth changes. */
function putNumber(container: Value | undefined, key: Value, value: number): boolean {
  if (container instanceof List) {
    if (!container.isOwned || typeof key !== "number" || typeof container.items[key] !== "number") return false;
    container.items[key] = value;
    return true;
  }
  if (!(container instanceof Rec) || !container.isOwned || typeof key !== "string") return false;
  const at = container.shape.at(key);
  if (at === undefined || typeof container.values[at] !== "number") return false;
  container.values[at] = value;
  return true;
}

/** For `path = push(path, item)` with one and the same path: the item. */
function appendedPath({ slot, steps, value }: Assign): LinkedExpr | null {
  if (value.kind !== "BuiltinCall" || value.name !== "push" || value.args.length !== 2) return null;
  const [list, item] = value.args as [LinkedExpr, LinkedExpr];
  let at = list;
  for (const step of steps.toReversed()) {
    if (step.kind === "Field") {
      if (at.kind !== "Field" || at.field !== step.field) return null;
    } else if (at.kind !== "Index" || !isSameKey(at.index, step.index)) return null;
    at = at.object;
  }
  return isVariable(at, slot) && !isCompound(item) ? item : null;
}

/** True if both read the same whenever they are read one after the other. */
function isSameKey(a: LinkedExpr, b: LinkedExpr): boolean {
  if (a.kind === "Variable" && b.kind === "Variable") return a.slot === b.slot;
  if (a.kind === "Number" && b.kind === "Number") return a.value === b.value;
  return a.kind === "String" && b.kind === "String" && a.value === b.value;
}

/** In place when nothing on the path is shared, so that filling a list inside a record takes linear time. */
function appendInto(c: Context, expr: Assign, item: LinkedExpr): Simple {
  const { slot, steps } = expr;
  const [keys, read] = pathOperands(c, steps, item);
  const whole = c.owned(expr.value);
  return (s, f) => {
    const path = pathSteps(steps, keys.map((key) => key(s, f)));
    const root = s[slot];
    if (root === undefined) throw unknownName(expr.name);
    // Reading the item twice is harmless, and only the second reading may fail to find the list.
    const value = read(s, f);
    const before = weigh(root);
    if (!(value instanceof Projected) && appendAtPath(root, path, value, f)) f.grew(weigh(root) - before);
    else {
      f.refuseReadOnly(slot, expr.name);
      s[slot] = assignPath(root, path, whole(s, f), f);
      f.grew(weigh(s[slot]) - before);
    }
    return FALL;
  };
}
