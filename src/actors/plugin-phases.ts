// Phases of the outer pipeline that plugins take part in: what the turn's machine is told of each.

import { messagesOfPlugins } from "../domain/plugin-message.ts";
import type { PhaseName, TurnEvent } from "../machines/effects.ts";
import type { EndedTurn } from "./plugin-port.ts";
import type { TurnEnvironment } from "./turn-environment.ts";

export type PluginPhase = Extract<PhaseName, "prepareContext" | "beforeTurn" | "buildTurn" | "finalize" | "afterPersist">;

export interface PhasedTurn {
  readonly turnId: string;
  readonly logLength: number;
  readonly maxTurns: number | null;
  /** Aborts what comes before the first model call, when the turn is cancelled. */
  readonly signal: AbortSignal;
  readonly ended: () => EndedTurn;
}

/** The answer where no plugin takes part. */
export function passedBy(phase: PluginPhase, maxTurns: number | null): TurnEvent {
  switch (phase) {
    case "prepareContext":
      return { type: "context.prepared" };
    case "beforeTurn":
      return { type: "hooks.passed", messages: [] };
    case "buildTurn":
      return { type: "turn.built", maxTurns };
    case "finalize":
      return { type: "turn.finalized", messages: [] };
    case "afterPersist":
      return { type: "turn.persisted" };
  }
}

/** @throws LashError `context_prepare_turn`, `plugin_prepare_turn`, `plugin_finalize_turn` - the turn stays in flight. */
export async function runPhase(phase: PluginPhase, environment: TurnEnvironment, turn: PhasedTurn): Promise<TurnEvent> {
  const { plugins } = environment;
  const passed = passedBy(phase, turn.maxTurns);
  if (!plugins) return passed;
  switch (phase) {
    case "prepareContext":
      await plugins.prepareContext(turn.signal);
      return passed;
    case "beforeTurn": {
      const said = await plugins.beforeTurn(turn.signal);
      return "issue" in said ? { type: "hooks.aborted", issue: said.issue } : { type: "hooks.passed", messages: messagesOfPlugins(turn.turnId, turn.logLength, said) };
    }
    case "buildTurn": {
      const issue = await environment.build(0, turn.signal);
      return issue ? { type: "turn.unbuildable", issue } : passed;
    }
    case "finalize":
      return { type: "turn.finalized", messages: messagesOfPlugins(turn.turnId, turn.logLength, await plugins.finalize(turn.ended())) };
    case "afterPersist":
      await plugins.persisted(turn.ended());
      return passed;
  }
}
