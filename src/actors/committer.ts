// Committer: what a turn came to, as one commit (T-73).

import type { TurnCancellation } from "../domain/cancellation.ts";
import { sumUsage } from "../domain/child-usage.ts";
import type { Json } from "../domain/json.ts";
import { createMessage, isOwnCall, isOwnResult, isTransient, messageText, type Message } from "../domain/messages.ts";
import { isOfPlugin } from "../domain/plugin-message.ts";
import { outcomeText, tidy, type ModelCallRecord, type TurnIssue, type TurnOutcome } from "../domain/outcome.ts";
import type { AgentFrame, SessionPolicy } from "../domain/session.ts";
import { type MediaReceiver, type SuspectMedia, unansweredMedia, withSuspects } from "../domain/suspect-media.ts";
import type { SessionSettings } from "../domain/turn-config.ts";
import { addUsage, isZeroUsage } from "../domain/usage.ts";
import type { ToolResult } from "../machines/effects.ts";
import { yieldsToInput, type TurnContext } from "../machines/turn.context.ts";
import type { LeaseFence, SessionCommit, SettledClaims, ToolCallReference, TurnClaim, TurnResultRecord } from "../stores/contract.ts";
import { commitHash } from "../stores/commit-hash.ts";
import { frameOpening, type FrameOpening } from "./frames.ts";
import { attachmentIds } from "./images.ts";
import type { Resident } from "./resident.ts";
import { placedLog, type TurnCompaction } from "./turn-compaction.ts";
import { nodesOf } from "./session-nodes.ts";
import { recording } from "./session-settings.ts";

export interface FinishedTurn {
  readonly context: TurnContext;
  readonly inputHash: string;
  readonly log: readonly Message[];
  readonly toolResults: readonly ToolResult[];
  readonly modelCalls: readonly ModelCallRecord[];
  /** What the turn has said of both lanes. */
  readonly claims: readonly TurnClaim[];
  readonly startedAtMs: number;
  readonly durationMs: number;
  /** Since the conversation was made shorter. */
  readonly compaction: TurnCompaction | undefined;
  /** Its last model call was refused for what was in it. */
  readonly isRefused: boolean;
  /** The request to cancel that this turn knows of. */
  readonly cancellation: TurnCancellation | undefined;
}

/**
 * The turn's log with its closing words: the assistant's text is appended unless it stands there already.
 * Tool calls that nobody answered are left out, because no model takes a history with such calls in it.
 */
export function closedLog(context: TurnContext, whole: readonly Message[]): readonly Message[] {
  const { outcome } = context;
  const log = hasOpenCalls(whole.at(-1)) ? whole.slice(0, -1) : whole;
  const text = outcome && "finished" in outcome && "assistant_message" in outcome.finished ? outcome.finished.assistant_message.text : "";
  if (text === "") return log;
  // What plugins add to a turn that has ended stands behind its last words.
  const last = log.findLast((message) => !isTransient(message) && !isOfPlugin(message));
  if (last?.role === "Assistant" && messageText(last) === text) return log;
  return [...log, createMessage(`${context.turnId}:${log.length}`, "Assistant", [{ kind: "Prose", content: text }])];
}

const hasOpenCalls = (last: Message | undefined): boolean => last?.parts.some(isOwnCall) ?? false;

export function resultOf(turn: FinishedTurn): TurnResultRecord {
  const { context } = turn;
  const outcome = wholeAnswer(context.outcome ?? { stopped: "runtime_error" }, turn.log);
  const { text, issues } = textAndIssues(turn, outcomeText(outcome));
  return {
    turnId: context.turnId,
    inputHash: turn.inputHash,
    outcome,
    text,
    usage: context.usage,
    issues,
    toolCalls: turn.toolResults.map(
      ({ callId, toolName, output, durationMs }): ToolCallReference => ({ callId, toolName, status: output.outcome.status, durationMs }),
    ),
    startedAtMs: turn.startedAtMs,
    durationMs: turn.durationMs,
    ...(isCancelled(outcome) && turn.cancellation && { cancellation: turn.cancellation }),
  };
}

/** The text of an answer whose provider rested in the middle of it is that of all its messages (ME-12). */
function wholeAnswer(outcome: TurnOutcome, log: readonly Message[]): TurnOutcome {
  if (!("finished" in outcome) || !("assistant_message" in outcome.finished)) return outcome;
  const said = log.filter((message) => !isTransient(message) && !isOfPlugin(message));
  const from = said.findLastIndex(({ answer }, index) => index < said.length - 1 && answer?.paused !== true) + 1;
  const pieces = said.slice(from);
  const last = pieces.at(-1);
  if (pieces.length < 2 || last?.role !== "Assistant") return outcome;
  return { finished: { assistant_message: { text: messageText({ ...last, parts: pieces.flatMap(({ parts }) => parts) }) } } };
}

export const isCancelled = (outcome: TurnOutcome | null): boolean => outcome !== null && "stopped" in outcome && outcome.stopped === "cancelled";

/** A turn that stopped still shows the last thing the assistant said in it (T-59). */
function textAndIssues({ context, log }: FinishedTurn, text: string | undefined): { text: string; issues: readonly TurnIssue[] } {
  if (text !== undefined) return { text, issues: context.issues };
  const lastUser = log.findLastIndex((message) => message.role === "User" && !message.parts.some(isOwnResult));
  const said = log.findLast((message, index) => index > lastUser && message.role === "Assistant");
  const recovered = said ? tidy(messageText(said)) : "";
  // What was cut off is this turn's own last word, and says so itself (ME-11).
  if (recovered === "" || said?.incomplete !== undefined) return { text: recovered, issues: context.issues };
  const issue: TurnIssue = {
    kind: "runtime",
    code: "assistant_output_recovered_from_state",
    message: "the turn stopped; its text is the last thing the assistant said",
  };
  return { text: recovered, issues: [...context.issues, issue] };
}

