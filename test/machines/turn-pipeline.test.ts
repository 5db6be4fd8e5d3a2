// The outer pipeline of the turn chart under pure transitions (turn.md section 2).

import { describe, expect, test } from "vitest";
import type { PhaseName, TurnEvent } from "../../src/machines/effects.ts";
import type { TurnHook } from "../../src/machines/turn.context.ts";
import { call, calls, hello, history, issue, opening, reply, result, results, running, says, Stepper, turnInput, unlimited, zero } from "../support/turn-steps.ts";

const ALL: readonly TurnHook[] = ["preparesContext", "beforeTurn", "syncsEnvironment", "checkpoints", "finalizes", "afterPersist"];

/** Phases asked for on the way through these events. */
function phasesOf(hooks: readonly TurnHook[], ...events: readonly TurnEvent[]): readonly PhaseName[] {
  const turn = new Stepper(turnInput({ hooks })).send(...events);
  return turn.all.flatMap((message) => (message.type === "phase.requested" ? [message.phase] : []));
}

const answered = (hooks: readonly TurnHook[] = []): Stepper => {
  const turn = running({ hooks });
  if (hooks.includes("syncsEnvironment")) turn.settle({ kind: "sync_execution_environment" });
  turn.settle(reply([says("Hi.")]));
  if (hooks.includes("checkpoints")) turn.settle({ kind: "checkpoint", messages: [] });
  return turn;
};

describe("the way through", () => {
  test("a turn that nobody takes part in passes by the phases of hooks (M4, T-1, T-6, T-9)", () => {
    expect(phasesOf([], ...opening())).toEqual(["open", "refreshHead", "normalizeInput", "buildTurn"]);
    const turn = answered();
    expect([turn.value, turn.asked.at(-1)]).toEqual(["committing", { type: "phase.requested", phase: "commit" }]);
    turn.send({ type: "turn.committed" });
    expect(turn.value).toBe("done");
    expect(turn.output).toEqual({ kind: "ended", outcome: { finished: { assistant_message: { text: "Hi." } } }, issues: [], usage: call });
  });

  test("a turn whose start needs no waiting is prepared by one event (M4)", () => {
    const [prepared, phaseByPhase] = [new Stepper(turnInput()).send({ type: "turn.prepared", history, messages: [hello], limits: unlimited }), running()];
    expect([prepared.value, prepared.context]).toEqual([phaseByPhase.value, phaseByPhase.context]);
    expect(prepared.appended).toEqual([hello]);
  });

  test("a turn that all take part in asks every phase in order (T-11, T-12, T-72, T-74)", () => {
    expect(phasesOf(ALL, ...opening(ALL))).toEqual(["open", "refreshHead", "normalizeInput", "prepareContext", "beforeTurn", "buildTurn"]);
    const turn = answered(ALL).send({ type: "turn.finalized", messages: [{ ...hello, id: "by-hook" }] }, { type: "turn.committed" });
    expect([turn.value, turn.asked]).toEqual(["postPersist", [{ type: "phase.requested", phase: "afterPersist" }]]);
    expect(turn.context.logLength).toBe(3);
    expect(turn.send({ type: "turn.persisted" }).value).toBe("done");
  });

  test.each(["preparesContext", "beforeTurn"] as const)("with %s alone, just that phase is added (M4)", (hook) => {
    const phase = ({ preparesContext: "prepareContext", beforeTurn: "beforeTurn" } as const)[hook];
    expect(phasesOf([hook], ...opening([hook])).filter((asked) => !phasesOf([], ...opening()).includes(asked))).toEqual([phase]);
  });

  test("messages of before_turn hooks come after the input, and the first call sees them (T-12)", () => {
    const turn = new Stepper(turnInput({ hooks: ["beforeTurn"] }));
    turn.send({ type: "turn.opened" }, { type: "head.refreshed", history }, { type: "input.normalized", messages: [hello] });
    turn.send({ type: "hooks.passed", messages: [{ ...hello, id: "by-hook" }] }, { type: "turn.built", limits: unlimited });
    expect(turn.open.command).toMatchObject({ logLength: 2 });
  });
});

