// Inline host: effects run, and nothing about them is durable.
//
//   I1. While a turn is in flight this process remembers what its effects came to, so that a turn whose store failed in the middle
//       can be taken up here: what has finished is not done again, what was cut off is interrupted (ME-24).

import type { InputCollection, JournaledOutcome, Persistence } from "../stores/contract.ts";
import { type Collected, collectedNow, type EffectController, type EffectHost, type Executed, type Execution, type TurnScope } from "./effect-host.ts";
import { envelopeHash, type Envelope } from "./envelope.ts";

/**
 * Runs effects and makes nothing durable: a process that dies takes its turn's progress along, and the turn starts again from
 * its accepted input. For tests and throw-away sessions; stores that survive use `journaled`.
 */
export const inline = ({ turns }: Pick<Persistence, "turns">): EffectHost => {
  const inFlight = new Map<string, Memory>();
  return {
    tier: "inline",
    scoped: (scope) => {
      const key = JSON.stringify([scope.turn.sessionId, scope.turn.turnId]);
      const memory: Memory = inFlight.get(key) ?? new Map<string, Remembered>();
      inFlight.set(key, memory);
      return new InlineController(turns, scope, memory, () => inFlight.delete(key));
    },
  };
};

/** By replay key: an effect that has begun, and what it came to, once it has. */
type Memory = Map<string, Remembered>;

interface Remembered {
  readonly envelope: () => Envelope;
  readonly outcome?: JournaledOutcome;
}

class InlineController implements EffectController {
  readonly tier = "inline";
  readonly hasUnsaved = false;
  readonly ended: () => void;
  readonly #turns: Persistence["turns"];
  readonly #scope: TurnScope;
  readonly #memory: Memory;
  /** Of an earlier run. */
  readonly #before: ReadonlyMap<string, Remembered>;

  constructor(turns: Persistence["turns"], scope: TurnScope, memory: Memory, ended: () => void) {
    this.#turns = turns;
    this.#scope = scope;
    this.#memory = memory;
    this.#before = new Map(memory);
    this.ended = ended;
  }

  has(replayKey: string): boolean {
    return this.#memory.get(replayKey)?.outcome !== undefined;
  }

  step(): Promise<void> {
    return Promise.resolve();
  }

  async collect(collection: InputCollection): Promise<Collected | undefined> {
    const { fence, turn, writes } = this.#scope;
    return collectedNow(collection.replayKey, await writes.record(() => this.#turns.collect(fence, turn.turnId, collection)));
  }

  async execute(replayKey: string, envelope: () => Envelope, run: (execution: Execution) => Promise<JournaledOutcome>): Promise<Executed> {
    const { writes } = this.#scope;
    writes.assertGoingOn();
    const known = this.#before.get(replayKey);
    // Input that came since the earlier run makes another operation of it.
    const before = known && envelopeHash(known.envelope()) === envelopeHash(envelope()) ? known : undefined;
    if (before?.outcome) return { outcome: before.outcome, source: "journal" };
    this.#memory.set(replayKey, { envelope });
    const outcome = await run({ interrupted: before !== undefined });
    writes.assertGoingOn();
    this.#memory.set(replayKey, { envelope, outcome });
    return { outcome, source: "run" };
  }
}
