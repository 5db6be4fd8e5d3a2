// Inline host: effects run, and nothing about them is kept.

import { rowsOf } from "../stores/ingress-contract.ts";
import type { Persistence } from "../stores/contract.ts";
import type { Collected, EffectController, EffectHost, TurnScope } from "./effect-host.ts";

/**
 * Runs effects and keeps nothing: a process that dies takes its turn's progress along, and the turn starts again from
 * its accepted input. For tests and throw-away sessions; stores that survive use `journaled`.
 */
export const inline = ({ inputs }: Pick<Persistence, "inputs">): EffectHost => ({
  tier: "inline",
  scoped: (scope) => controllerOf(inputs, scope),
});

const controllerOf = (inputs: Persistence["inputs"], { turn, fence }: TurnScope): EffectController => ({
  tier: "inline",
  hasUnsaved: false,
  has: () => false,
  step: () => Promise.resolve(),
  execute: async (_replayKey, _envelope, run) => ({ outcome: await run({ interrupted: false }), source: "run" }),
  async collect({ checkpoint, claimToken, max }): Promise<Collected | undefined> {
    const claim = await inputs.claimActive({ fence, claimToken, max, turnId: turn.turnId, checkpoint });
    return claim && { rows: rowsOf(claim), inputs: claim.inputs, source: "run" };
  },
});