describe("what hooks bring", () => {
  const said = { pluginId: "p", role: "User", text: "look closer" } as const;

  test("messages about calls stand behind the results of their batch, as the first a checkpoint would deliver (T-54, T-55)", () => {
    const turn = running({ hooks: ["checkpoints"] }).settle(reply([calls("a"), calls("b")]));
    turn.settle(results({ ...result("a"), messages: [said] }, result("b")));
    expect(turn.appended.map(({ id, role, origin }) => [id, role, origin])).toEqual([["t:2", "User", undefined], ["t:3", "User", { kind: "plugin", pluginId: "p" }]]);
    expect([turn.value, turn.context.logLength]).toEqual([{ running: "atCheckpoint" }, 4]);
  });

  test("an environment that cannot be made ends the turn; a frame to go on in ends it with that switch (T-33, T-66)", () => {
    const broken = running({ hooks: ["syncsEnvironment"] }).settle({ kind: "sync_execution_environment", issue });
    expect([broken.value, broken.context.outcome, broken.context.issues, broken.context.open]).toEqual(["committing", { stopped: "runtime_error" }, [issue], []]);
    const moved = running({ hooks: ["syncsEnvironment"] }).settle({ kind: "sync_execution_environment", switchTo: { frameId: "g", task: "on" } });
    expect(moved.context.outcome).toEqual({ agent_frame_switch: { frame_id: "g", task: "on" } });
  });

  test("who was told that a turn is over is told once: input is looked for before, and a cancel that wins goes on to the commit (T-57, T-72, OP-20)", () => {
    const turn = running({ hooks: ["takesInput", "finalizes"] }).settle(reply([says("Hi.")]));
    expect(turn.open.command).toMatchObject({ kind: "checkpoint", checkpoint: "before_completion" });
    turn.settle({ kind: "checkpoint", messages: [] }).send({ type: "turn.finalized", messages: [] }, { type: "input.waiting" });
    expect(turn.value).toBe("committing");
    turn.send({ type: "cancel.won", messages: [] });
    expect([turn.value, turn.context.outcome, turn.asked]).toEqual(["committing", { stopped: "cancelled" }, [{ type: "phase.requested", phase: "commit" }]]);
  });
});

describe("ends before the model", () => {
  test("a turn that is given up is closed with what it finished, without being driven (ME-22)", () => {
    const turn = new Stepper(turnInput()).send({ type: "turn.givenUp", outcome: { stopped: "runtime_error" }, issues: [issue], usage: call });
    expect([turn.value, turn.asked]).toEqual(["committing", [{ type: "phase.requested", phase: "commit" }]]);
    expect(turn.context).toMatchObject({ outcome: { stopped: "runtime_error" }, issues: [issue], usage: call });
  });

  test("an invalid input settles without a commit (T-9, OP-4)", () => {
    const turn = new Stepper(turnInput()).send({ type: "turn.opened" }, { type: "head.refreshed", history }, { type: "input.refused", issue });
    expect([turn.value, turn.asked]).toEqual(["settling", [{ type: "phase.requested", phase: "settle" }]]);
    expect(turn.send({ type: "turn.settled" }).value).toBe("invalidInput");
    expect(turn.output).toMatchObject({ kind: "ended", outcome: { stopped: "invalid_input" }, issues: [issue], usage: zero });
  });

  test("a hook that aborts settles without a commit (T-13, OP-4)", () => {
    const turn = new Stepper(turnInput({ hooks: ["beforeTurn"] }));
    turn.send({ type: "turn.opened" }, { type: "head.refreshed", history }, { type: "input.normalized", messages: [hello] }, { type: "hooks.aborted", issue });
    expect(turn.value).toBe("settling");
    expect(turn.send({ type: "turn.settled" }).value).toBe("aborted");
    expect(turn.output).toMatchObject({ outcome: { stopped: "plugin_abort" } });
  });

  test("a turn that cannot be built commits as runtime_error with its issue (T-16, T-58)", () => {
    const turn = new Stepper(turnInput()).send(...opening().slice(0, -1), { type: "turn.unbuildable", issue: { kind: "plugin_prompt", message: "no prompt" } });
    expect(turn.value).toBe("committing");
    expect(turn.context).toMatchObject({ outcome: { stopped: "runtime_error" }, issues: [{ kind: "plugin_prompt" }] });
  });
});

