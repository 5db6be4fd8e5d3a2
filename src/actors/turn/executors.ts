// Effects of a turn: by kind, what is done for its machine. What providers and tools do wrong is an outcome; what a store or the
// boundary does wrong is thrown.

import { effectError, sessionError } from "../../domain/errors.ts";
import { isRefusal } from "../../domain/refusal.ts";
import { addUsage } from "../../domain/usage.ts";
import type { EffectOutcome, EffectRequest, TurnEvent } from "../../machines/effects.ts";
import type { Executors } from "../durable/contract.ts";
import { insideTurn } from "../inside-turn.ts";
import { callModelEffect } from "./call-model.ts";
import { checkpointEffect } from "./checkpoint-effect.ts";
import { compactEffect } from "./compact.ts";
import type { DrivenTurn } from "./driven-turn.ts";
import { syncEffect } from "./sync.ts";
import { runTools } from "./tools/batch.ts";
import type { BatchInput } from "./tools/batch-input.ts";
import type { TurnScope, TurnTypes } from "./types.ts";

/** What became of an effect. */
export interface Settled {
  readonly outcome: EffectOutcome;
  readonly source: "run" | "journal";
}

export function turnExecutors(driven: DrivenTurn): Executors<TurnTypes> {
  const { llm_call, tool_batch, checkpoint, sync_execution_environment, compact, exec_code } = executorsOf(driven);
  const inside = <R>(execute: (request: R, scope: TurnScope) => Promise<TurnEvent | undefined> | TurnEvent | undefined) => (request: R, scope: TurnScope) => insideTurn(driven.here, () => execute(request, scope));
  return {
    llm_call: inside(llm_call),
    tool_batch: inside(tool_batch),
    checkpoint: inside(checkpoint),
    sync_execution_environment: inside(sync_execution_environment),
    compact: inside(compact),
    exec_code,
  };
}

const executorsOf = (driven: DrivenTurn): Executors<TurnTypes> => ({
  llm_call: async (request, scope) => {
    const settled = await callModelEffect(driven, request, request.command.logLength, scope);
    recordCall(driven, request, settled, scope);
    return told(request, settled);
  },
  tool_batch: async (request, scope) => {
    const { results, source } = await runTools(batchOf(driven, request, request.command.logIndex), scope);
    driven.log.recordResults(results);
    return told(request, { outcome: { kind: "tool_batch", results }, source });
  },
  checkpoint: async (request, scope) => {
    const { checkpoint } = request.command;
    const settled = await checkpointEffect(driven, request, checkpoint, scope);
    const { outcome, source } = settled;
    if (outcome.kind === "checkpoint" && outcome.messages.length > 0 && source === "run") {
      void driven.emit({ type: "queued_messages_committed", checkpoint, messages: outcome.messages }, `checkpoint:${request.effectId}`);
    }
    return told(request, settled);
  },
  sync_execution_environment: async (request, scope) => told(request, await syncEffect(driven, request, scope)),
  compact: async (request, scope) => told(request, await compactEffect(driven, request, request.command.logLength, scope)),
  exec_code: () => {
    throw sessionError("code_execution_unavailable", "this session has no code executor; a protocol that runs code brings one");
  },
});

const told = ({ effectId }: EffectRequest, { outcome, source }: Settled): TurnEvent => ({ type: "effect.settled", effectId, outcome, source });

function batchOf(driven: DrivenTurn, request: EffectRequest, logIndex: number): BatchInput {
  const { session, turn, here, log, plan, plugins, emit } = driven;
  const message = log.messages[logIndex];
  if (!message) throw effectError("runtime_effect_tool_batch_id", "the message whose tools are to run is not in the turn's log");
  const trace = driven.trace?.effect(request, session.residence.resident.head.turnIndex);
  return { session, turn, here, request, message, plan, tools: driven.callable(plan), ownSpecs: driven.ownSpecs(plan), log, plugins, trace, emit };
}

function recordCall({ log, trace, emit }: DrivenTurn, request: EffectRequest, { outcome, source }: Settled, { context }: TurnScope): void {
  if (outcome.kind !== "llm_call" && outcome.kind !== "llm_failure") return;
  const { call } = outcome;
  log.recordCall(call);
  log.recordRefusal(outcome.kind === "llm_failure" && isRefusal(outcome.failure));
  if (!call.usage) return;
  // The machine counts this call when it hears of it, which is after this (T-78).
  const cumulative = addUsage(context.usage, call.usage);
  if (source === "run") trace?.used(request, call.usage, cumulative);
  void emit({ type: "usage", protocolIteration: request.command.iteration, usage: call.usage, cumulative }, `llm:${request.effectId}`);
}
