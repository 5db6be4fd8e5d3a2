// What the turn machine's guards ask and its actions do: pure functions of context and event.

import type { ActorSystem, ActorSystemInfo, AnyActorRef } from "xstate";
import { answerOf, partialOf } from "../domain/answer-parts.ts";
import { type AnswerInfo, createMessage, type IncompleteReason, isOwnResult, type Message } from "../domain/messages.ts";
import type { TurnIssue, TurnOutcome } from "../domain/outcome.ts";
import { messagesOfPlugins } from "../domain/plugin-message.ts";
import { truncateRaw } from "../domain/truncate.ts";
import { addUsage, totalTokens } from "../domain/usage.ts";
import type { PartialAnswer } from "../providers/contract.ts";
import { RUNNER, type EffectCommand, type EffectOutcome, type EffectRequest, type EffectsMessage, type TurnEvent } from "./effects.ts";
import type { CheckpointMove, Decision, MessageDraft, ProtocolDriver } from "./protocol.ts";
import { viewOf, type TurnContext } from "./turn.context.ts";

/** The part of XState's `enqueue` that moves need. */
export interface Enqueue {
  assign(patch: Partial<TurnContext>): void;
  sendTo(target: typeof toRunner, message: EffectsMessage): void;
}

/** Whoever drives the machine. Under pure transitions there is nobody, and messages are only listed. */
export const toRunner = ({ system }: { system: ActorSystem<ActorSystemInfo> }): AnyActorRef => system.get(RUNNER) as AnyActorRef;

// ---- asking -------------------------------------------------------------------------------------------------------

/** Whether the event answers an effect that is open, with the given kind of outcome where one is named (M2, TT-4). */
export function awaits(context: TurnContext, event: TurnEvent, kind?: EffectOutcome["kind"]): boolean {
  if (event.type !== "effect.settled" || (kind !== undefined && event.outcome.kind !== kind)) return false;
  return context.open.some(({ effectId, command }) => effectId === event.effectId && answers(event.outcome, command));
}

function answers({ kind }: EffectOutcome, command: EffectCommand): boolean {
  return kind === command.kind || kind === "fault" || (kind === "llm_failure" && command.kind === "llm_call");
}

/** Replies that the protocol never sees: they end the turn whatever they say. */
export function endsTurn(event: TurnEvent): boolean {
  if (event.type !== "effect.settled" || event.outcome.kind !== "llm_call") return false;
  const { terminalReason: reason } = event.outcome.response;
  return reason !== "stop" && reason !== "tool_use" && reason !== "pause" && reason !== "unknown";
}

/** The prompt was too long, nothing was said, and the turn has not made room yet. */
export function overflows(context: TurnContext, event: TurnEvent): boolean {
  if (!context.hooks.includes("compacts") || context.hasCompacted || !awaits(context, event) || event.type !== "effect.settled") return false;
  const { outcome } = event;
  const reason = outcome.kind === "llm_call" ? outcome.response.terminalReason : outcome.kind === "llm_failure" ? outcome.failure.terminalReason : undefined;
  return reason === "context_overflow" && saidIn(outcome).length === 0;
}

/** Where a decision leads in the chart; a checkpoint that nobody takes part in is passed by (M4). */
export type MoveKind = "runTools" | "runCode" | "collect" | "iterate" | "finish";

export function moveAfter(protocol: ProtocolDriver, context: TurnContext, event: TurnEvent): MoveKind | undefined {
  const next = decisionOn(protocol, context, event)?.next;
  if (next?.type !== "checkpoint") return next?.type;
  return asksAt(context, next) ? "collect" : next.onEmpty.type;
}

/**
 * Whether a checkpoint is a state to be in. Before completion, input alone is left to the commit to find (decision 0011), unless
 * the turn is finalized before it commits.
 */
const asksAt = ({ hooks }: TurnContext, { checkpoint }: CheckpointMove): boolean =>
  hooks.includes("checkpoints") || (hooks.includes("takesInput") && (checkpoint === "after_work" || hooks.includes("finalizes")));

export type Delivery = "abort" | "pastLimit" | "nothingAndFinish" | "iterate" | "iterateWithSync";