describe("interruptions", () => {
  const places: readonly (readonly [string, () => Stepper])[] = [
    ["opening", () => new Stepper(turnInput())],
    ["refreshingHead", () => new Stepper(turnInput()).send({ type: "turn.opened" })],
    ["normalizing", () => new Stepper(turnInput()).send(...opening().slice(0, 2))],
    ["preparingContext", () => new Stepper(turnInput({ hooks: ALL })).send(...opening(ALL).slice(0, 3))],
    ["beforeTurn", () => new Stepper(turnInput({ hooks: ALL })).send(...opening(ALL).slice(0, 4))],
    ["buildingTurn", () => new Stepper(turnInput({ hooks: ["finalizes"] })).send(...opening().slice(0, 3))],
    ["callingModel", () => running()],
    ["runningTools", () => running().settle(reply([calls("a")]))],
    ["cancelling", () => running().send({ type: "turn.cancel" })],
    ["finalizing", () => answered(["finalizes"])],
    ["committing", () => answered()],
    ["postPersist", () => answered(ALL).send({ type: "turn.finalized", messages: [] }, { type: "turn.committed" })],
    ["settling", () => new Stepper(turnInput()).send(...opening().slice(0, 2), { type: "input.refused", issue })],
  ];

  test.each(places)("a lease that is lost in %s fails the turn and aborts what is open (T-75, S-60)", (state, at) => {
    const turn = at();
    expect(JSON.stringify(turn.value)).toContain(state);
    const open = turn.context.open.map(({ effectId }) => ({ type: "effect.aborted", effectId }));
    turn.send({ type: "lease.lost" });
    expect(turn.asked).toEqual(open);
    expect(turn.output).toMatchObject({ kind: "failed", code: "session_execution_lease_lost" });
  });

  test.each(places)("a phase that fails in %s fails the turn with its code (T-61)", (_state, at) => {
    expect(at().send({ type: "turn.failed", code: "store_commit_failed", message: "disk" }).output).toEqual({ kind: "failed", code: "store_commit_failed", message: "disk" });
  });

  test.each(["preparingContext", "beforeTurn", "buildingTurn"])("a cancel in %s finishes as cancelled without a model call (T-63)", (state) => {
    const turn = (places.find(([name]) => name === state)?.[1] ?? expect.fail())();
    turn.send({ type: "turn.cancel" });
    expect(turn.value).toBe("finalizing");
    expect(turn.context.outcome).toEqual({ stopped: "cancelled" });
    expect(turn.all.some(({ type }) => type === "effect.requested")).toBe(false);
    // Replies of the phase that was going on come too late.
    turn.send({ type: "context.prepared" }, { type: "hooks.passed", messages: [] }, { type: "turn.built", limits: unlimited });
    expect(turn.value).toBe("finalizing");
  });

  test.each(["opening", "refreshingHead", "normalizing", "finalizing", "committing", "postPersist", "settling"])("a cancel in %s is not taken there: it waits, or comes too late (T-62)", (state) => {
    const turn = (places.find(([name]) => name === state)?.[1] ?? expect.fail())();
    expect(turn.snapshot.can({ type: "turn.cancel" })).toBe(false);
    const { value } = turn;
    expect(turn.send({ type: "turn.cancel" }).value).toEqual(value);
  });

  test("a fault of the boundary stops the turn as runtime_error, its code on the issue (E-7, ER-6)", () => {
    const turn = running().settle({ kind: "fault", code: "journaled_effect_replay_hash_conflict", message: "other" });
    expect(turn.context).toMatchObject({ outcome: { stopped: "runtime_error" }, issues: [{ kind: "runtime_effect_controller", code: "journaled_effect_replay_hash_conflict" }], open: [] });
    const inTools = running().settle(reply([calls("a")])).settle({ kind: "fault", code: "x", message: "x" });
    expect(inTools.value).toBe("committing");
    expect(running().settle({ kind: "fault", code: "x", message: "x" }, 99).value).toEqual({ running: "callingModel" });
  });
});
