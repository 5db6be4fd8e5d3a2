// Inline host: effects run, and nothing about them is kept.

import type { Persistence } from "../stores/contract.ts";
import { collectedNow, type EffectController, type EffectHost, type TurnScope } from "./effect-host.ts";

/**
 * Runs effects and keeps nothing: a process that dies takes its turn's progress along, and the turn starts again from
 * its accepted input. For tests and throw-away sessions; stores that survive use `journaled`.
 */
export const inline = ({ turns }: Pick<Persistence, "turns">): EffectHost => ({
  tier: "inline",
  scoped: (scope) => controllerOf(turns, scope),
});

const controllerOf = (turns: Persistence["turns"], { turn, fence, writes }: TurnScope): EffectController => ({
  tier: "inline",
  hasUnsaved: false,
  has: () => false,
  step: () => Promise.resolve(),
  execute: async (_replayKey, _envelope, run) => {
    writes.assertGoingOn();
    return { outcome: await run({ interrupted: false }), source: "run" };
  },
  collect: async (collection) => collectedNow(collection.replayKey, await writes.record(() => turns.collect(fence, turn.turnId, collection))),
});
