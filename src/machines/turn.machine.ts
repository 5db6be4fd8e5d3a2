// Turn machine: an accepted input's way to a committed outcome (turn.md sections 2 and 3), outer pipeline and inner loop.
//
// Owns: what comes next. The effects actor owns doing it, journaling it and telling this machine what became of it.
//   M1. Pure: no clock, randomness, I/O. What it wants done it sends to the effects actor; nothing is invoked (T-18).
//   M2. A reply counts only while its effect is open: the guards drop stale and repeated ones.
//   M3. The context is JSON and holds no history, so a persisted snapshot stays small however long the session is.
//   M4. Phases nobody takes part in are passed by, not waited in: a macrostep costs as much as all else that a step does.

import { assign, enqueueActions, sendTo, setup } from "xstate";
import type { TurnOutcome } from "../domain/outcome.ts";
import type { EffectsMessage, PhaseName, TurnEvent, TurnOutput } from "./effects.ts";
import type { ProtocolDriver } from "./protocol.ts";
import { assembleOutcome, initialContext, yieldsToInput, type TurnContext, type TurnHook, type TurnMachineInput } from "./turn.context.ts";
import {
  awaits, checkpointDelivery, collectInput, deliver, endsInSync, endsTurn, expired, faultIssue, follow, goOnAfterCompaction, moveAfter, overflows, requestEffect,
  stopCancelled, stopExpired, stopOnModelEnding, stopOnModelFailure, syncStop, toRunner, withMessages, withoutEffect,
  type MoveKind,
} from "./turn.moves.ts";

/** Goes up with every change that makes older snapshots mean something else; they are then refused, never misread. */
export const TURN_MACHINE = { machine: "turn", version: 1 } as const;

export type TurnMachine = ReturnType<typeof buildTurnMachine>;

const machines = new WeakMap<ProtocolDriver, TurnMachine>();

/** The turn machine of a protocol; one per protocol and process. */
export function turnMachine(protocol: ProtocolDriver): TurnMachine {
  let machine = machines.get(protocol);
  if (!machine) {
    machine = buildTurnMachine(protocol);
    machines.set(protocol, machine);
  }
  return machine;
}

