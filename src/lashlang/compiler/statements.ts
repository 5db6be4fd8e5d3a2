// Statements that take instructions: branches and loops around effects or other loops, labels. The rest is simple.ts.
import type { LinkedExpr } from "../linker/linked-program.ts";
import type { Frame, Slots } from "../vm/frame.ts";
import { truthy } from "../values/compare.ts";
import { assigns, isCompound } from "./analysis.ts";
import { assignment } from "./assignment.ts";
import type { Context } from "./context.ts";
import { emit } from "./effects.ts";
import { brancher } from "./expressions.ts";
import { type LoopLabels, iterate } from "./iteration.ts";
import { BREAK, FALL, type Simple } from "./exits.ts";
import { isSimple, sequence, simple } from "./simple.ts";
import { jumpUnless, simpleLoop } from "./store.ts";

type Of<K extends LinkedExpr["kind"]> = Extract<LinkedExpr, { kind: K }>;

/** Returns false for kinds that are not statements of this file. */
export function statement(c: Context, expr: LinkedExpr): boolean {
  if (isSimple(expr)) {
    emitSimple(c, simple(c, expr));
    return true;
  }
  switch (expr.kind) {
    case "Block":
      block(c, expr.statements);
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
      forLoop(c, expr);
      return true;
    case "Assign":
      emitSimple(c, assignment(c, expr));
      return true;
    case "Finish":
    case "Fail":
    case "Print":
    case "Cancel":
    case "Yield":
    case "Wake":
      emit(c, expr);
      return true;
    default:
      return false;
  }
}

/** Neighbours that are simple share an instruction. */
function block(c: Context, statements: readonly LinkedExpr[]): void {
  let run: Simple[] = [];
  const flush = (): void => {
    if (run.length > 0) emitSimple(c, sequence(run));
    run = [];
  };
  for (const inner of statements) {
    if (isSimple(inner)) run.push(simple(c, inner));
    else {
      flush();
      c.statement(inner);
    }
  }
  flush();
}

function emitSimple(c: Context, run: Simple): void {
  const loop = c.loops.at(-1);
  const leaves = c.openSteps.slice(loop?.openSteps ?? 0).toReversed();
  c.code.emit((next) => {
    if (loop === undefined) {
      return (s, f) => {
        run(s, f);
        return next;
      };
    }
    const { at: exit } = loop.exit;
    const { at: again } = loop.next;
    return (s, f) => {
      const left = run(s, f);
      if (left === FALL) return next;
      for (const site of leaves) f.observe("node.completed", site);
      return left === BREAK ? exit : again;
    };
  });
}

function branch(c: Context, expr: Of<"If">): void {
  const otherwise = c.code.label();
  jumpUnless(c, c.expr(expr.condition), otherwise, brancher(expr.site));
  c.statement(expr.consequent);
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

/** The test stands first and is jumped back to: conditions may have effects anywhere. */
function whileLoop(c: Context, expr: Of<"While">): void {
  const labels = { exit: c.code.label(), next: c.code.label() };
  c.code.place(labels.next);
  if (!isCompound(expr.condition) && isSimple(expr.body)) {
    const condition = c.expr(expr.condition);
    const body = simple(c, expr.body);
    const chosen = brancher(expr.site);
    simpleLoop(c, labels.exit, (s, f) => {
      const holds = truthy(condition(s, f), f);
      chosen(f, holds);
      return holds && body(s, f) !== BREAK;
    });
  } else {
    jumpUnless(c, c.expr(expr.condition), labels.exit, brancher(expr.site));
    loopBody(c, expr.body, labels);
    c.code.jump(labels.next);
  }
  c.code.place(labels.exit);
}

function forLoop(c: Context, expr: Of<"For">): void {
  const body = isSimple(expr.body) ? simple(c, expr.body) : null;
  const asRound = body === null ? null : { kind: "round" as const, run: (s: Slots, f: Frame) => body(s, f) !== BREAK };
  iterate(c, expr.slot, expr.iterable, assigns(expr.body, expr.slot), asRound ?? { kind: "emitted", emit: (labels) => loopBody(c, expr.body, labels) });
}

function loopBody(c: Context, body: LinkedExpr, labels: LoopLabels): void {
  c.loops.push({ ...labels, openSteps: c.openSteps.length });
  c.statement(body);
  c.loops.pop();
}

/** Runs like the statement inside; an observer hears of its start and of its end, however it is left (`LL-75`, `LL-100`). */
function labeled(c: Context, expr: Of<"Labeled">): void {
  c.code.emit((next) => (_, f) => {
    f.occurrence(expr.site);
    f.observe("node.started", expr.site);
    return next;
  });
  const from = c.code.here;
  c.openSteps.push(expr.site);
  c.statement(expr.statement);
  c.openSteps.pop();
  c.code.steps.push({ from, to: c.code.here, site: expr.site });
  c.code.emit((next) => (_, f) => {
    f.observe("node.completed", expr.site);
    return next;
  });
}
