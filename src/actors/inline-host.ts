import type { EffectController, EffectHost } from "./effect-host.ts";

const controller: EffectController = {
  tier: "inline",
  hasUnsaved: false,
  has: () => false,
  step: () => Promise.resolve(),
  execute: async (_replayKey, _envelope, run) => ({ outcome: await run({ interrupted: false }), source: "run" }),
};

/**
 * Runs effects and keeps nothing: a process that dies takes its turn's progress along, and the turn starts again from
 * its accepted input. For tests and throw-away sessions; stores that survive use `journaled`.
 */
export const inline = (): EffectHost => ({ tier: "inline", scoped: () => controller });
