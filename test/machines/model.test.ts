// Model-based: every transition of both charts is taken, and no sequence of events of bounded length leads to an error or to
// a state that nothing can move on.

import { describe, expect, test } from "vitest";
import { getNextTransitions, initialTransition, transition, type AnyStateMachine, type SnapshotFrom } from "xstate";
import { getAdjacencyMap } from "xstate/graph";
import type { EffectOutcome, EffectsMessage, TurnEvent } from "../../src/machines/effects.ts";
import { sessionMachine, type SessionEvent } from "../../src/machines/session.machine.ts";
import type { TurnContext, TurnHook } from "../../src/machines/turn.context.ts";
import type { Decision, ProtocolDriver } from "../../src/machines/protocol.ts";
import { turnMachine, type TurnMachine } from "../../src/machines/turn.machine.ts";
import { standardProtocol } from "../../src/protocols/standard.ts";
import { call, calls, codeProtocol, fails, fault, hello, history, issue, ok, reply, result, results, says, turnInput, unlimited } from "../support/turn-steps.ts";
import { declared, taken } from "./walk.ts";

const ALL: readonly TurnHook[] = ["preparesContext", "beforeTurn", "syncsEnvironment", "takesInput", "checkpoints", "finalizes", "afterPersist", "compacts"];

/** Goes anywhere from anywhere a protocol may: its results say where. */
const anyProtocol: ProtocolDriver = {
  id: "any",
  version: 1,
  onModelReply: (_view, { parts }): Decision => ({ next: parts.length > 0 ? { type: "runTools" } : { type: "runCode", language: "l", code: "c" } }),
  onToolResults: (_view, each): Decision => ({ next: each.length > 1 ? { type: "runCode", language: "l", code: "c" } : { type: "runTools" } }),
  onCodeResult: (_view, value): Decision => ({ next: value === "again" ? { type: "runTools" } : { type: "runCode", language: "l", code: "c" } }),
};

const outcomes: readonly EffectOutcome[] = [
  reply([says("Hi.")]), reply([calls("a")]), reply([]), reply([says("x")], { terminalReason: "output_limit" }), fails(), fault,
  fails({ terminalReason: "context_overflow" }), reply([], { terminalReason: "context_overflow" }), { kind: "compact", isShorter: true }, { kind: "compact", isShorter: false },
  results(result("a")), results(result("a"), result("b")), results(result("a", ok("x", { type: "finish", value: 1 }))),
  { kind: "exec_code", result: "again" }, { kind: "exec_code", result: 1 },
  { kind: "checkpoint", messages: [] }, { kind: "checkpoint", messages: [{ ...hello, id: "in" }] }, { kind: "checkpoint", messages: [], abort: issue },
  { kind: "sync_execution_environment" }, { kind: "sync_execution_environment", issue }, { kind: "sync_execution_environment", switchTo: { frameId: "g", task: "on" } },
];

const plain: readonly TurnEvent[] = [
  { type: "turn.opened" }, { type: "head.refreshed", history }, { type: "input.normalized", messages: [hello] }, { type: "input.refused", issue },
  { type: "context.prepared" }, { type: "hooks.passed", messages: [] }, { type: "hooks.aborted", issue }, { type: "turn.built", limits: unlimited }, { type: "turn.built", limits: unlimited, isLong: true }, { type: "turn.unbuildable", issue },
  { type: "turn.finalized", messages: [] }, { type: "turn.settled" }, { type: "turn.committed" }, { type: "turn.persisted" }, { type: "input.waiting" }, { type: "cancel.won", messages: [] },
  { type: "tools.parked" }, { type: "tools.resumed" }, { type: "turn.suspend" }, { type: "turn.givenUp", outcome: { stopped: "runtime_error" }, issues: [issue], usage: call },
  { type: "turn.failed", code: "x", message: "x" }, { type: "lease.lost" }, { type: "turn.cancel" },
  { type: "turn.prepared", history, messages: [hello], limits: unlimited }, { type: "turn.prepared", history, messages: [hello], limits: unlimited, isLong: true }, { type: "turn.givenUp", outcome: { stopped: "runtime_error" }, issues: [issue], usage: call }, { type: "tools.parked" }, { type: "tools.resumed" }, { type: "turn.suspend" }, { type: "turn.expire", timeoutMs: 5 },
];

