import { describe, expect, test } from "vitest";
import type { AbilityOp } from "../../../src/lashlang/vm/effects.ts";
import { effectKey, operationKey, startedProcessId } from "../../../src/lashlang/vm/replay-keys.ts";
import { startProcess } from "../../../src/lashlang/session/process.ts";
import { Session } from "../../../src/lashlang/session/session.ts";
import { Projections } from "../../../src/lashlang/session/projections.ts";
import { inlineProjection } from "../../../src/lashlang/values/projected.ts";
import { Vm } from "../../../src/lashlang/vm/vm.ts";
import { cell, park, processBody, runThrough } from "./harness.ts";

const opsOf = (source: string): AbilityOp[] => runThrough(Vm.start(cell(source))).requests.map(({ op }) => op);

describe("operations", () => {
  test("one record argument is the payload, anything else comes as args (LL-49)", () => {
    const payloads = opsOf("tools.echo({ a: 1 })\ntools.echo()\ntools.echo(5)\ntools.echo({ a: 1 }, 2)\ntools.echo((1, 2))");
    expect(payloads.map((op) => (op.kind === "ResourceOperation" ? op.payload : op.kind))).toEqual([
      { a: 1 },
      { args: [] },
      { args: [5] },
      { args: [{ a: 1 }, 2] },
      { args: [[1, 2]] },
    ]);
  });

  test("a payload is the host's own copy, not the program's value", () => {
    const vm = Vm.start(cell("r = { value: [1] }\ntools.echo(r)\nr.value[0] = 2\nfinish r"));
    const { op, effectId } = park(vm);
    if (op.kind !== "ResourceOperation") throw new Error("expected an operation");
    (op.payload["value"] as number[])[0] = 99;
    vm.settle(effectId, { value: null });
    expect(runThrough(vm).outcome).toEqual({ kind: "finished", value: { value: [2] } });
  });

  test("an outcome is copied into the program: later changes of the host's object do not reach it", () => {
    const vm = Vm.start(cell("x = tools.echo({})?\ny = tools.echo({})?\nfinish x"));
    const mine = { deep: [1] };
    vm.settle(park(vm).effectId, { value: mine });
    const second = park(vm);
    mine.deep[0] = 2;
    vm.settle(second.effectId, { value: null });
    expect(runThrough(vm).outcome).toEqual({ kind: "finished", value: { deep: [1] } });
  });

  test("an aggregate is one request, its operations in source order with sites of their own (LL-50)", () => {
    const [op] = opsOf("x = await { a: tools.echo({ value: 1 })?, b: [tools.err({}), 5], c: (tools.boom({}),) }");
    if (op?.kind !== "ResourceOperationBatch") throw new Error("expected a batch");
    expect(op.operations.map((operation) => operation.operation)).toEqual(["echo", "err", "boom"]);
    expect(new Set(op.operations.map((operation) => operation.site.nodeId)).size).toBe(3);
  });

  test("nested effects of an aggregate run singly before it, left to right (LL-50)", () => {
    const kinds = opsOf("x = await [tools.echo({ value: tools.echo({ value: 1 })? }), tools.echo({ value: tools.err({})})]").map((op) =>
      op.kind === "ResourceOperation" ? op.operation : op.kind,
    );
    expect(kinds).toEqual(["echo", "err", "ResourceOperationBatch"]);
  });

  test("parts of a payload that came from projections are named (RLM-31)", () => {
    const projections = new Projections().bind("doc", inlineProjection({ items: [1] }, { kind: "file", key: "k" }));
    const vm = new Session().begin(cell("tools.echo({ seed: { d: doc, i: doc.items }, n: 1 })"), { projections });
    expect(park(vm).op).toMatchObject({
      payload: { seed: { d: { items: [1] }, i: [1] }, n: 1 },
      projections: [
        { path: ["seed", "d"], name: "doc", ref: { kind: "file", key: "k" } },
        { path: ["seed", "i"], name: "doc.items" },
      ],
    });
  });

  test("a process argument that is no authority fails when it is called (LL-49)", () => {
    const vm = startProcess(processBody("process p(t: Tools) { finish t.echo({}) }", "p"), { t: "tools" });
    expect(runThrough(vm).outcome).toMatchObject({
      kind: "error",
      error: { kind: "TypeError", message: "module operation `echo` requires a module authority receiver" },
    });
  });
});

