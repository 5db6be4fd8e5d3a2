// A machine with the shape of the runtime's turn: outer pipeline, nested inner loop, effects by message.
import { assign, sendTo, setup, type AnyActorRef } from "xstate";

export interface TurnInput { readonly session: string; readonly turn: string; readonly effects: AnyActorRef; readonly apiKey?: string }

interface TurnContext {
  readonly turnId: string;
  readonly effects: AnyActorRef;
  readonly nextEffectId: number;
  readonly open: readonly { readonly effectId: number; readonly kind: string }[];
  readonly iteration: number;
  readonly usage: { readonly inputTokens: number; readonly outputTokens: number };
  readonly apiKey: string | null;
}

type TurnEvent =
  | { readonly type: "effect.settled"; readonly effectId: number; readonly kind: string; readonly replayed: boolean; readonly outcome?: unknown }
  | { readonly type: "turn.cancel" }
  | { readonly type: "lease.lost" };

export const turnMachine = setup({
  types: { context: {} as TurnContext, events: {} as TurnEvent, input: {} as TurnInput },
  guards: {
    isAwaited: ({ context, event }) => event.type === "effect.settled" && context.open.some((effect) => effect.effectId === event.effectId),
    wantsTools: ({ context, event }) => event.type === "effect.settled" && event.outcome === "tool_calls" && context.iteration < 3,
    hasFailed: ({ event }) => event.type === "effect.settled" && event.outcome === "failed",
    hasMail: ({ event }) => event.type === "effect.settled" && event.outcome === "mail",
    switchesFrame: ({ event }) => event.type === "effect.settled" && event.outcome === "switch_frame",
  },
  actions: {
    countEffect: assign(({ context }, { kind }: { kind: string }) => ({
      nextEffectId: context.nextEffectId + 1,
      open: [...context.open, { effectId: context.nextEffectId, kind }],
    })),
    sendRequest: sendTo(
      ({ context }) => context.effects,
      ({ context }, { kind }: { kind: string }) => ({ type: "effect.requested", effectId: context.nextEffectId - 1, kind, replayKey: `${context.turnId}:${context.nextEffectId - 1}` }),
    ),
    closeEffect: assign(({ context, event }) => ({ open: context.open.filter((effect) => event.type !== "effect.settled" || effect.effectId !== event.effectId) })),
    addUsage: assign(({ context }) => ({ usage: { inputTokens: context.usage.inputTokens + 412, outputTokens: context.usage.outputTokens + 96 } })),
    advanceIteration: assign(({ context }) => ({ iteration: context.iteration + 1 })),
    dropAll: assign({ open: [] }),
  },
}).createMachine({
  id: "turn",
  description: "One turn: accepted input to committed outcome.",
  context: ({ input }) => ({
    turnId: input.turn, effects: input.effects, nextEffectId: 1, open: [], iteration: 0, usage: { inputTokens: 0, outputTokens: 0 }, apiKey: input.apiKey ?? null,
  }),
  initial: "claimingLane",
  on: {
    "turn.cancel": { target: ".stopped.cancelled", actions: "dropAll" },
    "lease.lost": ".stopped.failed",
  },
  states: {
    claimingLane: step("claim_lane", "drainingCommands"),
    drainingCommands: step("drain_commands", "refreshingHead"),
    refreshingHead: step("refresh_head", "normalizing"),
    normalizing: { always: "preparingContext" },
    preparingContext: step("prepare_context", "beforeTurn"),
    beforeTurn: step("before_turn", "preparedCheckpoint"),
    preparedCheckpoint: step("checkpoint", "running"),
    running: {
      initial: "preparingIteration",
      onDone: "finalizing",
      on: { "effect.settled": { guard: "hasFailed", target: "stopped.failed" } },
      states: {
        preparingIteration: step("sync_environment", "callingModel"),
        callingModel: {
          entry: ask("llm_call"),
          on: {
            "effect.settled": [
              { guard: "hasFailed", target: "modelFailed" },
              { guard: "wantsTools", target: "runningTools", actions: ["closeEffect", "addUsage"] },
              { guard: "isAwaited", target: "checkpointing", actions: ["closeEffect", "addUsage"] },
            ],
          },
        },
        runningTools: {
          entry: ask("tool_batch"),
          on: { "effect.settled": { guard: "isAwaited", target: "checkingMail", actions: ["closeEffect", "advanceIteration"] } },
        },
        checkingMail: step("checkpoint", "preparingIteration"),
        checkpointing: {
          entry: ask("checkpoint"),
          on: {
            "effect.settled": [
              { guard: "hasMail", target: "preparingIteration", actions: ["closeEffect", "advanceIteration"] },
              { guard: "isAwaited", target: "finished", actions: "closeEffect" },
            ],
          },
        },
        modelFailed: { type: "final" },
        finished: { type: "final" },
      },
    },
    finalizing: step("finalize", "committing"),
    committing: step("commit", "postPersist"),
    postPersist: {
      entry: ask("hooks"),
      on: {
        "effect.settled": [
          { guard: "switchesFrame", target: "followingFrame", actions: "closeEffect" },
          { guard: "isAwaited", target: "done", actions: "closeEffect" },
        ],
      },
    },
    followingFrame: { always: "refreshingHead" },
    stopped: { initial: "failed", states: { cancelled: { type: "final" }, failed: { type: "final" } } },
    done: { type: "final" },
  },
});

/** Asks for an effect of `kind` on entry; `effect.settled` leads on. */
function ask(kind: string) {
  return [{ type: "countEffect" as const, params: { kind } }, { type: "sendRequest" as const, params: { kind } }];
}

function step<Target extends string>(kind: string, target: Target) {
  return { entry: ask(kind), on: { "effect.settled": { guard: "isAwaited" as const, target, actions: "closeEffect" as const } } };
}