/** Everything that may reach a turn of that limit: also replies to effects that are not open, and to none. */
const turnEvents = ({ context }: { readonly context: TurnContext }, maxTurns: number | null): TurnEvent[] => [
  ...plain.map((event) => ("limits" in event ? { ...event, limits: { maxTurns, tokenBudget: null } } : event)),
  ...[...context.open.map(({ effectId }) => effectId), 99].flatMap((effectId) => outcomes.map((outcome): TurnEvent => ({ type: "effect.settled", effectId, outcome, source: "run" }))),
];

/** What makes two snapshots the same for what can follow: counters that only grow do not. */
const shapeOf = ({ value, context }: { readonly value: unknown; readonly context: TurnContext }): string =>
  JSON.stringify([
    value, context.open.map(({ command }) => command.kind), context.afterCheckpoint?.type, context.outcome && ("stopped" in context.outcome ? context.outcome.stopped : Object.keys(context.outcome)), context.failure?.code,
    context.endsWithToolResult, context.maxTurns === null ? null : Math.min(context.iteration, context.maxTurns), context.history === null, context.hasCompacted,
  ]);

interface Asked {
  readonly type: string;
  readonly params: unknown;
}

const asksOf = (actions: readonly Asked[]): readonly EffectsMessage[] => actions.flatMap(({ type, params }) => (type === "xstate.sendTo" ? [(params as { event: EffectsMessage }).event] : []));

describe("the turn chart", () => {
  const variants = [
    [standardProtocol, []], [standardProtocol, ALL], [codeProtocol, []], [codeProtocol, ["syncsEnvironment"]], [codeProtocol, ALL], [anyProtocol, []],
    ...ALL.map((hook) => [standardProtocol, [hook]] as const),
  ] as const;

  /** Walks all that can follow, shape by shape; tells of every step. */
  function walk(visit: (machine: TurnMachine, before: SnapshotFrom<TurnMachine>, event: TurnEvent, after: SnapshotFrom<TurnMachine>, asked: readonly EffectsMessage[]) => void): number {
    let shapes = 0;
    for (const [protocol, hooks] of variants) {
      for (const maxTurns of [null, 1]) {
        const machine = turnMachine(protocol);
        const [initial] = initialTransition(machine, turnInput({ hooks }));
        const seen = new Set([shapeOf(initial)]);
        const frontier = [initial];
        for (let snapshot = frontier.pop(); snapshot; snapshot = frontier.pop()) {
          shapes++;
          for (const event of turnEvents(snapshot, maxTurns)) {
            const [next, actions] = transition(machine, snapshot, event);
            visit(machine, snapshot, event, next, asksOf(actions));
            const shape = shapeOf(next);
            if (next.status !== "active" || seen.has(shape)) continue;
            seen.add(shape);
            frontier.push(next);
          }
        }
      }
    }
    return shapes;
  }

  const missing = new Set([...declared(turnMachine(standardProtocol)), ...declared(turnMachine(codeProtocol))]);
  const failed: string[] = [];
  const stuck: string[] = [];
  const shapes = walk((machine, before, event, after, asked) => {
    for (const id of taken(machine as unknown as AnyStateMachine, before as never, event)) missing.delete(id);
    if (after.status === "error") failed.push(`${JSON.stringify(before.value)} ${JSON.stringify(event)}`);
    const moved = JSON.stringify(before.value) !== JSON.stringify(after.value) || asked.length > 0;
    if (after.status !== "active" || !moved) return;
    // It asked for a phase, or it waits for the one effect that is open.
    const requested = asked.flatMap((message) => (message.type === "effect.requested" ? [message.request.effectId] : []));
    const open = after.context.open.map(({ effectId }) => effectId);
    const waits = asked.some(({ type }) => type === "phase.requested") || (open.length === 1 && requested.every((effectId) => open.includes(effectId)));
    const canEnd = getNextTransitions(after).some(({ eventType }) => eventType === "lease.lost");
    if (!waits || !canEnd) stuck.push(`${JSON.stringify(after.value)} after ${JSON.stringify(event)}`);
  });

  test("every transition it declares is taken by some sequence of events (T-1..T-33)", () => {
    expect([...missing]).toEqual([]);
    expect(shapes).toBeGreaterThan(200);
  });

  test("no sequence of events leads to an error status (T-18, M1)", () => {
    expect(failed).toEqual([]);
  });

  test("no sequence of events leads to a state that waits for nothing: something is asked for, and only that is open (T-22, M2)", () => {
    expect(stuck).toEqual([]);
  });
});

