// Checkpoint of a turn, as an effect: claims what waits for the turn, in the step that makes durable what it did before.

import type { CheckpointKind, EffectOutcome, EffectRequest } from "../../machines/effects.ts";
import { announce, deliver, MOST_INPUTS } from "../checkpoint.ts";
import { type Collected, collectedBefore } from "./collected.ts";
import type { DrivenTurn } from "./driven-turn.ts";
import type { Settled } from "./executors.ts";
import type { TurnScope } from "./types.ts";

export async function checkpointEffect(driven: DrivenTurn, request: EffectRequest, checkpoint: CheckpointKind, scope: TurnScope): Promise<Settled> {
  const { session: { ports }, turn, log, emit, plugins } = driven;
  const { replayKey, effectId } = request;
  const { cancel: signal } = scope;
  const known = turn.claims.filter((claim) => claim.replayKey === replayKey);
  // A turn that is being cancelled takes nothing more; what waits for it, its commit leaves to the next turn.
  if (signal.aborted && known.length === 0) return { outcome: { kind: "checkpoint", messages: [] }, source: "run" };
  const collected: Collected | undefined =
    known.length > 0
      ? await collectedBefore(ports.persistence, known, "journal")
      : await scope.step({ collect: { replayKey, checkpoint, claimToken: ports.newId(), max: MOST_INPUTS } });
  const atCheckpoint = plugins?.atCheckpoint;
  if (!collected && !atCheckpoint) return { outcome: { kind: "checkpoint", messages: [] }, source: "run" };
  const { claims, source } = collected ?? { claims: [], source: "run" as const };
  const place = { sessionId: turn.sessionId, turnId: turn.turnId, log: log.messages };
  const delivered = collected && (await deliver(collected, place, ports.persistence));
  if (collected && delivered && source === "run") announce(delivered, collected, checkpoint, (body) => void emit(body, `checkpoint:${effectId}`));
  const messages = delivered?.messages ?? [];
  const operation = () => driven.operation(request, { kind: "checkpoint", checkpoint, log: log.digest(log.messages.length) });
  // Behind the input (T-55): what waited longest is said first.
  const hooked = atCheckpoint && (await atCheckpoint(checkpoint, log.messages.length + messages.length, signal, (run) => scope.journal(replayKey, operation, run)));
  const outcome: EffectOutcome = { kind: "checkpoint", messages, ...(hooked && { ...hooked, messages: [...messages, ...hooked.messages] }) };
  for (const claim of claims) log.recordClaim(claim);
  return { outcome, source };
}
