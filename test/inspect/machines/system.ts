// A small runtime of made-up parts: sessions, turns, an effects actor and one actor per tool call, named as the runtime names them.
// Nothing here waits: `advance` performs the next piece of work, so a test decides what has happened.
import { createActor, sendTo, setup, spawnChild, type ActorRefFrom, type AnyActorRef, type InspectionEvent } from "xstate";
import { sessionMachine } from "./session.ts";
import { turnMachine } from "./turn.ts";

const toolMachine = setup({
  types: { context: {} as { readonly tool: string; readonly args: unknown }, events: {} as { type: "tool.start" } | { type: "tool.done"; result: unknown }, input: {} as { tool: string; args: unknown } },
}).createMachine({
  id: "toolCall",
  context: ({ input }) => ({ tool: input.tool, args: input.args }),
  initial: "queued",
  states: { queued: { on: { "tool.start": "executing" } }, executing: { on: { "tool.done": "settled" } }, settled: { type: "final" } },
});

type EffectMessage =
  | { readonly type: "effect.requested" | "effect.durable" | "effect.running"; readonly effectId: number; readonly kind: string }
  | { readonly type: "effect.performed"; readonly turn: AnyActorRef; readonly effectId: number; readonly kind: string; readonly replayed: boolean; readonly outcome: string }
  | { readonly type: "tool.called"; readonly id: string; readonly tool: string };

/** Takes requests, passes outcomes on, and keeps one actor per tool call; the world around it is played by `advance`. */
const effectsMachine = setup({ types: { events: {} as EffectMessage }, actors: { toolMachine } }).createMachine({
  id: "effects",
  initial: "waiting",
  states: {
    waiting: { on: { "effect.requested": "working" } },
    working: {
      on: {
        "effect.requested": {},
        "tool.called": {
          actions: [
            spawnChild("toolMachine", { id: ({ event }) => (event as { id: string }).id, input: ({ event }) => ({ tool: (event as { tool: string }).tool, args: { city: "Oslo", day: "2026-11-21" } }) }),
            sendTo(({ event, self }) => self.getSnapshot().children[event.id] ?? event.id, { type: "tool.start" }),
          ],
        },
        "effect.performed": {
          target: "waiting",
          actions: sendTo(({ event }) => event.turn, ({ event: { effectId, kind, replayed, outcome } }) => ({ type: "effect.settled", effectId, kind, replayed, outcome })),
        },
      },
    },
  },
});

interface TurnParts { readonly turn: ActorRefFrom<typeof turnMachine>; readonly effects: AnyActorRef; readonly name: string; rounds: number; replayedUpTo: number }

export interface FakeRuntime {
  /** Opens a session and starts a turn in it; effects up to `replayedUpTo` answer from the journal. */
  start(session: string, turn: string, options?: { readonly replayedUpTo?: number; readonly rounds?: number }): void;
  /** Performs the next piece of work of every running turn; false when all are done. */
  advance(): boolean;
  turn(session: string, turn: string): ActorRefFrom<typeof turnMachine> | undefined;
}

const root = setup({ actors: { sessionMachine, turnMachine, effectsMachine, toolMachine } }).createMachine({ id: "lash" });

export function fakeRuntime(inspect: ((event: InspectionEvent) => void) | { next(event: InspectionEvent): void }): FakeRuntime {
  const observer = typeof inspect === "function" ? inspect : (event: InspectionEvent) => inspect.next(event);
  const system = createActor(root, { inspect: observer, id: "lash" });
  system.start();
  const turns = new Map<string, TurnParts>();
  const work: (() => void)[] = [];

  const answer = (parts: TurnParts, kind: string, effectId: number): void => {
    const replayed = effectId <= parts.replayedUpTo;
    const outcome = kind === "llm_call" && parts.rounds-- > 0 ? "tool_calls" : "ok";
    parts.effects.send({ type: "effect.performed", turn: parts.turn, effectId, kind, replayed, outcome });
  };
  const perform = (parts: TurnParts): void => {
    const open = parts.turn.getSnapshot().context.open.at(-1);
    if (!open) return;
    const { effectId, kind } = open;
    if (effectId > parts.replayedUpTo) {
      parts.effects.send({ type: "effect.durable", effectId, kind });
      parts.effects.send({ type: "effect.running", effectId, kind });
    }
    if (kind === "tool_batch" && effectId > parts.replayedUpTo) runTools(parts, effectId);
    answer(parts, kind, effectId);
  };
  const runTools = (parts: TurnParts, effectId: number): void => {
    ["weather", "calendar"].forEach((tool, index) => {
      const id = `tool:${parts.name}:${tool}:call_${effectId}_${index}`;
      parts.effects.send({ type: "tool.called", id, tool });
      const call: AnyActorRef | undefined = parts.effects.getSnapshot().children[id];
      call?.send({ type: "tool.done", result: { ok: true, text: `${tool} of Oslo: rain, 4 °C` } });
    });
  };

  return {
    start: (session, turn, { replayedUpTo = 0, rounds = 1 } = {}) => {
      const name = `${session}:${turn}`;
      const child = createActor(sessionMachine, { id: `session:${session}`, input: { session }, parent: system } as never);
      child.start();
      for (const type of ["session.open", "session.loaded", "session.assembled", "session.run", "lease.claim", "lease.acquired"] as const) child.send({ type } as never);
      const effects = createActor(effectsMachine, { id: `effects:${name}`, parent: child } as never);
      effects.start();
      const actor = createActor(turnMachine, {
        id: `turn:${name}`, parent: child, input: { session, turn: name, effects, apiKey: "sk-live-0123456789abcdef0123" },
      } as never) as unknown as ActorRefFrom<typeof turnMachine>;
      turns.set(name, { turn: actor, effects, name, rounds, replayedUpTo });
      actor.start();
    },
    advance: () => {
      for (const parts of turns.values()) if (parts.turn.getSnapshot().status === "active") work.push(() => perform(parts));
      const any = work.length > 0;
      for (const job of work.splice(0)) job();
      return any;
    },
    turn: (session, turn) => turns.get(`${session}:${turn}`)?.turn,
  };
}