/** What a checkpoint's delivery leads to. Anything delivered prevents completion, unless the limit is used up (T-57, TT-6). */
export function checkpointDelivery(context: TurnContext, event: TurnEvent): Delivery | undefined {
  if (!awaits(context, event, "checkpoint") || event.type !== "effect.settled" || event.outcome.kind !== "checkpoint") return undefined;
  if (event.outcome.abort) return "abort";
  const finishing = context.afterCheckpoint?.type === "finish";
  if (event.outcome.messages.length > 0) {
    if (finishing && reachedLimit(context)) return "pastLimit";
  } else if (finishing) return "nothingAndFinish";
  return context.hooks.includes("syncsEnvironment") ? "iterateWithSync" : "iterate";
}

const decided = new WeakMap<TurnEvent, { readonly context: TurnContext; readonly decision: Decision | undefined }>();

/** The protocol is asked once per reply, though several guards and an action want to know; a cache, not state. */
function decisionOn(protocol: ProtocolDriver, context: TurnContext, event: TurnEvent): Decision | undefined {
  const known = decided.get(event);
  if (known?.context === context) return known.decision;
  const decision = withinLimits(context, event, withOutput(context, event, decide(protocol, context, event)));
  decided.set(event, { context, decision });
  return decision;
}

function decide(protocol: ProtocolDriver, context: TurnContext, event: TurnEvent): Decision | undefined {
  if (!awaits(context, event) || event.type !== "effect.settled") return undefined;
  const { outcome } = event;
  switch (outcome.kind) {
    case "llm_call":
      return protocol.onModelReply(viewOf(context), outcome.response);
    case "tool_batch":
      return protocol.onToolResults(viewOf(context), outcome.results);
    case "exec_code":
      return protocol.onCodeResult(viewOf(context), outcome.result);
    default:
      return undefined;
  }
}

// ---- output ---------------------------------------------------------------------------------------------------------

/** How often an answer that is not of the wanted form is asked for again. */
const MOST_OUTPUT_ASKS = 2;

/** A turn that is to end with a value ends with it, or asks its model again, naming what is wrong (ME-17). */
function withOutput({ outputAsks }: TurnContext, event: TurnEvent, decision: Decision | undefined): Decision | undefined {
  const output = event.type === "effect.settled" && event.outcome.kind === "llm_call" ? event.outcome.output : undefined;
  if (!decision || !output || !saysTheEnd(decision.next)) return decision;
  if ("value" in output) return { ...decision, next: endingWith(decision.next, { finished: { final_value: { value: output.value } } }) };
  if (outputAsks >= MOST_OUTPUT_ASKS) {
    const message = `the answer does not fit the schema of \`output\`: ${output.problem}`;
    return {
      ...decision,
      issues: [...(decision.issues ?? []), { kind: "llm_provider", code: "invalid_structured_output", message, retryable: false }],
      next: { type: "finish", outcome: { stopped: "provider_error" } },
    };
  }
  const note: MessageDraft = { role: "System", synthetic: "output", parts: [{ kind: "Error", content: `The answer does not fit the schema that was asked for: ${output.problem}. Answer again, with JSON that fits it and nothing else.` }] };
  return { ...decision, append: [...(decision.append ?? []), note], advanceIteration: true, asksForOutput: true, next: { type: "iterate" } };
}

const outcomeAt = (next: Decision["next"]): TurnOutcome | undefined =>
  next.type === "finish" ? next.outcome : next.type === "checkpoint" && next.onEmpty.type === "finish" ? next.onEmpty.outcome : undefined;

function saysTheEnd(next: Decision["next"]): boolean {
  const outcome = outcomeAt(next);
  return outcome !== undefined && "finished" in outcome && "assistant_message" in outcome.finished;
}

const endingWith = (next: Decision["next"], outcome: TurnOutcome): Decision["next"] =>
  next.type === "checkpoint" ? { ...next, onEmpty: { type: "finish", outcome } } : { type: "finish", outcome };

// ---- limits -------------------------------------------------------------------------------------------------------

/** What a turn may not have: another model call. */
export interface ReachedLimit {
  readonly code: "max_turns" | "token_budget";
  readonly message: string;
  /** For the model and whoever reads the history. */
  readonly note: string;
}

