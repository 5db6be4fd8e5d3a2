import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { and, createMachine, not } from "xstate";
import { afterEach, expect, test } from "vitest";
import { MACHINES, outdatedCharts, writeCharts } from "../../scripts/charts.ts";
import { activePaths, chartOf } from "../../src/inspect/chart.ts";
import { chartJson } from "../../src/inspect/machine-book.ts";
import { machinePage, stateDiagram } from "../../src/inspect/mermaid.ts";
import { sessionMachine } from "./machines/session.ts";
import { turnMachine } from "./machines/turn.ts";

const folder = mkdtempSync(join(tmpdir(), "charts-"));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("nested states, guards, always and done appear as Mermaid text", () => {
  const machine = createMachine({
    id: "small",
    initial: "idle",
    states: {
      idle: { on: { "turn.start": [{ guard: "isReady", target: "working" }, { target: "end" }] } },
      working: { initial: "calling", onDone: "end", states: { calling: { always: { guard: "isDone", target: "called" } }, called: { type: "final" } } },
      end: { type: "final" },
    },
  });
  expect(stateDiagram(machine)).toBe(
    [
      "stateDiagram-v2",
      "  [*] --> s_idle",
      '  state "idle" as s_idle',
      '  state "working" as s_working',
      "  state s_working {",
      "    [*] --> s_working_calling",
      '    state "calling" as s_working_calling',
      '    state "called" as s_working_called',
      "    s_working_called --> [*]",
      "  }",
      '  state "end" as s_end',
      "  s_end --> [*]",
      "  s_idle --> s_working : turn.start [isReady]",
      "  s_idle --> s_end : turn.start",
      "  s_working --> s_end : done",
      "  s_working_calling --> s_working_called : always [isDone]",
    ].join("\n"),
  );
});

test("regions of a parallel state are separated", () => {
  const text = stateDiagram(sessionMachine);
  expect(text.split("\n").filter((line) => line.trim() === "--")).toHaveLength(1);
  expect(text).toContain("s_lease_held --> s_lease_renewing : lease.tick");
});

test("transitions between the same states share an arrow", () => {
  expect(stateDiagram(sessionMachine)).toContain("s_residency_running --> s_residency_committing : turn.progress<br/>turn.finished");
});

test("what the root handles stands in a note", () => {
  expect(stateDiagram(turnMachine)).toContain("    turn.cancel goes to stopped.cancelled");
});

test("two states whose names differ only in punctuation keep different ids", () => {
  const machine = createMachine({ id: "m", initial: "a_b", states: { a_b: {}, "a-b": {}, a: { initial: "b", states: { b: {} } } } });
  const ids = [...stateDiagram(machine).matchAll(/ as (\S+)/g)].map((match) => match[1]);
  expect(new Set(ids).size).toBe(4);
});

test("targets by id, by child and by sibling are resolved; composed guards read as words", () => {
  const chart = chartOf(
    createMachine({
      id: "m",
      initial: "a",
      states: {
        a: { on: { one: "#deep", two: ".b", three: { target: "c", guard: and(["isA", not("isB")]) }, four: "#m.c", five: { target: "c", guard: { type: "movesTo", params: { kind: "tools" } } } }, initial: "b", states: { b: { id: "deep" } } },
        c: { after: { 500: "a" } },
      },
    }).config,
  );
  expect(chart.transitions.map(({ label, target, guard }) => [label, target, guard])).toEqual([
    ["one", "a.b", undefined],
    ["two", "a.b", undefined],
    ["three", "c", "isA and not isB"],
    ["four", "c", undefined],
    ["five", "c", "movesTo(tools)"],
    ["after 500", "a", undefined],
  ]);
});

test("a chart read from a recording equals the chart of the machine", () => {
  for (const machine of [turnMachine, sessionMachine]) {
    expect(chartOf(JSON.parse(JSON.stringify(chartJson(machine.config))))).toEqual(chartOf(machine.config));
  }
});

test("active paths name every active state of a nested parallel value", () => {
  expect(activePaths({ residency: "running", lease: { held: "renewing" } })).toEqual(["residency", "residency.running", "lease", "lease.held", "lease.held.renewing"]);
  expect(activePaths(undefined)).toEqual([]);
});

test("the committed pages equal the machines (else: node scripts/charts.ts)", () => {
  expect(outdatedCharts(MACHINES)).toEqual([]);
});

test("pages that are missing, changed or left over are reported, and written ones are not", () => {
  const machines = [turnMachine, sessionMachine];
  expect(outdatedCharts(machines, folder)).toEqual(["turn.md is missing", "session.md is missing"]);
  writeCharts(machines, folder);
  expect(outdatedCharts(machines, folder)).toEqual([]);
  writeFileSync(join(folder, "turn.md"), `${machinePage(turnMachine)}edited`);
  writeFileSync(join(folder, "old.md"), "x");
  expect(outdatedCharts(machines, folder)).toEqual(["turn.md differs from its machine", "old.md belongs to no machine"]);
  writeCharts(machines, folder);
  expect(outdatedCharts(machines, folder)).toEqual([]);
});
