import { describe, expect, test } from "vitest";
import { throughText } from "../../../src/lashlang/cases/stepwise.ts";
import { Vm } from "../../../src/lashlang/vm/vm.ts";
import { cell, echo, linked, park, processBody, runThrough } from "./harness.ts";

describe("the core", () => {
  test("parks at a host operation and goes on with its outcome (LL-98)", () => {
    const vm = Vm.start(cell("x = await tools.echo({ value: 1 })?\nfinish x + 1"));
    const request = park(vm);
    expect(request.op).toMatchObject({ kind: "ResourceOperation", operation: "echo", payload: { value: 1 } });
    expect(vm.run()).toBe(vm.state);
    vm.settle(request.effectId, { value: 5 });
    expect(runThrough(vm).outcome).toEqual({ kind: "finished", value: 6 });
  });

  test("refuses an answer to an effect that is not open", () => {
    const vm = Vm.start(cell("x = tools.echo({})"));
    const { effectId } = park(vm);
    expect(() => vm.settle(effectId + 1, { unit: true })).toThrow(RangeError);
    vm.settle(effectId, { value: 1 });
    expect(() => vm.settle(effectId, { value: 2 })).toThrow(`effect ${effectId} is not open`);
  });

  test("spends the same instructions however the work is sliced (LL-101)", () => {
    const source = `
      total = 0
      for i in range(50) { if i % 7 == 3 { continue }
        total = total + len(split(format("{}-{}", i, total), "-")) }
      rows = [{ n: n } for n in range(40) if n % 2 == 0]
      while total > 0 { total = total - 9
        if total < 20 { break } }
      finish [total, await tools.echo({ value: rows })?]`;
    const spent = [1, 2, 3, 7, 64, 1024, 100_000].map((slice) => {
      const vm = Vm.start(cell(source));
      const { outcome } = runThrough(vm, echo, slice);
      return [vm.instructions, JSON.stringify(outcome)];
    });
    expect(new Set(spent.map((one) => JSON.stringify(one))).size).toBe(1);
  });

  test("a bound ends a program at the same place however the work is sliced (LL-101)", () => {
    const ends = [1, 5, 1024].map((slice) => {
      const vm = Vm.start(cell("n = 0\nwhile true { n = n + 1\n s = format(\"{}\", n) }"), { bounds: { instructions: 5000 } });
      const { outcome } = runThrough(vm, echo, slice);
      return [JSON.stringify(outcome), JSON.stringify([...vm.variables()])];
    });
    expect(new Set(ends.map(String)).size).toBe(1);
    expect(ends[0]?.[0]).toContain("instructions (limit 5000)");
  });

  test("runs at most the instructions asked for, give or take one statement", () => {
    const vm = Vm.start(cell("while true { x = 1 }"));
    vm.run(1000);
    expect(vm.instructions).toBeLessThan(1010);
    expect(vm.state.kind).toBe("ready");
  });

  test("a host may replace the value of finish but not keep the program going (LL-56)", () => {
    const source = "finish 1\nfinish 2";
    expect(runThrough(Vm.start(cell(source)), () => ({ value: "other" })).outcome).toEqual({ kind: "finished", value: "other" });
    const failed = runThrough(Vm.start(cell(source)), () => ({ error: "no" })).outcome;
    expect(failed).toMatchObject({ kind: "error", error: { message: "finish failed: no" } });
    const unit = runThrough(Vm.start(cell(source)), () => ({ unit: true })).outcome;
    expect(unit).toMatchObject({ kind: "error", error: { message: "finish failed: finish returned no value" } });
  });

  test("host failures of statements end the program with their own words (LL-54, LL-55, LL-57)", () => {
    const refuse = () => ({ error: "no" });
    const message = (source: string): unknown => {
      const { outcome } = runThrough(Vm.start(cell(source)), refuse);
      return outcome.kind === "error" ? outcome.error.message : outcome;
    };
    expect(message("print 1")).toBe("print failed: no");
    expect(message("cancel { __handle__: \"process\", id: \"x\" }")).toBe("cancel failed: no");
    expect(message("sleep for 1")).toBe("sleep failed: no");
    expect(message("process p() { finish 1 }\nh = start p()")).toBe("process start failed: no");
  });

  test("a batch that answers too few results is an error (LL-51)", () => {
    const vm = Vm.start(cell("x = await [tools.echo({}), tools.echo({})]"));
    const { outcome } = runThrough(vm, () => ({ batch: [{ value: 1 }] }));
    expect(outcome).toMatchObject({ kind: "error", error: { kind: "ValueError", message: "batch returned 1 results for 2 operations" } });
  });

  test("the first failing leaf in source order is reported, at its own span (LL-51, LL-103)", () => {
    const source = "a = 1\nx = await [tools.echo({ value: 1 })?, tools.err({})?, tools.boom({})?]";
    const { outcome } = runThrough(Vm.start(cell(source)), () => ({ batch: [{ value: 1 }, { error: "first" }, { error: "second" }] }));
    if (outcome.kind !== "error" || outcome.error.span === undefined) throw new Error("expected an error with a span");
    expect(outcome.error.message).toBe("`?` unwrapped failed module operation: first");
    expect(source.slice(outcome.error.span.start, outcome.error.span.end)).toContain("tools.err({})");
  });

  test("a runtime error points at its top-level statement (LL-103)", () => {
    const source = "a = 1\nfor i in [1] {\n  b = nope\n}\nc = 2";
    const { outcome } = runThrough(Vm.start(cell(source)));
    if (outcome.kind !== "error" || outcome.error.span === undefined) throw new Error("expected an error with a span");
    expect(source.slice(outcome.error.span.start, outcome.error.span.end)).toMatch(/^for i in \[1\]/);
  });
});