/** Counted are the model calls that were made, and what they used (ME-10). */
function reachedLimit({ maxTurns, tokenBudget, iteration, runOffset, usage }: TurnContext): ReachedLimit | undefined {
  if (maxTurns !== null && iteration + 1 >= runOffset + maxTurns) {
    return {
      code: "max_turns",
      message: `the turn made ${maxTurns} model calls, which is its limit; raise \`maxTurns\`, or lift it with null`,
      note: `Turn limit reached (${maxTurns}) before a final assistant response.`,
    };
  }
  const spent = totalTokens(usage);
  if (tokenBudget !== null && spent >= tokenBudget) {
    return {
      code: "token_budget",
      message: `the turn used ${spent} tokens of the ${tokenBudget} it may use; raise \`budget.tokens\``,
      note: `Token budget used up (${spent} of ${tokenBudget}) before a final assistant response.`,
    };
  }
  return undefined;
}

const limitIssue = ({ code, message }: ReachedLimit): TurnIssue => ({ kind: "runtime", code, message, retryable: false });

/** A decision that leads to one model call too many ends the turn instead, with a note in its history. */
function withinLimits(context: TurnContext, event: TurnEvent, decision: Decision | undefined): Decision | undefined {
  if (!decision || !callsAgain(decision.next)) return decision;
  const limit = reachedLimit({ ...context, ...withModelCall(context, event) });
  if (!limit) return decision;
  const note: MessageDraft = { role: "System", synthetic: "turn_limit", parts: [{ kind: "Error", content: limit.note }] };
  return {
    ...decision,
    append: [...(decision.append ?? []), note],
    issues: [...(decision.issues ?? []), limitIssue(limit)],
    next: { type: "finish", outcome: { stopped: "max_turns" } },
  };
}

const callsAgain = (next: Decision["next"]): boolean => next.type === "iterate" || (next.type === "checkpoint" && next.onEmpty.type === "iterate");

// ---- doing --------------------------------------------------------------------------------------------------------

/** Carries out the protocol's decision on a reply: record, append, advance, and request what has no state of its own to do so. */
export function follow(protocol: ProtocolDriver, context: TurnContext, event: TurnEvent, enqueue: Enqueue): void {
  const decision = decisionOn(protocol, context, event);
  if (!decision || event.type !== "effect.settled") return;
  const { next } = decision;
  const drafts = decision.append ?? [];
  const failed = event.outcome.kind === "tool_batch" && event.outcome.results.some(({ output }) => output.outcome.status === "failure");
  const messages = drafts.map((draft, index) => messageOf(context, draft, context.logLength + index));
  const after: Partial<TurnContext> = {
    ...withModelCall(context, event),
    ...withMessages(context, enqueue, [...messages, ...saidOfCalls(context, event, messages.length)]),
    iteration: context.iteration + (decision.advanceIteration ? 1 : 0),
    outputAsks: context.outputAsks + (decision.asksForOutput ? 1 : 0),
    toolFailed: context.toolFailed || failed,
    issues: decision.issues ? [...context.issues, ...decision.issues] : context.issues,
    afterCheckpoint: next.type === "checkpoint" ? next.onEmpty : null,
    outcome: finishOf(context, decision),
  };
  const command = commandOf(context, next, after.iteration ?? context.iteration);
  if (command) requestEffect({ ...context, ...after }, enqueue, command, after);
  else enqueue.assign(after);
}

/** What a decision asks for whose state does not ask by itself. */
function commandOf(context: TurnContext, next: Decision["next"], iteration: number): EffectCommand | undefined {
  if (next.type === "runCode") return { kind: "exec_code", iteration, language: next.language, code: next.code };
  if (next.type === "checkpoint" && asksAt(context, next)) return { kind: "checkpoint", iteration, checkpoint: next.checkpoint };
  return undefined;
}

/** The outcome of a decision that finishes the turn, directly or through a checkpoint that nobody takes part in. */
function finishOf(context: TurnContext, { next }: Decision): TurnOutcome | null {
  if (next.type === "finish") return next.outcome;
  const passesBy = next.type === "checkpoint" && !asksAt(context, next);
  return passesBy && next.onEmpty.type === "finish" ? next.onEmpty.outcome : context.outcome;
}