export interface CommitParts {
  readonly resident: Resident;
  /** What the commit records of them. */
  readonly settings: SessionSettings;
  /** Who was asked. */
  readonly asked: MediaReceiver;
  readonly fence: LeaseFence;
  readonly now: number;
  /** Of plugins, where it has changed. */
  readonly pluginState: Json | undefined;
}

export function buildCommit(turn: FinishedTurn, { resident, settings, asked, fence, now, pluginState }: CommitParts): SessionCommit {
  const { context } = turn;
  const { policy, ...recorded } = recording(settings, resident, pluginState);
  const timestamp = new Date(now).toISOString();
  const log = closedLog(context, turn.log).filter((message) => !isTransient(message));
  const shortened = new Set(turn.log.slice(0, turn.compaction?.from ?? 0));
  const { current, frames, nodes: own } = placedLog(resident, turn.compaction, log, (message) => shortened.has(message), timestamp);
  const opening = context.outcome ? frameOpening(context.turnId, context.outcome, turn.toolResults, current, timestamp) : undefined;
  const seed = opening ? nodesOf(opening.seed, opening.frame.frameId, own.at(-1)?.nodeId ?? resident.head.leafNodeId, timestamp) : [];
  const nodes = [...own, ...seed];
  const leafNodeId = nodes.at(-1)?.nodeId ?? resident.head.leafNodeId;
  const suspects = suspectsAfter(turn, resident, asked);
  const isFirst = resident.headRevision === 0;
  const commit: Omit<SessionCommit, "turn"> = {
    sessionId: context.sessionId,
    expectedHeadRevision: isFirst ? null : resident.headRevision,
    fence,
    // A turn that follows goes on under the same lease (TT-13).
    releaseLease: !opening,
    head: {
      policy,
      currentFrameId: opening?.frame.frameId ?? current.head.currentFrameId,
      ...(leafNodeId !== undefined && { leafNodeId }),
      turnIndex: resident.head.turnIndex + 1,
      tokenUsage: addUsage(resident.head.tokenUsage, context.usage),
      ...(context.lastPromptUsage && { lastPromptUsage: context.lastPromptUsage }),
      protocolTurnOptions: resident.head.protocolTurnOptions,
    },
    frames: framesOf(resident, frames, opening, policy),
    nodes,
    ...recorded,
    ...(suspects !== resident.suspects && { components: { ...recorded.components, suspectMedia: suspects as unknown as Json } }),
    // Input that still waits for this turn becomes input of the next one (I-32).
    interruptedTurnId: context.turnId,
    ...(yieldsToInput(context) && { unlessInputWaits: "before_completion" as const }),
    ...completedBy(turn.claims),
    usageDeltas: [
      ...(isZeroUsage(context.usage) ? [] : [{ source: "turn", model: asked.model, usage: context.usage }]),
      ...usageBeside(turn.modelCalls),
    ],
    committedAttachmentIds: attachmentIds([...log, ...(opening?.seed ?? [])]),
  };
  const result = resultOf(turn);
  return { ...commit, turn: { commitHash: commitHash({ ...commit, turn: { result } }), result, modelCalls: turn.modelCalls, ...(opening && { next: opening.next }) } };
}

/** What the end of a turn completes. */
export function completedBy(claims: readonly TurnClaim[]): SettledClaims {
  const [completedInputs, completedWork] = [rowsIn(claims, "inputs"), rowsIn(claims, "work")];
  return { ...(completedInputs.length > 0 && { completedInputs }), ...(completedWork.length > 0 && { completedWork }) };
}

const rowsIn = (claims: readonly TurnClaim[], lane: TurnClaim["lane"]) => claims.flatMap((claim) => (claim.lane === lane ? [claim.rows] : []));

/** Frames that are new or changed (OP-12): a first commit writes the initial one, a compaction and an opening both ends of the switch. */
function framesOf({ headRevision, frames }: Resident, compacted: readonly AgentFrame[], opening: FrameOpening | undefined, policy: SessionPolicy): readonly AgentFrame[] {
  const known = headRevision === 0 ? frames.map((frame) => ({ ...frame, policy })) : [];
  const opened = opening ? [...(opening.superseded ? [opening.superseded] : []), opening.frame] : [];
  const changed = new Map([...known, ...compacted, ...opened].map((frame) => [frame.frameId, frame]));
  return [...changed.values()];
}

/** Media that a refused request showed, and to which its receiver has never answered, are shown to it no more (ME-15). */
function suspectsAfter({ isRefused, log, compaction }: FinishedTurn, { head: { policy }, history, messageCount, suspects }: Resident, asked: MediaReceiver): SuspectMedia {
  if (!isRefused) return suspects;
  const committed = compaction ? compaction.messages : history.slice(messageCount);
  return withSuspects(suspects, asked, unansweredMedia([...committed, ...log.slice(compaction?.from ?? 0)], asked, { provider: policy.providerId, model: policy.model.id }));
}

/**
 * What tools asked models for: in the ledger only, not in the turn's own usage (T-79). What children used is not among it: their
 * own commits have booked it here (decision 0016).
 */
const usageBeside = (calls: readonly ModelCallRecord[]): SessionCommit["usageDeltas"] =>
  sumUsage(calls.filter(({ source, child }) => source !== "turn" && !child));
