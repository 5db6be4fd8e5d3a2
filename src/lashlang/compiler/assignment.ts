// Assignments as closures: plain variables, and paths into values (`LL-37` to `LL-40`).
import { BUILTINS, callProjected } from "../builtins/table.ts";
import type { LinkedExpr } from "../linker/linked-program.ts";
import { add } from "../values/arithmetic.ts";
import { type PathStep, appendOwned, assignPath } from "../values/assign.ts";
import { unknownName } from "../values/errors.ts";
import { Projected } from "../values/projected.ts";
import { List, Rec, type Value, markShared, weigh } from "../values/value.ts";
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
    else if (old instanceof List && more instanceof List && !old.shared && old !== more) {
      f.charge(more.items.length >> 2);
      for (const item of more.items) {
        if (borrowed) markShared(item);
        appendTo(old, item, f);
      }
    } else f.assign(slot, add(old, more, f), name);
    return FALL;
  };
}

/** `x = push(x, y)`: in place when only `x` refers to the list. */
function append(slot: number, name: string, item: Eval): Simple {
  const push = BUILTINS.get("push");
  if (push === undefined) throw new Error("no builtin push");
  return (s, f) => {
    const list = s[slot];
    if (list === undefined) throw unknownName(name);
    const value = item(s, f);
    // Reading the item may have made the list shared: it may be, or hold, the list itself.
    if (list instanceof List && !list.shared && !(value instanceof Projected)) appendTo(list, value, f);
    else f.assign(slot, callProjected(push, f, list, value, null, 2), name);
    return FALL;
  };
}

function appendTo(list: List, item: Value, f: Frame): void {
  const before = list.weight;
  appendOwned(list, item, f);
  f.grew(list.weight - before);
}

/** `x.f[i] = v`: indexes, then the value, then the update (`LL-37`). */
function assignInto(c: Context, expr: Assign): Simple {
  const { slot, name, steps } = expr;
  const indexes = steps.filter((step) => step.kind === "Index").map((step) => step.index);
  const evals = c.operands([...indexes, expr.value], true);
  const value = evals.at(-1) as Eval;
  const path = (s: Slots, f: Frame): PathStep[] => {
    let at = 0;
    return steps.map((step) => {
      if (step.kind === "Field") return step;
      at += 1;
      return { index: (evals[at - 1] as Eval)(s, f) };
    });
  };
  const general = (s: Slots, f: Frame, target: readonly PathStep[], result: Value): void => {
    const root = s[slot];
    if (root === undefined) throw unknownName(name);
    f.refuseReadOnly(slot, name);
    const before = weigh(root);
    const updated = assignPath(root, target, result, f);
    s[slot] = updated;
    f.grew(weigh(updated) - before);
  };
  const [step] = steps;
  if (steps.length === 1 && step?.kind === "Index") {
    return assignItem(slot, evals[0] as Eval, value, general);
  }
  return (s, f) => {
    const target = path(s, f);
    const result = value(s, f);
    const root = s[slot];
    if (target.length === 1 && root instanceof Rec && !root.shared && typeof result === "number") {
      const at = root.shape.index.get((target[0] as { field: string }).field);
      if (at !== undefined && typeof root.values[at] === "number") {
        root.values[at] = result;
        return FALL;
      }
    }
    general(s, f, target, result);
    return FALL;
  };
}

type GeneralAssign = (s: Slots, f: Frame, path: readonly PathStep[], value: Value) => void;

/** `x[i] = v`, with the short way for a number over a number in a list or record of its own. */
function assignItem(slot: number, index: Eval, value: Eval, general: GeneralAssign): Simple {
  return (s, f) => {
    const i = index(s, f);
    const result = value(s, f);
    const root = s[slot];
    if (typeof result === "number") {
      if (root instanceof List && !root.shared && typeof i === "number" && typeof root.items[i] === "number") {
        root.items[i] = result;
        return FALL;
      }
      if (root instanceof Rec && !root.shared && typeof i === "string") {
        const at = root.shape.index.get(i);
        if (at !== undefined && typeof root.values[at] === "number") {
          root.values[at] = result;
          return FALL;
        }
      }
    }
    general(s, f, [{ index: i }], result);
    return FALL;
  };
}
