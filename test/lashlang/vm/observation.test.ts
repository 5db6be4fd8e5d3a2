import { expect, test } from "vitest";
import type { Observation } from "../../../src/lashlang/vm/observation.ts";
import { throughText } from "../../../src/lashlang/cases/stepwise.ts";
import { Vm } from "../../../src/lashlang/vm/vm.ts";
import { cell, echo, runThrough } from "./harness.ts";

const SOURCE = `
  process p() { finish 1 }
  @label(title: "Look")
  for i in range(2) {
    if i == 0 { x = await tools.echo({ value: i })? } else { x = 2 }
  }
  @label(title: "Start") h = start p()
  y = x > 1 ? await h : 0`;

function observe(source: string, answer = echo): Observation[] {
  const seen: Observation[] = [];
  runThrough(Vm.start(cell(source, true), { observer: (one) => seen.push(one) }), answer);
  return seen;
}

test("nodes start and complete, branches are chosen, children begin, in order (LL-100)", () => {
  expect(observe(SOURCE).map(({ type, site, occurrence, childId }) => [type, site.nodeKind, occurrence, childId].filter((part) => part !== undefined).join(" "))).toEqual([
    "node.started step 1",
    "branch.selected branch 1",
    "node.started resource_operation 1",
    "node.completed resource_operation 1",
    "branch.selected branch 2",
    "node.completed step 1",
    "node.started step 1",
    "node.started child_process 1",
    "node.completed child_process 1",
    "child.started child_process 1 run-1",
    "node.completed step 1",
    "branch.selected branch 1",
    "node.started wait 1",
    "node.completed wait 1",
  ]);
});

test("keys are unique within a run and the same in every run (LL-100)", () => {
  const keys = observe(SOURCE).map(({ key }) => key);
  expect(new Set(keys).size).toBe(keys.length);
  expect(observe(SOURCE).map(({ key }) => key)).toEqual(keys);
});

test("the edge of a branch says which way it went (LL-100)", () => {
  const [first, second] = observe("for i in [1, 0] { if i == 1 { a = 1 } else { b = 1 } }").filter(({ type }) => type === "branch.selected");
  expect(first?.edgeId).toBe(first?.site.branch?.thenEdgeId);
  expect(second?.edgeId).toBe(second?.site.branch?.elseEdgeId);
  expect(first?.edgeId).not.toBe(second?.edgeId);
});

test("an error fails the steps around it (LL-100)", () => {
  const seen = observe('@label(title: "Outer") if true { @label(title: "Inner") x = await tools.boom({})? }', () => ({ error: "no" }));
  const failed = seen.filter(({ type }) => type === "node.failed");
  expect(failed.map(({ site, error }) => [site.nodeKind, error])).toEqual([
    ["resource_operation", "no"],
    ["step", "`?` unwrapped failed module operation: no"],
    ["step", "`?` unwrapped failed module operation: no"],
  ]);
});

test("a step that is left by break, continue or finish is completed all the same (LL-100)", () => {
  const steps = (source: string): string =>
    observe(source)
      .filter(({ site }) => site.nodeKind === "step")
      .map(({ type, occurrence }) => `${type.slice(5)} ${occurrence}`)
      .join(", ");
  expect(steps('for i in range(2) { @label(title: "a") if i == 1 { break } else { continue } }')).toBe(
    "started 1, completed 1, started 2, completed 2",
  );
  expect(steps('@label(title: "a") finish 1')).toBe("started 1, completed 1");
  expect(steps('@label(title: "a") while true { break }')).toBe("started 1, completed 1");
  expect(steps('@label(title: "a") if true { @label(title: "b") finish 1 }')).toBe("started 1, started 1, completed 1, completed 1");
});

test("observing changes neither the result nor the state (LL-100)", () => {
  const plain = Vm.start(cell(SOURCE, true));
  const watched = Vm.start(cell(SOURCE, true), { observer: () => {} });
  plain.run();
  watched.run();
  expect(watched.snapshot()).toEqual(plain.snapshot());
  expect(runThrough(throughText(watched)).outcome).toEqual(runThrough(plain).outcome);
});
