// Changes of a session that are no turn: each is a commit of its own (S-48).

import type { Compaction } from "../domain/compaction.ts";
import { invalidArgument } from "../domain/invalid-argument.ts";
import type { Json } from "../domain/json.ts";
import { messageOfDraft } from "../domain/message-draft.ts";
import type { SessionSettings } from "../domain/turn-config.ts";
import type { LeaseFence, SessionCommit } from "../stores/contract.ts";
import type { Resident } from "./resident.ts";
import { nodesOf } from "./session-nodes.ts";
import { recording } from "./session-settings.ts";

export type SessionChange = Partial<Pick<SessionCommit, "head" | "frames" | "nodes" | "components" | "usageDeltas" | "queuedInputs">>;

/** The commit of a change: what it does not name stays as it is. */
export function changeCommit(sessionId: string, resident: Resident, fence: LeaseFence, change: SessionChange): SessionCommit {
  const isFirst = resident.headRevision === 0;
  return {
    sessionId,
    expectedHeadRevision: isFirst ? null : resident.headRevision,
    fence,
    releaseLease: true,
    head: resident.head,
    frames: isFirst ? resident.frames : [],
    nodes: [],
    usageDeltas: [],
    committedAttachmentIds: [],
    ...change,
  };
}

/** The change with what plugins have come to between turns, where that is news. */
export function withPluginState<Change extends SessionChange | null>(change: Change, pluginSnapshot: Json | undefined): Change | SessionChange {
  return pluginSnapshot === undefined ? change : { ...change, components: { ...change?.components, pluginSnapshot } };
}

/** Records settings of the session and, with them, of its current frame. */
export function settingsCommit(settings: SessionSettings, resident: Resident): SessionChange {
  const { policy, ...recorded } = recording(settings, resident, undefined);
  const current = resident.frames.filter(({ frameId }) => frameId === resident.head.currentFrameId);
  return { head: { ...resident.head, policy }, frames: current.map((frame) => ({ ...frame, policy })), ...recorded };
}

/**
 * Moves the leaf to a message of the active path; the tail stays stored (design 7.3).
 *
 * @param parentOf - the parent of a stored node: before the first message of a later frame lies the frame before it, which
 *   must stay on the path.
 */
export async function branchTo(
  { head, history, messageCount }: Resident,
  at: string | null,
  parentOf: (nodeId: string) => Promise<string | undefined>,
): Promise<SessionChange> {
  if (at === null) {
    const { leafNodeId: _, ...rootless } = head;
    const [first] = history.slice(messageCount);
    const before = first && (await parentOf(first.id));
    return { head: before === undefined ? rootless : { ...head, leafNodeId: before } };
  }
  if (!history.slice(messageCount).some((message) => message.id === at)) {
    throw invalidArgument("at", "the id of a message of this session's current conversation, or null");
  }
  return { head: { ...head, leafNodeId: at } };
}

/** A fresh context; undefined where the frame of that id was opened before. */
export function resetTo(resident: Resident, frameId: string, now: number): SessionChange | undefined {
  if (resident.frames.some((frame) => frame.frameId === frameId)) return undefined;
  return openFrame(resident, { frameId, reason: "reset", createdAt: new Date(now).toISOString(), messages: [] });
}

export interface FrameToOpen extends Compaction {
  readonly frameId: string;
  readonly reason: "compaction" | "reset";
  /** RFC 3339. */
  readonly createdAt: string;
}

/** A frame that starts with these messages becomes the current one; what came before stays on the path, and readable. */
export function openFrame({ head, frames }: Resident, { frameId, reason, createdAt, messages, usage, model }: FrameToOpen): SessionChange {
  const current = frames.find((frame) => frame.frameId === head.currentFrameId);
  const { policy, protocolTurnOptions } = current ?? head;
  const nodes = nodesOf(messages.map((draft, index) => messageOfDraft(`${frameId}:${index}`, draft)), frameId, head.leafNodeId, createdAt);
  const leafNodeId = nodes.at(-1)?.nodeId ?? head.leafNodeId;
  // It told the size of a prompt that is not sent any more.
  const { lastPromptUsage: _, ...kept } = head;
  return {
    head: { ...kept, currentFrameId: frameId, ...(leafNodeId !== undefined && { leafNodeId }) },
    frames: [
      ...(current ? [{ ...current, status: "superseded" as const }] : []),
      { frameId, previousFrameId: head.currentFrameId, status: "active", reason, createdAt, policy, protocolTurnOptions },
    ],
    nodes,
    usageDeltas: usage ? [{ source: "compaction", model: model ?? policy.model.id, usage }] : [],
  };
}
