// Model call of a turn, as an effect.

import { refusedBy } from "../../domain/suspect-media.ts";
import type { EffectRequest } from "../../machines/effects.ts";
import { storeFile } from "../images.ts";
import { callModel, modelOutcome } from "../model-call.ts";
import type { DrivenTurn } from "./driven-turn.ts";
import type { Settled } from "./executors.ts";
import type { TurnScope } from "./types.ts";

/** History is meant by reference: an operation stays small however long the session is. */
export async function callModelEffect(driven: DrivenTurn, request: EffectRequest, logLength: number, scope: TurnScope): Promise<Settled> {
  const { session: { ports, residence }, turn, log, emit, trace, plan, plugins } = driven;
  const { effectId, command, replayKey } = request;
  const { head, history, suspects } = residence.resident;
  const { compaction } = log;
  const { cancel: signal } = scope;
  // Where nothing settled since the last durable state - acceptance, or a checkpoint - that state leads to this very call, which then
  // needs no step of its own (design 9).
  await scope.settled();
  const operation = () =>
    driven.operation(request, {
      kind: "llm_call",
      history: { frame_id: head.currentFrameId, leaf_node_id: head.leafNodeId ?? null },
      log: log.digest(logLength),
      plan: plan.digest,
      ...(compaction && { compaction: compaction.digest }),
    });
  // A turn that was cancelled before its first call makes none (T-63).
  if (!signal.aborted) void emit({ type: "model_request_started", protocolIteration: command.iteration }, `llm:${effectId}`);
  const { outcome, source } = await scope.journal(replayKey, operation, () => {
    const { policy } = plan.config;
    const refused = refusedBy(suspects, { provider: policy.providerId, model: policy.model.id });
    const recorded = callModel({
      plan,
      trace: trace?.effect(request, residence.resident.head.turnIndex),
      prompt: (compaction?.view ?? plan.view ?? history).prompt(log.messages.slice(compaction?.from ?? 0, logLength), policy, refused),
      loadImages: ports.loadImages,
      storeFile: (bytes, mime) => storeFile(turn.sessionId, bytes, mime, ports.persistence.attachments, scope.write),
      scope: {
        sessionId: turn.sessionId,
        agentFrameId: head.currentFrameId,
        requestId: `${turn.sessionId}:turn:${turn.turnId}:llm:${command.iteration}`,
      },
      effectId,
      isFirst: command.iteration === 0,
      checkJson: ports.checkJson,
      signal,
      clock: ports.clock,
      emit,
      failureOf: ports.failureOf,
      maxResponseBytes: ports.limits.modelResponseBytes,
    });
    return plugins ? recorded.then((ended) => plugins.withState(ended)) : recorded;
  });
  if ("error" in outcome) return { outcome: { kind: "fault", ...outcome.error }, source };
  return { outcome: modelOutcome(outcome.ok, effectId, plan), source };
}
