// What the hooks of one turn are told. History is copied only when a hook looks at it.

import type { PluggedTurn } from "../actors/plugin-port.ts";
import type { Clock } from "../domain/clock.ts";
import type { TurnContext } from "./contract.ts";

export interface TurnFacts {
  readonly sessionId: string;
  readonly clock: Clock;
  readonly turn: PluggedTurn;
}

export function turnContext<More extends object>({ sessionId, clock, turn }: TurnFacts, signal: AbortSignal, more: More): TurnContext & More {
  const resident = turn.resident();
  const own = {
    sessionId,
    clock,
    turnId: turn.turnId,
    get history() {
      return resident.history.slice(resident.messageCount);
    },
    get messages() {
      return [...turn.log()];
    },
    get model() {
      return turn.plan.config.policy.model;
    },
    lastPromptUsage: resident.head.lastPromptUsage,
    signal,
  };
  // Not spread: that would look at the history.
  return Object.assign(own, more);
}

/** For hooks that nothing can stop any more. */
export const unstoppable = (): AbortSignal => new AbortController().signal;
