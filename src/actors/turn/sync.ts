// Sync before a model call, as an effect: what changed about the tools is in the call, and what plugins make of it (T-33).

import { copyJson } from "../../domain/copy-json.ts";
import type { EffectRequest } from "../../machines/effects.ts";
import type { DrivenTurn } from "./driven-turn.ts";
import type { Settled } from "./executors.ts";
import type { TurnScope } from "./types.ts";

export async function syncEffect(driven: DrivenTurn, request: EffectRequest, scope: TurnScope): Promise<Settled> {
  const { plugins, session } = driven;
  const { command, replayKey } = request;
  // A change that is in no journal yet is recorded with the sync that found it.
  const toolChange = driven.syncTools() ? session.stated.wiring.tools.takeChange() : undefined;
  if (toolChange) await scope.note(replayKey, () => driven.operation(request, { kind: command.kind }), () => ({ ok: copyJson({ toolChange }) }));
  const outcome = await plugins?.sync(command.iteration, scope.cancel);
  return { outcome: outcome ?? { kind: "sync_execution_environment" }, source: "run" };
}
