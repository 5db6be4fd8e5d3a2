// What a tool batch works on: its turn, its effect, and the parts of the session and the turn that its calls use.

import type { JsonObject } from "../../../domain/json.ts";
import type { Message } from "../../../domain/messages.ts";
import type { ModelCallRecord } from "../../../domain/outcome.ts";
import type { ToolSpec } from "../../../domain/turn-config.ts";
import type { EffectRequest } from "../../../machines/effects.ts";
import type { TurnRecord } from "../../../stores/contract.ts";
import type { Tool } from "../../../tools/contract.ts";
import { type Envelope, effectEnvelope } from "../../envelope.ts";
import type { TurnHere } from "../../inside-turn.ts";
import type { Emit } from "../../model-call.ts";
import type { TurnPlugins } from "../../plugin-port.ts";
import type { SessionParts } from "../../session/parts.ts";
import type { EffectTrace } from "../../trace-port.ts";
import type { TurnLog } from "../../turn-log.ts";
import type { TurnPlan } from "../../turn-plan.ts";

export interface BatchInput {
  readonly session: SessionParts;
  readonly turn: TurnRecord;
  readonly here: TurnHere;
  readonly request: EffectRequest;
  /** The message of the model whose calls are to run. */
  readonly message: Message;
  readonly plan: TurnPlan;
  /** Tools that may run now, by name. */
  readonly tools: ReadonlyMap<string, Tool>;
  /** The tools of the plan that are the session's own; others are lent to the turn by a plugin. */
  readonly ownSpecs: readonly ToolSpec[];
  readonly log: TurnLog;
  readonly plugins: TurnPlugins | undefined;
  readonly trace: EffectTrace | undefined;
  readonly emit: Emit;
}

/** Why a tool that the turn was accepted with cannot be called any more. */
export const refusalOf = ({ session, ownSpecs }: BatchInput, toolName: string): string | undefined => session.stated.wiring.tools.refusalOf(ownSpecs, toolName);

/** Identifies one operation of the batch. @param causedBy - replay key of the effect it is part of; default: the batch. */
export function operationOf({ session, turn, request }: BatchInput, replayKey: string, command: JsonObject, causedBy = request.replayKey): Envelope {
  const place = { sessionId: turn.sessionId, turnId: turn.turnId, turnIndex: session.residence.resident.head.turnIndex, iteration: request.command.iteration, effectId: request.effectId };
  return effectEnvelope(place, replayKey, command, causedBy);
}

/** Books a model call that a tool caused. */
export const recordCall = ({ log, request }: BatchInput, call: Omit<ModelCallRecord, "effectId">): void => log.recordCall({ effectId: request.effectId, ...call });
