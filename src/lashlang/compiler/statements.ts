// Statements: assignment, branches, loops, blocks.
import type { LinkedExpr } from "../linker/linked-program.ts";
import { add } from "../values/arithmetic.ts";
import { type PathStep, appendOwned, assignPath } from "../values/assign.ts";
import { unknownName } from "../values/errors.ts";
import { Projected } from "../values/projected.ts";
import { List, Rec, type Value, markShared, weigh } from "../values/value.ts";
import { observation } from "../vm/observation.ts";
import type { Eval, Frame, Slots } from "../vm/frame.ts";
import { BUILTINS, callProjected } from "../builtins/table.ts";
import { isBorrowed, isCompound } from "./analysis.ts";
import type { Context } from "./context.ts";
import { brancher, numberOf } from "./expressions.ts";
import { iterate } from "./iteration.ts";
import { jumpUnless } from "./store.ts";

type Of<K extends LinkedExpr["kind"]> = Extract<LinkedExpr, { kind: K }>;

/** Returns false for kinds that are not statements of this file. */
export function statement(c: Context, expr: LinkedExpr): boolean {
  switch (expr.kind) {
    case "Block":
      for (const inner of expr.statements) c.statement(inner);
      return true;
    case "Labeled":
      labeled(c, expr);
      return true;
    case "If":
      branch(c, expr);
      return true;
    case "While":
      whileLoop(c, expr);
      return true;
    case "For":
      iterate(c, expr.slot, expr.iterable, (labels) => {
        c.loops.push(labels);
        c.statement(expr.body);
        c.loops.pop();
      });
      return true;
    case "Break":
    case "Continue": {
      const loop = c.loops.at(-1);
      if (loop === undefined) throw new Error(`linked program has a ${expr.kind} outside a loop`);
      c.code.jump(expr.kind === "Break" ? loop.exit : loop.next);
      return true;
    }
    case "Assign":
      if (expr.steps.length === 0) assignVariable(c, expr);
      else assignInto(c, expr);
      return true;
    default:
      return false;
  }
}

function branch(c: Context, expr: Of<"If">): void {
  const otherwise = c.code.label();
  jumpUnless(c, c.expr(expr.condition), otherwise, brancher(c, expr.site));
  c.statement(expr.then);
  if (expr.otherwise === null) {
    c.code.place(otherwise);
    return;
  }
  const end = c.code.label();
  c.code.jump(end);
  c.code.place(otherwise);
  c.statement(expr.otherwise);
  c.code.place(end);
}

/** The test stands first and is jumped back to: one jump more per round, but conditions may have effects anywhere. */
function whileLoop(c: Context, expr: Of<"While">): void {
  const labels = { exit: c.code.label(), next: c.code.label() };
  c.code.place(labels.next);
  jumpUnless(c, c.expr(expr.condition), labels.exit, brancher(c, expr.site));
  c.loops.push(labels);
  c.statement(expr.body);
  c.loops.pop();
  c.code.jump(labels.next);
  c.code.place(labels.exit);
}

/** Runs like the statement inside; an observer hears of its start and end (`LL-75`, `LL-100`). */
function labeled(c: Context, expr: Of<"Labeled">): void {
  const site = c.entry.sites[expr.site];
  const tell = (f: Frame, type: "node.started" | "node.completed", occurrence: number): void => {
    if (f.observer !== null && site !== undefined) f.observer(observation(type, site, occurrence));
  };
  c.code.emit((next) => (_, f) => {
    tell(f, "node.started", f.occurrence(expr.site));
    return next;
  });
  const from = c.code.here;
  c.statement(expr.statement);
  c.code.steps.push({ from, to: c.code.here, site: expr.site });
  c.code.emit((next) => (_, f) => {
    tell(f, "node.completed", f.counts[expr.site] ?? 0);
    return next;
  });
}