describe("the session chart", () => {
  const SEEN = ["idle", "inTurn", "parked", "deleting", "retired"] as const;
  const events: readonly SessionEvent[] = [
    { type: "session.open" }, { type: "session.loaded", repaired: false }, { type: "session.loaded", repaired: true }, { type: "session.loadFailed", code: "x", message: "x" },
    ...SEEN.map((state): SessionEvent => ({ type: "session.seen", state })),
    { type: "session.changed" }, { type: "session.reopen" }, { type: "session.park" }, { type: "session.close" }, { type: "session.flushed" }, { type: "session.flushFailed", code: "x", message: "x" },
    { type: "handle.opened" }, { type: "handle.released" }, { type: "turn.started" }, { type: "turn.claimed" }, { type: "turn.committing" }, { type: "turn.committed", follows: false },
    { type: "turn.committed", follows: true }, { type: "turn.settled" }, { type: "turn.continued" }, { type: "turn.parked" }, { type: "turn.left" }, { type: "turn.commitFailed", code: "x", message: "x" }, { type: "lease.lost" },
  ];
  interface SessionStep {
    readonly event: SessionEvent;
    readonly state: SnapshotFrom<typeof sessionMachine>;
  }
  const stepsOf = (transitions: object): readonly SessionStep[] => Object.values(transitions) as SessionStep[];
  const inputs = [
    { sessionId: "s", residency: "keep_all", hasStore: true }, { sessionId: "s", residency: "active_path_only", hasStore: false },
  ] as const;
  const statesOf = (input: (typeof inputs)[number]) =>
    Object.values(
      getAdjacencyMap(sessionMachine, {
        input,
        events: [...events],
        limit: 200_000,
        serializeState: ({ value, context }) => JSON.stringify([value, Math.min(2, Math.max(0, context.handles))]),
        stopWhen: ({ context }) => context.handles > 2 || context.handles < 0,
      }),
    );

  test("every transition it declares is taken by some sequence of events (S-42..S-60)", () => {
    const missing = declared(sessionMachine as unknown as AnyStateMachine);
    for (const input of inputs) {
      for (const { state } of statesOf(input)) {
        for (const event of events) for (const id of taken(sessionMachine as unknown as AnyStateMachine, state as never, event)) missing.delete(id);
      }
    }
    expect([...missing]).toEqual([]);
  });

  test("no sequence of events leads to an error status, or to a state from which it cannot be opened, closed or deleted (S-42, R2)", () => {
    for (const input of inputs) {
      const states = statesOf(input);
      expect(states.length).toBeGreaterThan(2);
      for (const { state, transitions } of states) {
        expect(state.status).toBe("active");
        const { residency } = state.value as { residency: string | object };
        if (residency === "closed") continue;
        const leavesIt = stepsOf(transitions).some(({ state: next }) => JSON.stringify((next.value as { residency: unknown }).residency) !== JSON.stringify(residency));
        expect({ residency, leavesIt }).toEqual({ residency, leavesIt: true });
      }
    }
  });

  test("no event of a run moves a session that is being deleted, or is gone, to where it can run; what the store says does (R3, S-89)", () => {
    const gone = new Set(["deleting", "retired"]);
    for (const { state, transitions } of statesOf(inputs[0])) {
      const { durable } = state.value as { durable: string };
      if (!gone.has(durable)) continue;
      for (const { event, state: next } of stepsOf(transitions)) {
        if (event.type === "session.seen" || event.type === "turn.claimed") continue;
        expect((next.value as { durable: string }).durable).toBe(durable);
      }
    }
  });

  test("the two regions are apart: residency moves alike whatever the store says, but for a session that is gone (R3)", () => {
    const residencyAfter = (states: ReturnType<typeof statesOf>, durable: string) =>
      new Map(
        states
          .filter(({ state }) => (state.value as { durable: string }).durable === durable)
          .flatMap(({ state, transitions }) =>
            stepsOf(transitions)
              .filter(({ event }) => event.type !== "session.seen")
              .map(({ event, state: next }) => [
                JSON.stringify([(state.value as { residency: unknown }).residency, state.context.handles, event]),
                JSON.stringify((next.value as { residency: unknown }).residency),
              ]),
          ),
      );
    const states = statesOf(inputs[0]);
    const [inTurn, parked] = [residencyAfter(states, "inTurn"), residencyAfter(states, "parked")];
    const both = [...inTurn].filter(([step]) => parked.has(step));
    expect(both.length).toBeGreaterThan(100);
    for (const [step, residency] of both) expect([step, parked.get(step)]).toEqual([step, residency]);
  });
});
