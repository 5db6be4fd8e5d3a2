// `await`: aggregates of operations become one batch (`LL-50`, `LL-51`), everything else waits for handles (`LL-52`).
import type { LinkedExpr } from "../linker/linked-program.ts";
import { ProgramError, valueError } from "../values/errors.ts";
import { isHandle, isSettled, leavesOf, withLeaves } from "../values/handles.ts";
import { type List, type Value, makeList, markShared } from "../values/value.ts";
import { failure, success } from "../values/wrapper.ts";
import type { ResourceOperation } from "../vm/effects.ts";
import { hostJson } from "../vm/payload.ts";
import type { Eval, Frame, Slots } from "../vm/frame.ts";
import type { Context } from "./context.ts";
import { leave, openOperation, operationResult, outcomeValue, request } from "./effects.ts";
import { takeTemp } from "./read.ts";
import { storeTemp } from "./store.ts";

type Operation = Extract<LinkedExpr, { kind: "Operation" }>;

/** One leaf of an aggregate: where its result goes, and its operation unless it is a plain expression. */
interface Leaf {
  readonly expr: LinkedExpr;
  readonly temp: number;
}

export function batch(c: Context, expr: Extract<LinkedExpr, { kind: "Batch" }>): Eval {
  const leaves: Leaf[] = [];
  const tree = replaceLeaves(c, expr.tree, leaves);
  const parts = leaves.map((leaf) =>
    leaf.expr.kind === "Operation" ? [leaf.expr.receiver, ...leaf.expr.args] : [leaf.expr],
  );
  const evals = c.operands(parts.flat(), true);
  request(
    c,
    (s, f) => {
      let at = 0;
      const operations: ResourceOperation[] = [];
      leaves.forEach((leaf, i) => {
        const values = evals.slice(at, at + (parts[i]?.length ?? 0)).map((part) => part(s, f));
        at += values.length;
        const [first = null, ...args] = values;
        if (leaf.expr.kind === "Operation") operations.push(openOperation(f, leaf.expr, first, args));
        else f.store(leaf.temp, first);
      });
      f.occurrence(expr.site);
      return { kind: "ResourceOperationBatch", operations };
    },
    (outcome, f) => {
      const called = leaves.filter((leaf): leaf is Leaf & { expr: Operation } => leaf.expr.kind === "Operation");
      if ("error" in outcome) throw valueError(`await failed: ${outcome.error}`);
      const results = "batch" in outcome ? outcome.batch : [];
      if (results.length !== called.length) {
        throw valueError(`batch returned ${results.length} results for ${called.length} operations`);
      }
      let failed: ProgramError | null = null;
      for (const [i, leaf] of called.entries()) {
        const result = results[i] ?? { value: null };
        leave(f, leaf.expr.site, result);
        const value = operationResult(result, leaf.expr, f);
        if (value instanceof ProgramError) failed ??= value;
        else f.store(leaf.temp, value);
      }
      if (failed !== null) throw failed;
    },
  );
  return tree;
}

/** The shape of the aggregate over temporaries; fills `leaves` in source order. */
function replaceLeaves(c: Context, expr: LinkedExpr, leaves: Leaf[]): Eval {
  const shape = (node: LinkedExpr): LinkedExpr => {
    if (node.kind === "List" || node.kind === "Tuple") return { ...node, items: node.items.map(shape) };
    if (node.kind === "Record") {
      return { ...node, entries: node.entries.map(({ key, value }) => ({ key, value: shape(value) })) };
    }
    const temp = c.code.temp();
    leaves.push({ expr: node, temp });
    // A variable over the temporary: read like any other operand once the results are in.
    return { kind: "Variable", slot: temp, name: "" };
  };
  const tree = shape(expr);
  const build = c.expr(tree);
  const temps = leaves.map((leaf) => leaf.temp);
  return (s, f) => {
    const value = build(s, f);
    for (const temp of temps) f.store(temp, undefined);
    return value;
  };
}

/** Waits for each handle of a tree in order; other leaves become error wrappers. */
export function awaitHandles(c: Context, expr: Extract<LinkedExpr, { kind: "Await" }>): Eval {
  const [tree, leaves, results] = [c.code.temp(), c.code.temp(), c.code.temp()];
  const [again, done] = [c.code.label(), c.code.label()];
  storeTemp(c, tree, c.owned(expr.value));
  c.code.emit((next) => (s, f) => {
    const found = leavesOf(s[tree] as Value, f);
    for (const leaf of found) markShared(leaf);
    f.store(leaves, makeList(found, f));
    f.store(results, makeList([], f));
    f.occurrence(expr.site);
    return next;
  });
  c.code.place(again);
  const position = (s: Slots): number => (s[results] as List).items.length;
  const put = (s: Slots, f: Frame, wrapper: Value): void => f.append(s[results] as List, wrapper);
  c.code.emit((next) => (s, f) => {
    const leaf = (s[leaves] as List).items[position(s)];
    if (leaf === undefined) return done.at;
    if (!isHandle(leaf)) {
      put(s, f, isSettled(leaf) ? leaf : failure("expected handle record", f));
      return again.at;
    }
    const index = position(s);
    f.observe("node.started", expr.site, { index });
    const handle = hostJson(leaf, f);
    const occurrence = f.counts[expr.site] ?? 0;
    return f.park({ kind: "Await", handle, leaf: index, ordinal: f.ordinal("awaits"), site: f.siteAt(expr.site), occurrence }, next);
  });
  c.code.emit(() => (s, f) => {
    const outcome = f.settled();
    leave(f, expr.site, outcome);
    put(s, f, "error" in outcome ? failure(outcome.error, f) : success(outcomeValue(outcome, f), f));
    return again.at;
  });
  c.code.place(done);
  const read = takeTemp(tree);
  return (s, f) => {
    const list = f.take(results) as List;
    f.take(leaves);
    return withLeaves(read(s, f), list.items, f);
  };
}

