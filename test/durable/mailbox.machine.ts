// A mailbox: a machine that has nothing to do with turns, for the durable runner. Written outside src, on the runner's types alone.
//
// It asks for two effects at once, claims rows in a step, has its mail sorted by a body with a journal of its own, waits for an answer,
// sleeps, and ends - unless mail has come meanwhile: then its end is refused, and it collects once more.

import { assign, enqueueActions, setup, type ActorSystem, type ActorSystemInfo, type AnyActorRef } from "xstate";
import type { DurableMachine, DurableRequest, RunnerMessage, RunTypes } from "../../src/actors/durable/contract.ts";
import { LashError } from "../../src/domain/errors.ts";
import { RUNNER } from "../../src/machines/effects.ts";

export type MailCommand =
  | { readonly kind: "fetch"; readonly from: "north" | "south" }
  | { readonly kind: "collect" }
  | { readonly kind: "sort"; readonly letters: readonly string[] }
  | { readonly kind: "ask" }
  | { readonly kind: "sleep" };

export interface MailRequest extends DurableRequest {
  readonly command: MailCommand;
}

export type MailEvent =
  | { readonly type: "mail.fetched"; readonly effectId: number; readonly text: string }
  | { readonly type: "mail.collected"; readonly effectId: number; readonly letters: readonly string[] }
  | { readonly type: "mail.sorted"; readonly effectId: number; readonly sorted: readonly string[] }
  | { readonly type: "answer.came"; readonly effectId: number; readonly answer: string }
  | { readonly type: "sleep.over"; readonly effectId: number }
  | { readonly type: "mail.waits" }
  | { readonly type: "box.closed" }
  | { readonly type: "box.cancel" }
  | { readonly type: "effect.faulted"; readonly effectId: number; readonly message: string }
  | { readonly type: "run.failed"; readonly message: string }
  | { readonly type: "run.parked" }
  | { readonly type: "run.resumed" }
  | { readonly type: "run.suspended" };

export interface MailContext {
  readonly boxId: string;
  readonly nextEffectId: number;
  readonly open: readonly MailRequest[];
  readonly fetched: readonly string[];
  readonly sorted: readonly string[];
  readonly answer: string | null;
  readonly isCancelled: boolean;
}

const toRunner = ({ system }: { system: ActorSystem<ActorSystemInfo> }): AnyActorRef => system.get(RUNNER) as AnyActorRef;

type Message = RunnerMessage<{ readonly request: MailRequest; readonly phase: "close" }>;