describe("snapshots", () => {
  const source = "t = (1, 0 / 0)\nfor i in [5, 6] { x = await tools.echo({ value: i })? }\nfinish [x, to_string(t)]";

  test("are taken while parked, after settling, and between instructions (LL-99)", () => {
    let vm = Vm.start(cell(source));
    const request = park(vm);
    vm = throughText(vm);
    expect(vm.state).toMatchObject({ kind: "parked", effect: { effectId: request.effectId } });
    vm.settle(request.effectId, { value: 5 });
    vm = throughText(vm);
    expect(vm.state.kind).toBe("ready");
    expect(runThrough(vm).outcome).toEqual({ kind: "finished", value: [6, "(1, NaN)"] });
  });

  test("keep the instructions spent and the bounds (LL-101)", () => {
    let vm = Vm.start(cell("while true { x = 1 }"), { bounds: { instructions: 3000 } });
    let slices = 0;
    while (vm.run(100).kind === "ready") {
      vm = throughText(vm);
      slices += 1;
    }
    expect(slices).toBeLessThan(40);
    expect(vm.state).toMatchObject({ kind: "done", outcome: { error: { kind: "BoundExhausted" } } });
  });

  test("go on counting call sites and ordinals, while a new run starts at 1 (LL-92, OP-24)", () => {
    let vm = Vm.start(cell("for i in range(3) { tools.echo({ value: i })\n sleep for 1 }"));
    const seen: unknown[] = [];
    for (;;) {
      const state = vm.run();
      if (state.kind === "done") break;
      vm = throughText(vm);
      if (vm.state.kind !== "parked") continue;
      const { effectId, op } = vm.state.effect;
      seen.push(op.kind === "Sleep" ? op.ordinal : "occurrence" in op ? `${effectId}:${op.occurrence}` : null);
      vm.settle(effectId, { value: null });
    }
    expect(seen).toEqual(["1:1", 0, "3:2", 1, "5:3", 2]);
    expect(park(Vm.start(cell("tools.echo({})"))).op).toMatchObject({ occurrence: 1 });
  });

  test("of other code or another version are refused", () => {
    const vm = Vm.start(cell(source));
    const snapshot = vm.snapshot();
    expect(() => Vm.restore(cell("finish 1"), snapshot)).toThrow(/snapshot moduleRef mismatch/);
    expect(() => Vm.restore(vm.compiled, { ...snapshot, version: 99 })).toThrow(/snapshot version mismatch: expected 1, got 99/);
    expect(() => Vm.restore(processBody("process p() { finish 1 }", "p"), snapshot)).toThrow(/mismatch/);
  });

  test("do not exist of a finished program", () => {
    const vm = Vm.start(cell("x = 1"));
    runThrough(vm);
    expect(() => vm.snapshot()).toThrow(RangeError);
  });

  test("name their slots only where they hold something", () => {
    const vm = Vm.start(cell("a = 1\nb = [n for n in range(3)]\ntools.echo({})\nc = 2"));
    park(vm);
    expect(vm.snapshot().slots.map(([, json]) => json)).toEqual([1, [0, 1, 2]]);
  });

  test("refuse a depth bound that recursion could not bear", () => {
    expect(() => Vm.start(cell("x = 1"), { bounds: { depth: 100_000 } })).toThrow("bounds.depth must be at most 1000");
  });

  test("compile a process by name only", () => {
    expect(() => processBody("process p() { finish 1 }", "q")).toThrow("the program declares no process `q`");
    expect(linked("process p() { finish 1 }").processes).toHaveLength(1);
  });
});
