// Drives mailboxes, process by process, and keeps what really happened outside of the store.

import type { EffectScope, HeldClaim } from "../../src/actors/durable/contract.ts";
import { type Opened, type RunEnd, Runner, type RunnerOptions } from "../../src/actors/durable/runner.ts";
import type { Json } from "../../src/domain/json.ts";
import type { Clock } from "../../src/domain/clock.ts";
import type { Engine } from "../../src/stores/engine.ts";
import { durableMailbox, mailboxMachine, type MailContext, type MailTypes } from "./mailbox.machine.ts";
import { answerOf, MailRecord } from "./mailbox.record.ts";

type Scope = EffectScope<MailTypes>;

/** What was done in the world, by the key of its effect. */
export interface Deed {
  readonly key: string;
  readonly interrupted: boolean;
}

export class World {
  readonly begun: Deed[] = [];
  readonly done: string[] = [];
  readonly dead = new Set<string>();
  readonly states: string[] = [];
  /** Called at each boundary between the world and the run; a process may die there. */
  atBoundary: (name: string) => Promise<void> = async () => undefined;

  async act(key: string, interrupted: boolean, deed: () => Json): Promise<{ readonly ok: Json }> {
    await this.atBoundary(`${key} begins`);
    this.begun.push({ key, interrupted });
    const ok = deed();
    this.done.push(key);
    await this.atBoundary(`${key} ends`);
    return { ok };
  }
}

export interface Life {
  readonly engine: Engine;
  readonly owner: string;
  readonly boxId: string;
  readonly world: World;
  readonly clock: Clock;
  /** Whether it leaves the box when all it does is wait. */
  readonly leaves?: boolean;
  readonly onAsk?: () => void;
  /** Before it waits for an answer, it makes a step and begins to wait once this settles. */
  readonly inDoubt?: Promise<void>;
  /** That step is about to be made. */
  readonly onStep?: () => void;
}

/** Answers come by looking: nobody tells a mailbox. */
async function answered(engine: Engine, boxId: string, clock: Clock, stop: AbortSignal): Promise<string> {
  for (;;) {
    const found = await answerOf(engine, boxId);
    if (found !== undefined) return found;
    await clock.sleep(20, stop);
  }
}

const okOf = (outcome: { readonly ok: Json } | { readonly error: { readonly message: string } }): Json => {
  if ("error" in outcome) throw new TypeError(outcome.error.message);
  return outcome.ok;
};

export function mailRun({ engine, owner, boxId, world, clock, leaves = false, onAsk, inDoubt, onStep }: Life): Runner<MailTypes> {
  const record = new MailRecord(engine, boxId, owner, (other) => world.dead.has(other));
  const open = async ({ start }: HeldClaim<MailTypes>): Promise<Opened<MailTypes>> => {
    const stored = start.snapshot as { readonly value: string; readonly context: MailContext } | undefined;
    return {
      input: { boxId },
      ...(stored && { snapshot: mailboxMachine.resolveState({ value: stored.value, context: structuredClone(stored.context) }) }),
      facts: () => ({}),
      executors: {
        fetch: async ({ effectId, replayKey, command }, scope) => {
          await scope.issue([replayKey]);
          const { outcome } = await scope.journal(replayKey, () => command, ({ interrupted }) => world.act(replayKey, interrupted, () => `from ${command.kind === "fetch" ? command.from : ""}`));
          return { type: "mail.fetched", effectId, text: String(okOf(outcome)) };
        },
        collect: async ({ effectId, replayKey }, scope) => {
          const letters = (await record.claimed(replayKey)) ?? (await scope.step({ collect: replayKey })) ?? [];
          return { type: "mail.collected", effectId, letters };
        },
        sort: async ({ effectId, replayKey, command }, scope) => {
          const letters = command.kind === "sort" ? command.letters : [];
          // Durable as asked for, before the bodies name what they do.
          await scope.issue([]);
          const sorted = await Promise.all(
            letters.map((letter, i) =>
              scope.body(async (body) => {
                const key = `${replayKey}:letter:${i}`;
                const { outcome } = await body.journal(key, () => ({ letter }), ({ interrupted }) => world.act(key, interrupted, () => letter.toUpperCase()));
                await body.save();
                return String(okOf(outcome));
              }),
            ),
          );
          return { type: "mail.sorted", effectId, sorted };
        },
        ask: async ({ effectId }, scope) => {
          // Whoever takes the box over is to find it waiting.
          await scope.issue([]);
          onStep?.();
          if (inDoubt) void scope.step().catch(() => undefined);
          await inDoubt;
          scope.waiting({ kind: "answer", waits: [boxId] });
          onAsk?.();
          const stop = AbortSignal.any([scope.cancel, scope.detach]);
          const answer = await answered(engine, boxId, clock, stop).catch((error: unknown) => {
            if (scope.detach.aborted || !scope.cancel.aborted) throw error;
            return "cancelled";
          });
          scope.waiting(undefined);
          return { type: "answer.came", effectId, answer };
        },
        sleep: async ({ effectId, replayKey }, scope) => {
          const { outcome } = await scope.note(replayKey, () => ({ kind: "sleep" }), () => ({ ok: clock.now() + 1_000 }));
          const dueAtMs = Number(okOf(outcome));
          // The time it is due is durable before it is waited for.
          await scope.save();
          await clock.sleep(Math.max(0, dueAtMs - clock.now()), scope.detach);
          return { type: "sleep.over", effectId };
        },
      },
      phases: { close: (scope) => close(scope) },
    };
  };
  const options: RunnerOptions<MailTypes> = {
    id: `mailbox:${boxId}`,
    machine: durableMailbox,
    record,
    first: async () => record.openOffice(),
    open,
    onState: (state) => {
      world.states.push(state);
      if (state === "parked" && leaves) runner.suspend();
    },
    onCancel: () => runner.post({ type: "box.cancel" }),
  };
  const runner = new Runner<MailTypes>(options);
  return runner;
}

async function close(scope: Scope) {
  const answer = await scope.end(() => {
    const { sorted, fetched, answer: said, isCancelled } = scope.context;
    return { sorted, fetched: fetched.toSorted(), answer: said, isCancelled };
  });
  return answer.kind === "ended" ? ({ type: "box.closed" } as const) : ({ type: "mail.waits" } as const);
}

export type MailEnd = RunEnd<MailTypes>;
