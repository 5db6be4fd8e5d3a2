// Compaction within a turn: a conversation that is too long is made shorter before the model is asked, or asked again (ME-16).
//
//   TC1. History stays where it is until the commit: the rest of the turn is shown what was made in its place, and the commit opens a
//        frame that begins with it, as a compaction between turns does.
//   TC2. What was made is an outcome in the journal, so that whoever goes on with the turn goes on with the same.
//   TC3. Whatever goes wrong with it is no failure of the turn: it ends, or goes on, as it would without.

import type { Compaction } from "../domain/compaction.ts";
import { copyJson } from "../domain/copy-json.ts";
import { errorFields } from "../domain/error-mapping.ts";
import { canonicalJson, isPlainObject } from "../domain/json.ts";
import { messageOfDraft } from "../domain/message-draft.ts";
import { type Message, plainText } from "../domain/messages.ts";
import type { AgentFrame, ModelSpec, SessionNode } from "../domain/session.ts";
import { sha256Hex } from "../domain/sha256.ts";
import { estimatedTokens, isSaidByUser } from "../domain/token-estimate.ts";
import { cutMiddle } from "../domain/truncate.ts";
import type { Provider } from "../providers/contract.ts";
import type { JournaledOutcome, TurnRecord } from "../stores/contract.ts";
import { shorten } from "./compaction.ts";
import { History } from "./history.ts";
import type { Resident } from "./resident.ts";
import { nodesOf } from "./session-nodes.ts";
import type { SessionParts } from "./session/parts.ts";

export interface TurnCompaction {
  readonly frameId: string;
  /** What stands for the conversation. */
  readonly messages: readonly Message[];
  /** And for so many messages of the turn's own log. */
  readonly from: number;
  readonly view: History;
  /** Names it in envelopes. */
  readonly digest: string;
}

/** As it is journaled. */
type RecordedCompaction = Compaction & { readonly from: number };

export interface CompactedTurn {
  readonly session: Pick<SessionParts, "ports" | "stated" | "residence">;
  readonly provider: Provider;
  readonly model: ModelSpec;
  /** What the turn has said and done so far. */
  readonly own: readonly Message[];
  readonly signal: AbortSignal;
}

/** Longest part of what was asked that is repeated to a model that goes on with the work on it. */
const MOST_TASK_CHARS = 8_000;

/** @returns an outcome without a compaction where nothing was gained. */
export async function compactTurn({ session, provider: own, model, own: log, signal }: CompactedTurn): Promise<JournaledOutcome> {
  const { ports, stated: { wiring }, residence } = session;
  const { history, messageCount } = residence.resident;
  const committed = history.slice(messageCount);
  const { sessionId, compaction, plugins } = wiring;
  const compactor = compaction?.compactor ?? plugins?.compactor ?? compaction?.fallback;
  const from = shortenedOf(committed, log, model.limits?.contextWindowTokens);
  const messages = [...committed, ...log.slice(0, from)];
  if (!compactor || messages.length === 0) return recorded(null);
  const provider = ports.trace?.watchProvider(own, sessionId, "compaction") ?? own;
  try {
    const made = await shorten(compactor, { sessionId, messages, provider, model, instructions: "", signal, clock: ports.clock });
    if (!made) return recorded(null);
    return recorded({ ...made, messages: from === 0 ? made.messages : [...made.messages, { role: "User", text: goOnWith(log) }], from });
  } catch (error) {
    if (!signal.aborted) ports.logger({ level: "warn", event: "compaction.failed", sessionId, ...errorFields(error) });
    return recorded(null);
  }
}

/** How much of the turn's own work is made shorter, too: all or nothing, and what it was asked only together with work. */
function shortenedOf(committed: readonly Message[], log: readonly Message[], window: number | undefined): number {
  if (!log.some(({ role }) => role === "Assistant")) return 0;
  const most = window === undefined ? estimatedTokens(committed) : window / 2;
  return committed.length > 0 && estimatedTokens(log) <= most ? 0 : log.length;
}

/** Behind notes in which the question and the work on it are told alike. */
function goOnWith(log: readonly Message[]): string {
  const asked = log.filter(isSaidByUser).map(plainText).filter((text) => text !== "").join("\n\n");
  return `[The conversation was summed up to make room, in the middle of the work on what was asked last. Do what is still open of it; what the notes call done is done.]\n\n${cutMiddle(asked, MOST_TASK_CHARS)}`;
}

const recorded = (compaction: RecordedCompaction | null): JournaledOutcome => ({ ok: copyJson({ compaction }) });

/** @returns undefined for any other outcome, and for one that gained nothing. */
export function readCompaction(outcome: JournaledOutcome, { sessionId, turnId }: Pick<TurnRecord, "sessionId" | "turnId">): (Pick<Compaction, "usage" | "model"> & { readonly compaction: TurnCompaction }) | undefined {
  if (!("ok" in outcome) || !isPlainObject(outcome.ok) || !isPlainObject(outcome.ok["compaction"])) return undefined;
  const { messages: drafts, from, usage, model } = outcome.ok["compaction"] as unknown as RecordedCompaction;
  const frameId = `${sessionId}:frame:compaction:${turnId}`;
  const messages = drafts.map((draft, index) => messageOfDraft(`${frameId}:${index}`, draft));
  const compaction = { frameId, messages, from, view: new History().showing(messages), digest: sha256Hex(canonicalJson({ drafts, from })) };
  return { compaction, ...(usage && { usage }), ...(model !== undefined && { model }) };
}

/** Of a turn that was found. */
export function compactionIn(turn: TurnRecord): TurnCompaction | undefined {
  for (const { outcome } of turn.journal) {
    const found = readCompaction(outcome, turn);
    if (found) return found.compaction;
  }
  return undefined;
}

export interface CommittedLog {
  /** The session as the end of the turn finds it. */
  readonly current: Resident;
  /** Frames that the compaction made or changed. */
  readonly frames: readonly AgentFrame[];
  readonly nodes: readonly SessionNode[];
}

/**
 * The messages of a turn where they belong: those that were made shorter stay in the frame in which they were said.
 *
 * @param log - what is committed of the turn.
 * @param isShortened - whether a message was said before the compaction, and is in what it made.
 */
export function placedLog(resident: Resident, compaction: TurnCompaction | undefined, log: readonly Message[], isShortened: (message: Message) => boolean, timestamp: string): CommittedLog {
  const { head, frames } = resident;
  if (!compaction) return { current: resident, frames: [], nodes: nodesOf(log, head.currentFrameId, head.leafNodeId, timestamp) };
  const before = nodesOf(log.filter(isShortened), head.currentFrameId, head.leafNodeId, timestamp);
  const after = [...compaction.messages, ...log.filter((message) => !isShortened(message))];
  const { frameId } = compaction;
  const superseded = frames.filter((frame) => frame.frameId === head.currentFrameId).map((frame): AgentFrame => ({ ...frame, status: "superseded" }));
  const { policy, protocolTurnOptions } = superseded[0] ?? head;
  const opened: AgentFrame = { frameId, previousFrameId: head.currentFrameId, status: "active", reason: "compaction", createdAt: timestamp, policy, protocolTurnOptions };
  return {
    current: { ...resident, head: { ...head, currentFrameId: frameId }, frames: [...frames.filter((frame) => frame.frameId !== head.currentFrameId), ...superseded, opened] },
    frames: [...superseded, opened],
    nodes: [...before, ...nodesOf(after, frameId, before.at(-1)?.nodeId ?? head.leafNodeId, timestamp)],
  };
}