export const mailboxMachine = setup({
  types: { context: {} as MailContext, events: {} as MailEvent, input: {} as { readonly boxId: string } },
  guards: {
    isOpen: ({ context, event }) => "effectId" in event && context.open.some(({ effectId }) => effectId === event.effectId),
    isLastFetch: ({ context, event }) => event.type === "mail.fetched" && context.open.length === 1 && context.open[0]?.effectId === event.effectId,
    hasLetters: ({ context, event }) => event.type === "mail.collected" && context.open.some(({ effectId }) => effectId === event.effectId) && event.letters.length > 0,
    wasAnswered: ({ context }) => context.answer !== null,
  },
  actions: {
    ask: enqueueActions(({ context, enqueue }, params: { commands: readonly MailCommand[] }) => {
      const requests = params.commands.map((command, i): MailRequest => ({ effectId: context.nextEffectId + i, replayKey: `${context.boxId}:${context.nextEffectId + i}`, command }));
      enqueue.assign({ open: [...context.open, ...requests], nextEffectId: context.nextEffectId + requests.length });
      for (const request of requests) enqueue.sendTo(toRunner, { type: "effect.requested", request } satisfies Message);
    }),
    sortLetters: enqueueActions(({ context, event, enqueue }) => {
      const letters = event.type === "mail.collected" ? event.letters : [];
      const request: MailRequest = { effectId: context.nextEffectId, replayKey: `${context.boxId}:${context.nextEffectId}`, command: { kind: "sort", letters } };
      enqueue.assign({ open: [request], nextEffectId: context.nextEffectId + 1 });
      enqueue.sendTo(toRunner, { type: "effect.requested", request } satisfies Message);
    }),
    abortOpen: enqueueActions(({ context, enqueue }) => {
      for (const { effectId } of context.open) enqueue.sendTo(toRunner, { type: "effect.aborted", effectId } satisfies Message);
    }),
    settle: assign(({ context, event }) => ({
      open: "effectId" in event ? context.open.filter(({ effectId }) => effectId !== event.effectId) : context.open,
      ...(event.type === "mail.fetched" && { fetched: [...context.fetched, event.text] }),
      ...(event.type === "mail.sorted" && { sorted: [...context.sorted, ...event.sorted] }),
      ...(event.type === "answer.came" && { answer: event.answer }),
    })),
    cancel: assign({ isCancelled: true }),
    close: enqueueActions(({ enqueue }) => enqueue.sendTo(toRunner, { type: "phase.requested", phase: "close" } satisfies Message)),
  },
}).createMachine({
  id: "mailbox",
  version: "1",
  context: ({ input }) => ({ boxId: input?.boxId ?? "", nextEffectId: 1, open: [], fetched: [], sorted: [], answer: null, isCancelled: false }),
  initial: "fetching",
  on: { "run.failed": ".failed", "effect.faulted": { guard: "isOpen", target: ".failed" } },
  states: {
    fetching: {
      entry: { type: "ask", params: { commands: [{ kind: "fetch", from: "north" }, { kind: "fetch", from: "south" }] } },
      on: {
        "mail.fetched": [{ guard: "isLastFetch", target: "collecting", actions: "settle" }, { guard: "isOpen", actions: "settle" }],
        "box.cancel": { target: "cancelling", actions: ["cancel", "abortOpen"] },
      },
    },
    collecting: {
      entry: { type: "ask", params: { commands: [{ kind: "collect" }] } },
      on: {
        "mail.collected": [
          { guard: "hasLetters", target: "sorting", actions: "sortLetters" },
          { guard: "isOpen", target: "answering", actions: "settle" },
        ],
      },
    },
    sorting: { on: { "mail.sorted": { guard: "isOpen", target: "answering", actions: "settle" } } },
    answering: { always: [{ guard: "wasAnswered", target: "closing" }, { target: "waiting" }] },
    waiting: {
      entry: { type: "ask", params: { commands: [{ kind: "ask" }] } },
      initial: "asking",
      on: {
        "answer.came": { guard: "isOpen", target: "sleeping", actions: "settle" },
        "box.cancel": { target: "cancelling", actions: ["cancel", "abortOpen"] },
      },
      states: { asking: { on: { "run.parked": "parked" } }, parked: { on: { "run.resumed": "asking", "run.suspended": "#mailbox.left" } } },
    },
    sleeping: {
      entry: { type: "ask", params: { commands: [{ kind: "sleep" }] } },
      on: { "sleep.over": { guard: "isOpen", target: "closing", actions: "settle" } },
    },
    // What is open is heard out.
    cancelling: {
      always: { guard: ({ context }) => context.open.length === 0, target: "closing" },
      on: { "mail.fetched": { guard: "isOpen", actions: "settle" }, "answer.came": { guard: "isOpen", actions: "settle" } },
    },
    closing: { entry: "close", on: { "box.closed": "closed", "mail.waits": "collecting" } },
    closed: { type: "final" },
    left: { type: "final" },
    failed: { type: "final" },
  },
});

export interface MailTypes extends RunTypes {
  readonly machine: typeof mailboxMachine;
  readonly context: MailContext;
  readonly event: MailEvent;
  readonly note: { readonly type: "never" };
  readonly request: MailRequest;
  readonly phase: "close";
  readonly fence: { readonly token: string };
  readonly start: { readonly snapshot: unknown };
  readonly facts: Record<never, never>;
  readonly extra: { readonly collect: string };
  readonly brought: readonly string[];
  readonly cancel: true;
  readonly ending: { readonly sorted: readonly string[]; readonly fetched: readonly string[]; readonly answer: string | null; readonly isCancelled: boolean };
  readonly refusal: "mailWaits";
  readonly result: MailTypes["ending"];
  readonly holder: string;
  readonly first: "post office opens";
}

export const durableMailbox: DurableMachine<MailTypes> = {
  machine: mailboxMachine,
  version: { machine: "mailbox", version: 1 },
  open: ({ context }) => context.open,
  aborted: () => new LashError("issue", "cancelled", "the box was cancelled"),
  fault: ({ effectId }, { message }) => ({ type: "effect.faulted", effectId, message }),
  failed: ({ message }) => ({ type: "run.failed", message }),
  waits: { parked: { type: "run.parked" }, resumed: { type: "run.resumed" }, suspended: { type: "run.suspended" } },
};