function assignVariable(c: Context, expr: Of<"Assign">): void {
  const { slot, name, value } = expr;
  if (value.kind === "Binary" && value.operator === "+" && isVariable(value.left, slot) && !isCompound(value.right)) {
    if (value.right.kind === "Number") increment(c, slot, name, numberOf(value.right));
    else extend(c, slot, name, c.expr(value.right), isBorrowed(value.right));
    return;
  }
  if (value.kind === "BuiltinCall" && value.name === "push" && value.args.length === 2) {
    const [list, item] = value.args as [LinkedExpr, LinkedExpr];
    if (isVariable(list, slot) && !isCompound(item)) {
      append(c, slot, name, c.owned(item));
      return;
    }
  }
  const read = c.owned(value);
  c.code.emit((next) => (s, f) => {
    const result = read(s, f);
    if (typeof result === "number" && typeof s[slot] === "number") s[slot] = result;
    else f.assign(slot, result, name);
    return next;
  });
}

const isVariable = (expr: LinkedExpr, slot: number): boolean => expr.kind === "Variable" && expr.slot === slot;

/** `x = x + 1` */
function increment(c: Context, slot: number, name: string, by: number): void {
  c.code.emit((next) => (s, f) => {
    const old = s[slot];
    if (typeof old === "number") s[slot] = old + by;
    else if (old === undefined) throw unknownName(name);
    else f.assign(slot, add(old, by, f), name);
    return next;
  });
}

/** `x = x + y`: text and numbers at once; a list that only `x` refers to grows in place. */
function extend(c: Context, slot: number, name: string, right: Eval, borrowed: boolean): void {
  c.code.emit((next) => (s, f) => {
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
    return next;
  });
}

/** `x = push(x, y)`: in place when only `x` refers to the list. */
function append(c: Context, slot: number, name: string, item: Eval): void {
  const push = BUILTINS.get("push");
  if (push === undefined) throw new Error("no builtin push");
  c.code.emit((next) => (s, f) => {
    const list = s[slot];
    if (list === undefined) throw unknownName(name);
    const value = item(s, f);
    // Reading the item may have made the list shared: it may be, or hold, the list itself.
    if (list instanceof List && !list.shared && !(value instanceof Projected)) appendTo(list, value, f);
    else f.assign(slot, callProjected(push, f, list, value, null, 2), name);
    return next;
  });
}

function appendTo(list: List, item: Value, f: Frame): void {
  const before = list.weight;
  appendOwned(list, item, f);
  f.grew(list.weight - before);
}

/** `x.f[i] = v`: indexes, then the value, then the update (`LL-37`). */
function assignInto(c: Context, expr: Of<"Assign">): void {
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
    assignItem(c, slot, evals[0] as Eval, value, general);
    return;
  }
  c.code.emit((next) => (s, f) => {
    const target = path(s, f);
    const result = value(s, f);
    const root = s[slot];
    if (target.length === 1 && root instanceof Rec && !root.shared && typeof result === "number") {
      const at = root.shape.index.get((target[0] as { field: string }).field);
      if (at !== undefined && typeof root.values[at] === "number") {
        root.values[at] = result;
        return next;
      }
    }
    general(s, f, target, result);
    return next;
  });
}

type GeneralAssign = (s: Slots, f: Frame, path: readonly PathStep[], value: Value) => void;

/** `x[i] = v`, with the short way for a number over a number in a list or record of its own. */
function assignItem(c: Context, slot: number, index: Eval, value: Eval, general: GeneralAssign): void {
  c.code.emit((next) => (s, f) => {
    const i = index(s, f);
    const result = value(s, f);
    const root = s[slot];
    if (typeof result === "number") {
      if (root instanceof List && !root.shared && typeof i === "number" && typeof root.items[i] === "number") {
        root.items[i] = result;
        return next;
      }
      if (root instanceof Rec && !root.shared && typeof i === "string") {
        const at = root.shape.index.get(i);
        if (at !== undefined && typeof root.values[at] === "number") {
          root.values[at] = result;
          return next;
        }
      }
    }
    general(s, f, [{ index: i }], result);
    return next;
  });
}