/** Appends what a checkpoint brought, or finishes as it was decided before it. */
export function deliver(context: TurnContext, event: TurnEvent, enqueue: Enqueue): void {
  if (event.type !== "effect.settled" || event.outcome.kind !== "checkpoint") return;
  const { messages, abort } = event.outcome;
  const delivery = checkpointDelivery(context, event);
  const finishing = context.afterCheckpoint?.type === "finish" ? context.afterCheckpoint.outcome : null;
  const outcome: TurnOutcome | null =
    delivery === "abort" ? { stopped: "plugin_abort" }
    : delivery === "pastLimit" ? { stopped: "max_turns" }
    : delivery === "nothingAndFinish" ? finishing
    : context.outcome;
  enqueue.assign({
    ...withoutEffect(context, event),
    ...withMessages(context, enqueue, messages),
    // Input that prevents a completion starts another iteration; after work the iteration has advanced already.
    iteration: context.iteration + (finishing && messages.length > 0 ? 1 : 0),
    issues: [...context.issues, ...(abort ? [abort] : []), ...(delivery === "pastLimit" ? limitIssuesOf(context) : [])],
    afterCheckpoint: delivery === "nothingAndFinish" ? context.afterCheckpoint : null,
    outcome,
  });
}

function limitIssuesOf(context: TurnContext): readonly TurnIssue[] {
  const limit = reachedLimit(context);
  return limit ? [limitIssue(limit)] : [];
}

/** Takes a completion back, because the commit found input that waits: the last checkpoint is asked after all (TT-7). */
export function collectInput(context: TurnContext, enqueue: Enqueue): void {
  requestEffect(context, enqueue, { kind: "checkpoint", iteration: context.iteration, checkpoint: "before_completion" }, { outcome: null });
}

const CANCELLED: Stop = {
  outcome: { stopped: "cancelled" },
  issue: { kind: "runtime", code: "cancelled", terminalReason: "cancelled", message: "the turn was cancelled" },
};

/** The time that a turn was given is over. Written down before what was open has been heard out. */
export function expired(event: TurnEvent): Stop {
  const given = event.type === "turn.expire" ? ` of ${event.timeoutMs} ms` : "";
  return { outcome: { stopped: "max_turns" }, issue: { kind: "runtime", code: "turn_timeout", message: `the turn's time${given} is over; raise \`timeoutMs\``, retryable: false } };
}

/** Why a turn ends before it is done. */
interface Stop {
  readonly outcome: TurnOutcome;
  readonly issue: TurnIssue;
}

/** A turn that is ended early keeps what its tools did, what it was told, and what its model had said. */
export function stopCancelled(protocol: ProtocolDriver, context: TurnContext, event: TurnEvent, enqueue: Enqueue): void {
  enqueue.assign({ ...withWhatWasDone(protocol, context, event, enqueue), afterCheckpoint: null, outcome: CANCELLED.outcome, issues: [...context.issues, CANCELLED.issue] });
}

/** The same for a turn whose outcome was written down when its time was over. */
export function stopExpired(protocol: ProtocolDriver, context: TurnContext, event: TurnEvent, enqueue: Enqueue): void {
  enqueue.assign({ ...withWhatWasDone(protocol, context, event, enqueue), afterCheckpoint: null });
}

function withWhatWasDone(protocol: ProtocolDriver, context: TurnContext, event: TurnEvent, enqueue: Enqueue): Partial<TurnContext> {
  const isBatch = event.type === "effect.settled" && event.outcome.kind === "tool_batch";
  // What a protocol adds of its own, such as the note about a turn limit, is not what stopped this turn.
  const drafts = isBatch ? (decisionOn(protocol, context, event)?.append ?? []).filter((draft) => draft.synthetic === undefined) : [];
  const delivered = event.type === "effect.settled" && event.outcome.kind === "checkpoint" ? event.outcome.messages : [];
  const own = drafts.map((draft, index) => messageOf(context, draft, context.logLength + index));
  const messages = [...own, ...saidOfCalls(context, event, own.length), ...delivered, ...cutOff(context, event, "cancelled")];
  return { ...withModelCall(context, event), ...withMessages(context, enqueue, messages) };
}

