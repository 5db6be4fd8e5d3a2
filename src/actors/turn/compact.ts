// Compaction within a turn, as an effect: makes the conversation shorter for what follows; the turn's commit opens a frame that begins
// with what was made.

import type { EffectRequest } from "../../machines/effects.ts";
import { compactTurn, readCompaction } from "../turn-compaction.ts";
import type { DrivenTurn } from "./driven-turn.ts";
import type { Settled } from "./executors.ts";
import type { TurnScope } from "./types.ts";

export async function compactEffect(driven: DrivenTurn, request: EffectRequest, logLength: number, scope: TurnScope): Promise<Settled> {
  const { session, turn, log, plan: { config, provider, digest } } = driven;
  const { head } = session.residence.resident;
  await scope.settled();
  const operation = () =>
    driven.operation(request, { kind: "compact", history: { frame_id: head.currentFrameId, leaf_node_id: head.leafNodeId ?? null }, log: log.digest(logLength), plan: digest });
  const { outcome, source } = await scope.journal(request.replayKey, operation, () =>
    compactTurn({ session, provider, model: config.policy.model, own: log.messages.slice(0, logLength), signal: scope.cancel }),
  );
  const recorded = readCompaction(outcome, turn);
  if (!recorded) return { outcome: { kind: "compact", isShorter: false }, source };
  const { compaction, usage, model = config.policy.model.id } = recorded;
  log.recordCompaction(compaction);
  // A recorded outcome was recorded together with what it cost.
  if (source === "run" && usage) log.recordCall({ effectId: request.effectId, source: "compaction", model, usage, status: "completed" });
  return { outcome: { kind: "compact", isShorter: true }, source };
}
