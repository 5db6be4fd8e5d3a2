// Persisted snapshots: what a crash leaves behind, and what is refused (T-22, TT-14, design 4).

import { describe, expect, test } from "vitest";
import type { SnapshotFrom } from "xstate";
import { isJson } from "../support/is-json.ts";
import type { EffectOutcome } from "../../src/machines/effects.ts";
import { restoreTurn } from "../../src/machines/snapshot.ts";
import type { TurnContext } from "../../src/machines/turn.context.ts";
import { TURN_MACHINE, turnMachine, type TurnMachine } from "../../src/machines/turn.machine.ts";
import { standardProtocol } from "../../src/protocols/standard.ts";
import type { Json } from "../../src/domain/json.ts";
import type { MachineSnapshot } from "../../src/stores/contract.ts";
import { calls, codeProtocol, reply, result, results, running, says, Stepper, turnInput } from "../support/turn-steps.ts";

const waiting: Readonly<Record<string, { readonly at: () => Stepper; readonly answer: EffectOutcome; readonly protocol?: typeof codeProtocol }>> = {
  syncingEnvironment: { at: () => running({ hooks: ["syncsEnvironment"] }), answer: { kind: "sync_execution_environment" } },
  callingModel: { at: () => running(), answer: reply([says("Hi.")]) },
  "callingModel again": { at: () => running().settle(reply([calls("a")])).settle(results(result("a"))), answer: reply([says("Hi.")]) },
  runningTools: { at: () => running().settle(reply([calls("a"), calls("b")])), answer: results(result("a"), result("b")) },
  runningCode: { at: () => running({}, codeProtocol).settle(reply([says("x")])), answer: { kind: "exec_code", result: 1 }, protocol: codeProtocol },
  atCheckpoint: { at: () => running({ hooks: ["checkpoints"] }).settle(reply([says("x")])), answer: { kind: "checkpoint", messages: [] } },
  cancelling: { at: () => running().send({ type: "turn.cancel" }), answer: reply([says("x")]) },
};

/** As a durable step writes it. */
const stored = ({ value, context }: SnapshotFrom<TurnMachine>): MachineSnapshot => ({ ...TURN_MACHINE, value: value as Json, context: context as unknown as Json });
const throughDisk = (snapshot: SnapshotFrom<TurnMachine>) => JSON.parse(JSON.stringify(stored(snapshot))) as MachineSnapshot;

describe.each(Object.entries(waiting))("in %s", (_name, { at, answer, protocol = standardProtocol }) => {
  test("a snapshot is JSON and comes back from text as it was, with the same open effects (T-22, TT-14)", () => {
    const turn = at();
    expect(isJson(stored(turn.snapshot))).toBe(true);
    const restored = restoreTurn(turnMachine(protocol), throughDisk(turn.snapshot));
    expect(restored.value).toEqual(turn.value);
    expect(restored.context).toEqual(turn.context);
    expect(restored.status).toBe("active");
  });

  test("restored, it goes on exactly as it would have, and asks nothing again by itself (T-18, T-22)", () => {
    const turn = at();
    const restored = new Stepper(turnInput(), protocol, restoreTurn(turnMachine(protocol), throughDisk(turn.snapshot)));
    expect(restored.asked).toEqual([]);
    turn.settle(answer);
    restored.settle(answer);
    expect(restored.value).toEqual(turn.value);
    expect(restored.context).toEqual(turn.context);
    expect(restored.asked).toEqual(turn.asked);
  });

  test("going on from a restored snapshot leaves the stored one as it was", () => {
    const left = throughDisk(at().snapshot);
    const copy = structuredClone(left);
    new Stepper(turnInput(), protocol, restoreTurn(turnMachine(protocol), left)).settle(answer);
    expect(left).toEqual(copy);
  });
});

test("a snapshot holds no history: its size does not grow with what was said (M3, design 2B)", () => {
  const long = "x".repeat(100_000);
  const turn = running();
  for (let round = 0; round < 20; round++) turn.settle(reply([says(long), calls("a")])).settle(results(result("a", { outcome: { status: "success", payload: long } })));
  const early = running().settle(reply([calls("a")])).settle(results(result("a")));
  const sizeOf = (stepper: Stepper): number => JSON.stringify(stored(stepper.snapshot)).length;
  expect(sizeOf(turn)).toBeLessThan(sizeOf(early) + 40);
  expect(sizeOf(turn)).toBeLessThan(1_200);
});