function buildTurnMachine(protocol: ProtocolDriver) {
  const turn = setup({
    types: {
      context: {} as TurnContext,
      events: {} as TurnEvent,
      input: {} as TurnMachineInput,
      output: {} as TurnOutput,
    },
    guards: {
      takesPart: ({ context }, params: { hook: TurnHook }) => context.hooks.includes(params.hook),
      needsEnvironment: ({ context }) => context.hooks.includes("syncsEnvironment"),
      isSyncEnding: ({ context, event }) => awaits(context, event, "sync_execution_environment") && endsInSync(event),
      isSynced: ({ context, event }) => awaits(context, event, "sync_execution_environment"),
      isModelEnding: ({ context, event }) => awaits(context, event, "llm_call") && endsTurn(event),
      isModelFailure: ({ context, event }) => awaits(context, event, "llm_failure"),
      isLong: ({ event }) => "isLong" in event && event.isLong === true,
      isOverflow: ({ context, event }) => overflows(context, event),
      isOverflowAnswer: ({ context, event }) => overflows(context, event) && awaits(context, event, "llm_call"),
      isShorter: ({ context, event }) =>
        context.outcome !== null && awaits(context, event, "compact") && event.type === "effect.settled" && event.outcome.kind === "compact" && event.outcome.isShorter,
      isStillTooLong: ({ context, event }) => context.outcome !== null && awaits(context, event),
      isOpenBeforeSync: ({ context, event }) => awaits(context, event) && context.hooks.includes("syncsEnvironment"),
      isFault: ({ context, event }) => awaits(context, event, "fault"),
      isOpen: ({ context, event }) => awaits(context, event),
      movesTo: ({ context, event }, params: { move: MoveKind }) => moveAfter(protocol, context, event) === params.move,
      iteratesWithSync: ({ context, event }) =>
        context.hooks.includes("syncsEnvironment") && moveAfter(protocol, context, event) === "iterate",
      delivers: ({ context, event }, params: { delivery: ReturnType<typeof checkpointDelivery> }) =>
        checkpointDelivery(context, event) === params.delivery,
      yieldsToInput: ({ context }) => yieldsToInput(context),
      wasRefused: ({ context }) => context.outcome !== null && "stopped" in context.outcome && context.outcome.stopped === "invalid_input",
    },
    actions: {
      requestPhase: sendTo(toRunner, (_, params: { phase: PhaseName }): EffectsMessage => ({ type: "phase.requested", phase: params.phase })),
      requestModelCall: enqueueActions(({ context, enqueue }) => {
        requestEffect(context, enqueue, { kind: "llm_call", iteration: context.iteration, logLength: context.logLength });
      }),
      requestToolBatch: enqueueActions(({ context, enqueue }) => {
        requestEffect(context, enqueue, { kind: "tool_batch", iteration: context.iteration, logIndex: context.logLength - 1 });
      }),
      requestEnvironment: enqueueActions(({ context, enqueue }) => {
        requestEffect(context, enqueue, { kind: "sync_execution_environment", iteration: context.iteration });
      }),
      requestCompaction: enqueueActions(({ context, enqueue }) => {
        requestEffect(context, enqueue, { kind: "compact", iteration: context.iteration, logLength: context.logLength }, { hasCompacted: true });
      }),
      goOnAfterCompaction: assign(({ context, event }) => goOnAfterCompaction(context, event)),
      abortOpenEffects: enqueueActions(({ context, enqueue }) => {
        for (const { effectId } of context.open) enqueue.sendTo(toRunner, { type: "effect.aborted", effectId } satisfies EffectsMessage);
      }),
      recordLimits: assign(({ event, context }) => ("limits" in event ? event.limits : context)),
      recordHistory: assign({ history: ({ event, context }) => ("history" in event ? event.history : context.history) }),
      appendMessages: enqueueActions(({ context, event, enqueue }) => {
        if ("messages" in event) enqueue.assign(withMessages(context, enqueue, event.messages));
      }),
      recordPrepared: enqueueActions(({ context, event, enqueue }) => {
        if (event.type !== "turn.prepared") return;
        const { history, limits, messages } = event;
        enqueue.assign({ history, ...limits, ...withMessages(context, enqueue, messages) });
      }),
      /** Records the reply, appends what the protocol makes of it and asks for the effect that follows, if one does. */
      follow: enqueueActions(({ context, event, enqueue }) => follow(protocol, context, event, enqueue)),
      closeEffect: assign(({ context, event }) => withoutEffect(context, event)),
      stopOnSync: assign(({ context, event }) => ({ ...withoutEffect(context, event), ...syncStop(context, event) })),
      stopOnModelEnding: enqueueActions(({ context, event, enqueue }) => stopOnModelEnding(context, event, enqueue)),
      stopOnModelFailure: enqueueActions(({ context, event, enqueue }) => stopOnModelFailure(context, event, enqueue)),
      recordExpiry: assign(({ context, event }) => {
        const { outcome, issue } = expired(event);
        return { outcome, issues: [...context.issues, issue] };
      }),
      stopExpired: enqueueActions(({ context, event, enqueue }) => stopExpired(protocol, context, event, enqueue)),
      stopOnFault: assign(({ context, event }) => ({
        ...withoutEffect(context, event),
        afterCheckpoint: null,
        outcome: { stopped: "runtime_error" } satisfies TurnOutcome,
        issues: [...context.issues, faultIssue(event)],
      })),
      stopCancelled: enqueueActions(({ context, event, enqueue }) => stopCancelled(protocol, context, event, enqueue)),
      stopOnIssue: assign(({ context, event }, params: { stop: "invalid_input" | "plugin_abort" | "runtime_error" }) => ({
        outcome: { stopped: params.stop },
        issues: "issue" in event ? [...context.issues, event.issue] : context.issues,
      })),
      deliver: enqueueActions(({ context, event, enqueue }) => deliver(context, event, enqueue)),
      collectInput: enqueueActions(({ context, enqueue }) => collectInput(context, enqueue)),
      recordResult: assign(({ context, event }) => {
        if (event.type !== "turn.givenUp") return context;
        const { outcome, issues, usage } = event;
        return { outcome, issues, usage };
      }),
      assemble: enqueueActions(({ context, enqueue }) => {
        if (!context.outcome) enqueue.assign(assembleOutcome(context));
      }),
      recordFailure: assign({ failure: (_, params: { code: string; message: string }) => params }),
    },
  });

  /** Where a reply can lead, read off the protocol's decision; `follow` carries the decision out. */
  const moves = [
    // Re-entered also from itself: a state asks on entry, and one that did not ask would wait for ever.
    { guard: { type: "movesTo", params: { move: "runTools" } }, target: "runningTools", reenter: true, actions: "follow" },
    { guard: { type: "movesTo", params: { move: "runCode" } }, target: "runningCode", actions: "follow" },
    { guard: { type: "movesTo", params: { move: "collect" } }, target: "atCheckpoint", actions: "follow" },
    { guard: "iteratesWithSync", target: "syncingEnvironment", actions: "follow" },
    { guard: { type: "movesTo", params: { move: "iterate" } }, target: "callingModel", reenter: true, actions: "follow" },
    { guard: { type: "movesTo", params: { move: "finish" } }, target: "#turn.assembling", actions: "follow" },
  ] as const;

  return turn.createMachine({
    id: TURN_MACHINE.machine,
    version: String(TURN_MACHINE.version),
    options: { maxIterations: 1000 },
    context: ({ input }) => initialContext(input ?? { sessionId: "", turnId: "", hooks: [] }),
    initial: "opening",
    output: ({ context }): TurnOutput =>
      context.failure
        ? { kind: "failed", ...context.failure }
        : { kind: "ended", outcome: context.outcome ?? { stopped: "runtime_error" }, issues: context.issues, usage: context.usage },
    on: {
      "lease.lost": {
        target: ".failed",
        actions: [
          "abortOpenEffects",
          { type: "recordFailure", params: { code: "session_execution_lease_lost", message: "another owner took this session over; what was finished is durable and goes on there" } },
        ],
      },
      "turn.failed": {
        target: ".failed",
        actions: { type: "recordFailure", params: ({ event }) => ({ code: event.code, message: event.message }) },
      },
    },
    states: {
      // The turn is claimed: its input is durable. Where all that the phases up to the first model call would bring is at hand, they are
      // passed by (M4).
      opening: {
        entry: { type: "requestPhase", params: { phase: "open" } },
        on: {
          "turn.opened": "refreshingHead",
          "turn.prepared": [
            { guard: "isLong", target: "running.compacting", actions: "recordPrepared" },
            { target: "running", actions: "recordPrepared" },
          ],
          "turn.givenUp": { target: "assembling", actions: "recordResult" },
        },
      },
      refreshingHead: {
        entry: { type: "requestPhase", params: { phase: "refreshHead" } },
        on: { "head.refreshed": { target: "normalizing", actions: "recordHistory" } },
      },
      normalizing: {
        entry: { type: "requestPhase", params: { phase: "normalizeInput" } },
        on: {
          "input.normalized": [
            { guard: { type: "takesPart", params: { hook: "preparesContext" } }, target: "preparingContext", actions: "appendMessages" },
            { guard: { type: "takesPart", params: { hook: "beforeTurn" } }, target: "beforeTurn", actions: "appendMessages" },
            { target: "buildingTurn", actions: "appendMessages" },
          ],
          "input.refused": { target: "settling", actions: { type: "stopOnIssue", params: { stop: "invalid_input" } } },
        },
      },
      preparingContext: {
        entry: { type: "requestPhase", params: { phase: "prepareContext" } },
        on: {
          "context.prepared": [
            { guard: { type: "takesPart", params: { hook: "beforeTurn" } }, target: "beforeTurn" },
            { target: "buildingTurn" },
          ],
          "turn.cancel": { target: "assembling", actions: "stopCancelled" },
        },
      },
      beforeTurn: {
        entry: { type: "requestPhase", params: { phase: "beforeTurn" } },
        on: {
          "hooks.passed": { target: "buildingTurn", actions: "appendMessages" },
          "hooks.aborted": { target: "settling", actions: { type: "stopOnIssue", params: { stop: "plugin_abort" } } },
          "turn.cancel": { target: "assembling", actions: "stopCancelled" },
        },
      },
      buildingTurn: {
        entry: { type: "requestPhase", params: { phase: "buildTurn" } },
        on: {
          "turn.built": [
            { guard: "isLong", target: "running.compacting", actions: "recordLimits" },
            { guard: "needsEnvironment", target: "running.syncingEnvironment", actions: "recordLimits" },
            { target: "running", actions: "recordLimits" },
          ],
          "turn.unbuildable": { target: "assembling", actions: { type: "stopOnIssue", params: { stop: "runtime_error" } } },
          "turn.cancel": { target: "assembling", actions: "stopCancelled" },
        },
      },
      running: {
        initial: "callingModel",
        on: {
          "turn.cancel": { target: ".cancelling", actions: "abortOpenEffects" },
          "turn.expire": { target: ".expiring", actions: ["abortOpenEffects", "recordExpiry"] },
          "effect.settled": { guard: "isFault", target: "assembling", actions: "stopOnFault" },
        },
        states: {
          // T-33: once per iteration, before its model call.
          syncingEnvironment: {
            entry: "requestEnvironment",
            on: {
              "effect.settled": [
                { guard: "isSyncEnding", target: "#turn.assembling", actions: "stopOnSync" },
                { guard: "isSynced", target: "callingModel", actions: "closeEffect" },
              ],
            },
          },
          // ME-16: before a call that would be too long, or after one that was; the outcome is set in the latter case.
          compacting: {
            entry: "requestCompaction",
            on: {
              "effect.settled": [
                { guard: "isShorter", target: "callingModel", actions: "goOnAfterCompaction" },
                { guard: "isStillTooLong", target: "#turn.assembling", actions: "closeEffect" },
                { guard: "isOpenBeforeSync", target: "syncingEnvironment", actions: "closeEffect" },
                { guard: "isOpen", target: "callingModel", actions: "closeEffect" },
              ],
            },
          },
          callingModel: {
            entry: "requestModelCall",
            on: {
              "effect.settled": [
                { guard: "isOverflowAnswer", target: "compacting", actions: "stopOnModelEnding" },
                { guard: "isOverflow", target: "compacting", actions: "stopOnModelFailure" },
                { guard: "isModelEnding", target: "#turn.assembling", actions: "stopOnModelEnding" },
                { guard: "isModelFailure", target: "#turn.assembling", actions: "stopOnModelFailure" },
                ...moves,
              ],
            },
          },
          runningTools: {
            entry: "requestToolBatch",
            on: { "effect.settled": [...moves] },
            initial: "executing",
            states: {
              executing: { on: { "tools.parked": "parked" } },
              // OP-8: nothing runs, so the turn may be left here and taken up again by whoever opens the session next.
              parked: { on: { "tools.resumed": "executing", "turn.suspend": "#turn.suspended" } },
            },
          },
          runningCode: { on: { "effect.settled": [...moves] } },
          // T-55..T-57: what arrived meanwhile goes on with the turn, even just before its completion.
          atCheckpoint: {
            on: {
              "effect.settled": [
                { guard: { type: "delivers", params: { delivery: "abort" } }, target: "#turn.assembling", actions: "deliver" },
                { guard: { type: "delivers", params: { delivery: "pastLimit" } }, target: "#turn.assembling", actions: "deliver" },
                { guard: { type: "delivers", params: { delivery: "nothingAndFinish" } }, target: "#turn.assembling", actions: "deliver" },
                { guard: { type: "delivers", params: { delivery: "iterateWithSync" } }, target: "syncingEnvironment", actions: "deliver" },
                { guard: { type: "delivers", params: { delivery: "iterate" } }, target: "callingModel", actions: "deliver" },
              ],
            },
          },
          // T-63, T-64: the open effect is aborted and heard out, so that finished work stays in the history.
          cancelling: {
            on: {
              "turn.cancel": {},
              "turn.expire": {},
              "effect.settled": { guard: "isOpen", target: "#turn.assembling", actions: "stopCancelled" },
            },
          },
          // ME-10: the same, where the turn's time is over.
          expiring: {
            on: {
              "turn.cancel": {},
              "turn.expire": {},
              "effect.settled": { guard: "isOpen", target: "#turn.assembling", actions: "stopExpired" },
            },
          },
        },
      },
      assembling: {
        entry: "assemble",
        always: [{ guard: { type: "takesPart", params: { hook: "finalizes" } }, target: "finalizing" }, { target: "committing" }],
      },
      finalizing: {
        entry: { type: "requestPhase", params: { phase: "finalize" } },
        on: { "turn.finalized": { target: "committing", actions: "appendMessages" } },
      },
      committing: {
        entry: { type: "requestPhase", params: { phase: "commit" } },
        on: {
          "turn.committed": [
            { guard: { type: "takesPart", params: { hook: "afterPersist" } }, target: "postPersist" },
            { target: "done" },
          ],
          // T-57: nothing was committed. The turn goes on with what arrived since its last look.
          "input.waiting": { guard: "yieldsToInput", target: "running.atCheckpoint", actions: "collectInput" },
          "cancel.won": [
            // Who was told that the turn is over has had its say, and is not asked again.
            { guard: { type: "takesPart", params: { hook: "finalizes" } }, target: "committing", reenter: true, actions: ["appendMessages", "stopCancelled"] },
            { target: "assembling", actions: ["appendMessages", "stopCancelled"] },
          ],
        },
      },
      postPersist: {
        entry: { type: "requestPhase", params: { phase: "afterPersist" } },
        on: { "turn.persisted": "done" },
      },
      // OP-4: the turn ends without moving the session's head.
      settling: {
        entry: { type: "requestPhase", params: { phase: "settle" } },
        on: { "turn.settled": [{ guard: "wasRefused", target: "invalidInput" }, { target: "aborted" }] },
      },
      done: { type: "final" },
      suspended: { type: "final" },
      invalidInput: { type: "final" },
      aborted: { type: "final" },
      failed: { type: "final" },
    },
  });
}
