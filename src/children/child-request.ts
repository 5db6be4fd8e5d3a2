// What a host asked for as a child, checked: shapes, bounds, ids. Nothing here reads or writes.

import { assertJson } from "../domain/bounded-json.ts";
import { runtimeError } from "../domain/errors.ts";
import { checkedId } from "../domain/id-rules.ts";
import { invalidArgument, refuseUnknown } from "../domain/invalid-argument.ts";
import { isPlainObject, type Json } from "../domain/json.ts";
import type { Limits } from "../domain/limits.ts";
import { readDraft, type MessageDraft } from "../domain/message-draft.ts";
import type { Message } from "../domain/messages.ts";
import type { ChildAssignment, SessionRelation } from "../domain/session.ts";
import { toolsByName } from "../actors/session-tools.ts";
import { checkShared } from "../lash-options.ts";
import { policyRow } from "../stores/persistence/policy-row.ts";
import { isRecord, readMessage } from "../stores/persistence/message-row.ts";
import type { ChildLiveParts, ChildRequest, ConversationSnapshot } from "./contract.ts";

const LIVE = ["provider", "tools"];
const FIELDS = [
  ...LIVE, "id", "start", "model", "prompt", "maxTurns", "hiddenTools", "initialMessages", "usageSource", "state", "subagent", "maxDepth", "key",
];
const DEFAULT_MAX_DEPTH = 5;
const MOST_GENERATIONS = 64;
const MOST_HIDDEN_TOOLS = 1000;

/** @throws LashError `invalid_argument` - naming the field; `limit_exceeded`, `json_invalid` - of messages. */
export function checkRequest(request: ChildRequest, limits: Limits): void {
  refuseUnknown(request, FIELDS, "child request");
  const { provider, tools, model, prompt, maxTurns, id, start, hiddenTools, initialMessages, usageSource, state, subagent, maxDepth } = request;
  checkShared({ ...(provider && { provider }), ...(tools && { tools }), ...(model && { model }), ...(prompt !== undefined && { prompt }), ...(maxTurns !== undefined && { maxTurns }) });
  if (model?.media !== undefined) throw invalidArgument("model.media", "left out: it is not recorded, and a child takes what its lash and its parent say of its model");
  toolsByName(tools ?? []);
  if (givenId(request) !== undefined) checkedId(id, "id");
  checkStart(start, limits);
  if (hiddenTools !== undefined && !(Array.isArray(hiddenTools) && hiddenTools.length <= MOST_HIDDEN_TOOLS && hiddenTools.every((name) => typeof name === "string"))) {
    throw invalidArgument("hiddenTools", `an array of at most ${MOST_HIDDEN_TOOLS} tool names`);
  }
  if (initialMessages !== undefined) checkDrafts(initialMessages, limits);
  if (usageSource !== undefined) checkedId(usageSource, "usageSource");
  if (usageSource === "turn") throw invalidArgument("usageSource", "another one: `turn` is what the session itself uses");
  if (state !== undefined && state !== "fork" && state !== "fresh") throw invalidArgument("state", '"fork" or "fresh"');
  if (subagent !== undefined) {
    refuseUnknown(subagent, ["capability"], "subagent");
    checkedId(subagent.capability, "subagent.capability");
  }
  if (maxDepth !== undefined && !(Number.isSafeInteger(maxDepth) && maxDepth >= 1 && maxDepth <= MOST_GENERATIONS)) {
    throw invalidArgument("maxDepth", `a whole number from 1 to ${MOST_GENERATIONS}`);
  }
}

export function checkLive(live: ChildLiveParts): void {
  refuseUnknown(live, LIVE, "child options");
  checkShared(live);
}

/** Undefined where the runtime is to make one. */
export const givenId = ({ id }: ChildRequest): string | undefined => (typeof id === "string" && id.trim() === "" ? undefined : id);

function checkStart(start: ChildRequest["start"], limits: Limits): void {
  if (start === undefined || start === "empty" || start === "current") return;
  if (isPlainObject(start) && Object.keys(start).length === 1) {
    if ("sessionId" in start) return void checkedId(start["sessionId"], "start.sessionId");
    if ("snapshot" in start) return checkSnapshot(start["snapshot"], limits);
  }
  throw invalidArgument("start", '"empty", "current", { sessionId } or { snapshot }');
}

function checkSnapshot(snapshot: unknown, limits: Limits): void {
  const { messages, policy } = { ...(snapshot as Partial<ConversationSnapshot>) };
  if (!Array.isArray(messages)) throw invalidArgument("start.snapshot", "a read view, or an object with its `messages`");
  if (policy !== undefined && !policyRow.safeParse(policy).success) throw invalidArgument("start.snapshot.policy", "the policy of a session");
  const ids = new Set<string>();
  messages.forEach((message: Message, index) => {
    const field = `start.snapshot.messages[${index}]`;
    assertJson(message, { field, limit: "modelResponseBytes", limits });
    if (!isRecord(message) || typeof message["id"] !== "string" || ids.has(message["id"])) throw invalidArgument(field, "a message with an id of its own");
    checkedId(message["id"], `${field}.id`);
    ids.add(message["id"]);
    readMessage(message, message["id"], (problem) => invalidArgument(field, `a message: ${problem}`));
  });
}

function checkDrafts(drafts: readonly MessageDraft[], limits: Limits): void {
  if (!Array.isArray(drafts)) throw invalidArgument("initialMessages", "an array");
  assertJson(drafts, { field: "initialMessages", limit: "turnInputBytes", limits });
  drafts.forEach((draft: Json, index) => {
    if (!readDraft(draft)) throw invalidArgument(`initialMessages[${index}]`, '{ role: "User" | "Assistant" | "System", text }');
  });
}

/** @throws LashError `limit_exceeded` - the parent is as deep as its line may go. */
export function assignmentOf({ usageSource = "child", subagent, hiddenTools = [], maxDepth }: ChildRequest, parent: SessionRelation | undefined): ChildAssignment {
  const above = parent?.kind === "child" ? parent.assignment : undefined;
  const most = Math.min(maxDepth ?? above?.maxDepth ?? DEFAULT_MAX_DEPTH, above?.maxDepth ?? MOST_GENERATIONS);
  const depth = (above?.depth ?? 0) + 1;
  if (depth > most) {
    throw runtimeError("limit_exceeded", `\`maxDepth\` is ${most}, and this session is ${depth - 1} deep: it can have no children`, { details: { field: "maxDepth", limit: "maxDepth", max: most } });
  }
  const hidden = [...new Set([...(above?.hiddenTools ?? []), ...hiddenTools])];
  return { usageSource, depth, maxDepth: most, ...(subagent && { capability: subagent.capability }), ...(hidden.length > 0 && { hiddenTools: hidden }) };
}