describe("restoring refuses", () => {
  const good = throughDisk(running().snapshot);
  const machine = turnMachine(standardProtocol);
  const withContext = (change: Partial<Record<keyof TurnContext, Json>>) => ({ ...good, context: { ...(good.context as Record<string, Json>), ...change } });

  test("a snapshot of another machine or version, so that nothing is misread (design 4)", () => {
    for (const other of [{ ...good, version: 0 }, { ...good, version: 2 }, { ...good, machine: "session" }]) {
      expect(() => restoreTurn(machine, other)).toThrow(expect.objectContaining({ code: "machine_version_unsupported", details: { machine: other.machine, version: other.version } }));
    }
  });

  test.each<[string, Json]>([
    ["a state that does not exist", "dreaming"],
    ["a nested state that does not exist", { running: "dreaming" }],
    ["a state below one that has none", { opening: "deeper" }],
    ["a state whose part is left out", "running"],
    ["a state with too much depth", { running: { callingModel: "deeper" } }],
    ["two states at once", { running: "callingModel", committing: "x" }],
    ["an inherited property", "constructor"],
    ["a nested inherited property", { running: "toString" }],
    ["nothing", {}],
    ["null", null],
    ["a number", 7],
    ["a list", ["running"]],
  ])("%s (T-22, design 6)", (_title, value) => {
    expect(() => restoreTurn(machine, { ...good, value })).toThrow(expect.objectContaining({ code: "stored_row_invalid" }));
  });

  test("a context without the limits that came later has none (ME-10)", () => {
    const { tokenBudget: _budget, outputAsks: _asks, ...older } = good.context as Record<string, Json>;
    expect(restoreTurn(machine, { ...good, context: older }).context).toMatchObject({ tokenBudget: null, outputAsks: 0 });
  });

  test("a context from before turns made room for themselves has not done so (ME-16)", () => {
    const { hasCompacted: _, ...older } = good.context as Record<string, Json>;
    expect(restoreTurn(machine, { ...good, context: older }).context.hasCompacted).toBe(false);
  });

  test.each(Object.keys(good.context as object).filter((field) => !["tokenBudget", "outputAsks", "hasCompacted"].includes(field)))("a context whose %s is missing or of another type (T-22, design 6)", (field) => {
    const { [field]: _, ...without } = good.context as Record<string, Json>;
    expect(() => restoreTurn(machine, { ...good, context: without })).toThrow(expect.objectContaining({ code: "stored_row_invalid" }));
    expect(() => restoreTurn(machine, { ...good, context: { ...without, [field]: { wrong: [] } } })).toThrow(expect.objectContaining({ code: "stored_row_invalid" }));
  });

  test.each<[string, Partial<Record<keyof TurnContext, Json>>]>([
    ["an effect without a key", { open: [{ effectId: 1, command: { kind: "llm_call", iteration: 0, logLength: 1 } }] }],
    ["an effect of a kind there is not", { open: [{ effectId: 1, replayKey: "k", command: { kind: "format_disk", iteration: 0 } }] }],
    ["a model call without the length of its log", { open: [{ effectId: 1, replayKey: "k", command: { kind: "llm_call", iteration: 0 } }] }],
    ["a count below zero", { logLength: -1 }],
    ["a count that is no integer", { iteration: 0.5 }],
    ["a hook there is not", { hooks: ["watches"] }],
    ["an outcome there is not", { outcome: { vanished: true } }],
    ["usage that is no number", { usage: { inputTokens: "many" } }],
  ])("%s (T-22, design 6)", (_title, change) => {
    expect(() => restoreTurn(machine, withContext(change))).toThrow(expect.objectContaining({ code: "stored_row_invalid" }));
  });

  test("a context that is no object (design 6)", () => {
    for (const context of [null, [], "x", 1] as const) expect(() => restoreTurn(machine, { ...good, context })).toThrow(expect.objectContaining({ code: "stored_row_invalid" }));
  });

  test("a state that waits for an effect while none is open, as nothing could ever move it on (T-22)", () => {
    expect(() => restoreTurn(machine, withContext({ open: [] }))).toThrow(expect.objectContaining({ code: "stored_row_invalid" }));
  });
});