describe("requests", () => {
  test("a print carries its value and its text, strings raw and keys in insertion order (LL-55, RLM-17)", () => {
    const prints = opsOf('print "a b"\nprint { z: 1, a: [(1, 2), null], "1": 0.5 }').filter((op) => op.kind === "Print");
    expect(prints.map((op) => [op.text, op.ordinal])).toEqual([
      ["a b", 0],
      ['{"z":1,"a":[[1,2],null],"1":0.5}', 1],
    ]);
  });

  test("process events carry value and display text (LL-58)", () => {
    const source = "process p() { yield { b: 1, a: 2 }\n wake (1, \"x\") }";
    const { requests } = runThrough(startProcess(processBody(source, "p"), {}));
    expect(requests.map(({ op }) => (op.kind === "ProcessEvent" ? [op.event, op.value, op.text, op.ordinal] : op.kind))).toEqual([
      ["Yield", { b: 1, a: 2 }, '{"a":2,"b":1}', 0],
      ["Wake", [1, "x"], '(1, "x")', 1],
    ]);
  });

  test("sleeps are milliseconds, or an absolute time (LL-57)", () => {
    const sleeps = opsOf('sleep for "1.5s"\nsleep for 2.4\nsleep for "2h"\nsleep until "1970-01-01T00:00:01+00:00"\nsleep until 77');
    expect(sleeps.map((op) => (op.kind === "Sleep" ? [op.mode, op.milliseconds, op.ordinal] : op.kind))).toEqual([
      ["For", 1500, 0],
      ["For", 2, 1],
      ["For", 7_200_000, 2],
      ["Until", 1000, 3],
      ["Until", 77, 4],
    ]);
  });

  test("waits are counted per signal name from 1 (LL-59)", () => {
    const source = 'process p() signals { a: any, b: any } { wait_signal("a")\n wait_signal("b")\n wait_signal("a") }';
    const { requests } = runThrough(startProcess(processBody(source, "p"), {}));
    expect(requests.map(({ op }) => (op.kind === "WaitSignal" ? `${op.name}${op.ordinal}` : op.kind))).toEqual(["a1", "b1", "a2"]);
  });

  test("each handle of an awaited tree is a request with its place in the tree (LL-52)", () => {
    const source = "process p() { finish 1 }\nhs = { a: start p(), b: [start p(), 5] }\nr = await hs\nfinish r";
    const { requests, outcome } = runThrough(Vm.start(cell(source)));
    expect(requests.flatMap(({ op }) => (op.kind === "Await" ? [[op.leaf, op.occurrence, op.ordinal]] : []))).toEqual([
      [0, 1, 0],
      [1, 1, 1],
    ]);
    expect(outcome).toMatchObject({ value: { b: [{ ok: true }, { ok: false, error: "expected handle record" }] } });
  });
});

describe("names of effects", () => {
  const scope = { kind: "cell", id: "turn-1:exec:0" } as const;
  const ops = opsOf("for i in range(2) { tools.echo({ value: i }) }\nx = await [tools.echo({}), tools.echo({})]\nsleep for 1");

  test("an operation is named by scope, tool, site and occurrence, its place in a batch last (LL-92, LL-93)", () => {
    const keys = ops.flatMap((op) => {
      if (op.kind === "ResourceOperation") return [operationKey(scope, "echo", op)];
      return op.kind === "ResourceOperationBatch" ? op.operations.map((one, i) => operationKey(scope, "echo", one, i)) : [];
    });
    expect(keys[0]).toMatch(/^lashlang:turn-1:exec:0:resource:echo:resource_operation:[0-9a-f]{24}:1$/);
    expect(keys[1]).toBe(keys[0]?.replace(/:1$/, ":2"));
    expect(keys[2]).toMatch(/:1:child:0$/);
    expect(new Set(keys).size).toBe(4);
  });

  test("are the same in every run of the same program, and other when the program is another (LL-92)", () => {
    const ids = (source: string): string[] => opsOf(source).flatMap((op) => ("site" in op ? [op.site.nodeId] : []));
    expect(ids("x = 1\ntools.echo({})")).toEqual(ids("y=1;   tools.echo({}) // renamed"));
    expect(ids("x = 1\ntools.echo({})")).not.toEqual(ids("x = 2\ntools.echo({})"));
  });

  test("of sleeps, events, waits and signals follow their ordinals (LL-94)", () => {
    const run = { kind: "process", id: "p1" } as const;
    const sleep = ops.find((op) => op.kind === "Sleep");
    if (sleep?.kind !== "Sleep") throw new Error("expected a sleep");
    expect(effectKey(run, sleep)).toBe("process:process:p1:sleep:0");
    expect(effectKey(scope, sleep)).toBe("process:foreground:sleep:0");
    const site = { site: sleep.site, occurrence: 1 };
    expect(effectKey(run, { kind: "ProcessEvent", event: "Wake", value: 1, text: "1", ordinal: 2, ...site })).toBe("process:p1:event:2");
    expect(effectKey(run, { kind: "WaitSignal", name: "go", ordinal: 1, ...site })).toBe("process:p1:signal.go:1");
    const send = { kind: "SignalRun", run: null, name: "go", payload: null, ordinal: 3, ...site } as const;
    expect(effectKey(run, send)).toBe("lashlang:p1:signal.go:3");
    expect(effectKey(run, { kind: "Await", handle: null, leaf: 1, ordinal: 0, ...site })).toMatch(/^process:p1:await:.*:1:1$/);
    expect(effectKey(run, { kind: "Cancel", handle: null, ordinal: 0, ...site })).toMatch(/^process:p1:cancel:.*:1$/);
  });

  test("a started process has the same id on re-execution, another per occurrence, args and parent (LL-95)", () => {
    const source = "process p(n: int) { finish n }\nfor i in range(2) { h = start p(n: i) }";
    const starts = (): string[] =>
      opsOf(source).flatMap((op) => (op.kind === "StartProcess" ? [startedProcessId("runtime-replay:k", op)] : []));
    expect(starts()[0]).toMatch(/^process:lashlang:sha256:[0-9a-f]{64}$/);
    expect(starts()).toEqual(starts());
    expect(new Set(starts()).size).toBe(2);
    const [first] = opsOf(source);
    if (first?.kind !== "StartProcess") throw new Error("expected a start");
    expect(startedProcessId("parent-process:k", first)).not.toBe(startedProcessId("runtime-replay:k", first));
    expect(startedProcessId("runtime-replay:k", { ...first, args: { n: 9 } })).not.toBe(startedProcessId("runtime-replay:k", first));
  });
});