/** What a model had said when it was cut off, as a message that says so (ME-11). */
function cutOff(context: TurnContext, event: TurnEvent, reason: IncompleteReason): readonly Message[] {
  if (event.type !== "effect.settled") return [];
  const said = saidIn(event.outcome);
  if (said.length === 0) return [];
  const answer = answerIn(event.outcome);
  const parts = said.map(({ type, text }) => ({ kind: type === "text" ? ("Prose" as const) : ("Reasoning" as const), content: text }));
  return [createMessage(`${context.turnId}:${context.logLength}`, "Assistant", parts, undefined, { ...(answer && { answer }), incomplete: reason })];
}

/** Whose words they are. */
function answerIn(outcome: EffectOutcome): AnswerInfo | undefined {
  if (outcome.kind === "llm_failure") return outcome.origin;
  return outcome.kind === "llm_call" ? answerOf(outcome.response) : undefined;
}

function saidIn(outcome: EffectOutcome): PartialAnswer {
  if (outcome.kind === "llm_failure") return outcome.partial ?? [];
  return outcome.kind === "llm_call" ? partialOf(outcome.response.parts) : [];
}

/** @param alongside - what else changes: XState builds a whole snapshot for every assign, so there is one. */
export function requestEffect(context: TurnContext, enqueue: Enqueue, command: EffectCommand, alongside: Partial<TurnContext> = {}): void {
  const effectId = context.nextEffectId;
  const { sessionId, turnId, history } = context;
  const request: EffectRequest = {
    effectId,
    replayKey: `${sessionId}:${turnId}:${history?.turnIndex ?? 0}:${command.iteration}:${command.kind}:${effectId}`,
    command,
  };
  enqueue.assign({ ...alongside, open: [...context.open, request], nextEffectId: effectId + 1 });
  enqueue.sendTo(toRunner, { type: "effect.requested", request });
}

/** Hands messages to the turn's log and counts them; only the count stays here (M3). */
export function withMessages(context: TurnContext, enqueue: Enqueue, messages: readonly Message[]): Partial<TurnContext> {
  const last = messages.at(-1);
  if (!last) return {};
  enqueue.sendTo(toRunner, { type: "log.appended", messages });
  return {
    logLength: context.logLength + messages.length,
    endsWithToolResult: last.parts.some(isOwnResult),
  };
}

/** Ids follow from where a message stands, so that a replay writes the same ones (T-23). */
function messageOf(context: TurnContext, draft: MessageDraft, logIndex: number): Message {
  const id = draft.synthetic
    ? `m_sansio_${context.runOffset}_${draft.synthetic}_${(context.history?.messageCount ?? 0) + logIndex}`
    : `${context.turnId}:${logIndex}`;
  const { role, parts, answer, incomplete } = draft;
  return createMessage(id, role, parts, undefined, { ...(answer && { answer }), ...(incomplete && { incomplete }) });
}

export function withoutEffect(context: TurnContext, event: TurnEvent): Pick<TurnContext, "open"> {
  if (event.type !== "effect.settled") return { open: context.open };
  return { open: context.open.filter((effect) => effect.effectId !== event.effectId) };
}

/**
 * What hooks said about the calls of a batch, behind what the protocol appends. A checkpoint would deliver it first of all, so it
 * stands where it would stand then (T-54, T-55), and is as durable as the results.
 */
function saidOfCalls({ turnId, logLength }: TurnContext, event: TurnEvent, behind: number): readonly Message[] {
  if (event.type !== "effect.settled" || event.outcome.kind !== "tool_batch") return [];
  return messagesOfPlugins(turnId, logLength + behind, event.outcome.results.flatMap(({ messages = [] }) => messages));
}

/** Closes the effect and, where it was a model call, counts its usage, whatever it came to. */
export function withModelCall(context: TurnContext, event: TurnEvent): Partial<TurnContext> {
  if (event.type !== "effect.settled" || !awaits(context, event)) return {};
  const { outcome } = event;
  const usage = outcome.kind === "llm_call" || outcome.kind === "llm_failure" ? outcome.call.usage : null;
  return {
    ...withoutEffect(context, event),
    ...(usage && { usage: addUsage(context.usage, usage), lastPromptUsage: usage }),
  };
}

