import { describe, expect, test } from "vitest";
import { drive, type LashHost } from "../../../src/lashlang/vm/drive.ts";
import type { EffectOutcome } from "../../../src/lashlang/vm/effects.ts";
import { Vm } from "../../../src/lashlang/vm/vm.ts";
import { cell, echo } from "./harness.ts";

const host: LashHost = { perform: (request) => echo(request) };

/** A clock that moves a millisecond per look. */
function ticking(): () => number {
  let now = 0;
  return () => {
    now += 1;
    return now;
  };
}

describe("the driver", () => {
  test("answers from promises and from values alike (LL-98)", async () => {
    const slow: LashHost = { perform: (request) => Promise.resolve(echo(request)) };
    const source = "x = await tools.echo({ value: 2 })?\nfinish x * 2";
    expect(await drive(Vm.start(cell(source)), host)).toEqual({ kind: "finished", value: 4 });
    expect(await drive(Vm.start(cell(source)), slow)).toEqual({ kind: "finished", value: 4 });
  });

  test("a host that throws or rejects is a failed operation (LL-48)", async () => {
    const source = "r = await tools.echo({})\nfinish r";
    const throwing: LashHost = {
      perform(request) {
        if (request.op.kind !== "ResourceOperation") return echo(request);
        throw new Error("down");
      },
    };
    const rejecting: LashHost = {
      perform: (request) => (request.op.kind === "ResourceOperation" ? Promise.reject(new Error("down")) : echo(request)),
    };
    const expected = { kind: "finished", value: { ok: false, error: "down" } };
    expect(await drive(Vm.start(cell(source)), throwing)).toEqual(expected);
    expect(await drive(Vm.start(cell(source)), rejecting)).toEqual(expected);
  });

  test("a pure loop lets others run and can be cancelled (LL-60)", async () => {
    const abort = new AbortController();
    let pauses = 0;
    const pause = async (): Promise<void> => {
      pauses += 1;
      if (pauses === 3) abort.abort();
    };
    const bounds = { instructions: "unbounded" } as const;
    const vm = Vm.start(cell("while true { x = 1 }"), { bounds });
    expect(await drive(vm, host, { signal: abort.signal, pause, now: ticking() })).toEqual({ kind: "cancelled" });
    expect(pauses).toBe(3);
    expect(vm.instructions).toBeLessThan(20 * 1024);
  });

  test("the default pause gives the event loop a turn (LL-60)", async () => {
    let turned = false;
    const abort = new AbortController();
    setTimeout(() => {
      turned = true;
      abort.abort();
    });
    const result = await drive(Vm.start(cell("while true { x = 1 }"), { bounds: { instructions: "unbounded" } }), host, {
      signal: abort.signal,
    });
    expect([result.kind, turned]).toEqual(["cancelled", true]);
  });

  test("cancels while the host is still at work, and drops its late answer", async () => {
    const abort = new AbortController();
    const answers: ((outcome: EffectOutcome) => void)[] = [];
    const never: LashHost = { perform: () => new Promise((resolve) => answers.push(resolve)) };
    const vm = Vm.start(cell("x = tools.echo({})"));
    const driven = drive(vm, never, { signal: abort.signal });
    abort.abort();
    expect(await driven).toEqual({ kind: "cancelled" });
    answers[0]?.({ value: 1 });
    expect(vm.state.kind).toBe("parked");
  });

  test("ends a program that runs too long, waits for the host not counted (LL-101)", async () => {
    const spin = Vm.start(cell("while true { x = 1 }"), { bounds: { instructions: "unbounded" } });
    const result = await drive(spin, host, { maxActiveMs: 50, now: ticking(), pause: async () => {} });
    expect(result).toMatchObject({ kind: "error", error: { kind: "BoundExhausted" } });
    let now = 0;
    const waiting: LashHost = {
      async perform(request) {
        now += 1000;
        return echo(request);
      },
    };
    const source = "for i in range(5) { tools.echo({}) }\nfinish 1";
    expect(await drive(Vm.start(cell(source)), waiting, { maxActiveMs: 50, now: () => now })).toEqual({ kind: "finished", value: 1 });
  });

  test("says that the program is parked before the host is asked", async () => {
    const order: string[] = [];
    const noting: LashHost = {
      perform(request) {
        order.push(`perform ${request.effectId}`);
        return echo(request);
      },
    };
    await drive(Vm.start(cell("tools.echo({})\nfinish 1")), noting, {
      onParked: async (vm, request) => {
        order.push(`durable ${request.effectId} ${JSON.stringify(vm.snapshot().effect?.effectId)}`);
      },
    });
    expect(order).toEqual(["durable 1 1", "perform 1", "durable 2 2", "perform 2"]);
  });
});