/** Whether the turn ends where its next model call was prepared. */
export function endsInSync(event: TurnEvent): boolean {
  if (event.type !== "effect.settled" || event.outcome.kind !== "sync_execution_environment") return false;
  return event.outcome.issue !== undefined || event.outcome.switchTo !== undefined;
}

export function syncStop(context: TurnContext, event: TurnEvent): Partial<TurnContext> {
  if (event.type !== "effect.settled" || event.outcome.kind !== "sync_execution_environment") return {};
  const { issue, switchTo } = event.outcome;
  if (issue) return { outcome: { stopped: "runtime_error" }, issues: [...context.issues, issue] };
  return switchTo ? { outcome: { agent_frame_switch: { frame_id: switchTo.frameId, task: switchTo.task } } } : {};
}

/** There is room now: what the call without it came to is forgotten. */
export const goOnAfterCompaction = (context: TurnContext, event: TurnEvent): Partial<TurnContext> => ({
  ...withoutEffect(context, event),
  outcome: null,
  issues: context.issues.slice(0, -1),
});

/** An answer that ended otherwise than it should: at a limit, by a filter. */
export function stopOnModelEnding(context: TurnContext, event: TurnEvent, enqueue: Enqueue): void {
  enqueue.assign({ ...withModelCall(context, event), ...withMessages(context, enqueue, cutOff(context, event, incompleteBy(event))), ...modelStop(context, event) });
}

/** A call that came to no answer after all its attempts. */
export function stopOnModelFailure(context: TurnContext, event: TurnEvent, enqueue: Enqueue): void {
  enqueue.assign({ ...withModelCall(context, event), ...withMessages(context, enqueue, cutOff(context, event, incompleteBy(event))), ...modelFailure(context, event) });
}

function incompleteBy(event: TurnEvent): IncompleteReason {
  if (event.type !== "effect.settled") return "failed";
  const reason =
    event.outcome.kind === "llm_call" ? event.outcome.response.terminalReason
    : event.outcome.kind === "llm_failure" ? event.outcome.failure.terminalReason
    : undefined;
  return reason === "output_limit" || reason === "content_filter" || reason === "cancelled" ? reason : "failed";
}

function modelStop(context: TurnContext, event: TurnEvent): Partial<TurnContext> {
  if (event.type !== "effect.settled" || event.outcome.kind !== "llm_call") return {};
  const { terminalReason: reason, terminalDiagnostic } = event.outcome.response;
  const issue: TurnIssue = {
    kind: "llm_provider",
    code: reason,
    terminalReason: reason,
    message: terminalDiagnostic ?? `the model's answer ended with ${reason}`,
    retryable: false,
  };
  const stopped = reason === "output_limit" ? "incomplete" : reason === "cancelled" ? "cancelled" : "provider_error";
  return { outcome: { stopped }, issues: [...context.issues, issue] };
}

function modelFailure(context: TurnContext, event: TurnEvent): Partial<TurnContext> {
  if (event.type !== "effect.settled" || event.outcome.kind !== "llm_failure") return {};
  const { failure } = event.outcome;
  const issue: TurnIssue = {
    kind: "llm_provider",
    code: failure.terminalReason === "context_overflow" ? failure.terminalReason : (failure.code ?? failure.kind),
    message: `LLM error: ${failure.message}`,
    ...(failure.terminalReason !== "provider_error" && { terminalReason: failure.terminalReason }),
    ...(failure.raw !== undefined && { raw: truncateRaw(failure.raw) }),
    retryable: failure.retryable,
    ...(failure.kind !== "unknown" && { providerFailureKind: failure.kind }),
  };
  const stopped = failure.terminalReason === "cancelled" ? "cancelled" : "provider_error";
  return { outcome: { stopped }, issues: [...context.issues, issue] };
}

export function faultIssue(event: TurnEvent): TurnIssue {
  const fault = event.type === "effect.settled" && event.outcome.kind === "fault" ? event.outcome : undefined;
  return {
    kind: "runtime_effect_controller",
    code: fault?.code ?? "runtime_effect_wrong_outcome",
    message: fault?.message ?? "an effect answered with something else than what was asked",
  };
}
