// The state that a child starts with, out of what was asked for and what its parent has (S-66, PP-28).

import { overlaid, storedPrompt } from "../actors/session-settings.ts";
import { attachmentsOf, conversationOf } from "../actors/fork.ts";
import { nodesOf } from "../actors/session-nodes.ts";
import type { RuntimePorts } from "../actors/ports.ts";
import { invalidArgument } from "../domain/invalid-argument.ts";
import { messageOfDraft } from "../domain/message-draft.ts";
import type { Json } from "../domain/json.ts";
import { initialFrame, initialFrameId, type SessionNode, type SessionPolicy } from "../domain/session.ts";
import { NO_PROMPT, type SessionSettings } from "../domain/turn-config.ts";
import { zeroUsage } from "../domain/usage.ts";
import { patchOf } from "../settings-options.ts";
import type { ComponentBody } from "../stores/contract.ts";
import type { NewChild } from "../stores/persistence/children.ts";
import type { ChildRequest, ParentSession } from "./contract.ts";

interface Beginning {
  readonly settings: SessionSettings;
  readonly nodes: readonly SessionNode[];
  readonly protocolTurnOptions: Json;
  /** Whose images the nodes name. */
  readonly holder: string;
}

export type StartedChild = Pick<NewChild, "head" | "frame" | "nodes" | "prompt" | "forksState" | "attachmentIds" | "holder">;

/** @throws LashError `invalid_argument` - there is no such session to start from; `missing_model_spec`. */
export async function startOf(sessionId: string, request: ChildRequest, parent: ParentSession, ports: RuntimePorts): Promise<StartedChild> {
  const createdAt = new Date(ports.clock.now()).toISOString();
  const beginning = await beginningOf(sessionId, request, parent, ports, createdAt);
  const { provider, model, prompt: asked, maxTurns } = request;
  const change = patchOf({ ...(provider && { provider }), ...(model && { model }), ...(asked !== undefined && { prompt: asked }), ...(maxTurns !== undefined && { maxTurns }) }, beginning.settings, ports.retrying);
  const policy: SessionPolicy = overlaid(beginning.settings.policy, change);
  const prompt = change.prompt ?? beginning.settings.prompt;
  const frame = initialFrame(sessionId, policy, createdAt);
  const nodes = [...beginning.nodes, ...saidAfter(beginning.nodes, request, frame.frameId, createdAt)];
  const leafNodeId = nodes.at(-1)?.nodeId;
  return {
    head: {
      policy,
      currentFrameId: frame.frameId,
      ...(leafNodeId !== undefined && { leafNodeId }),
      turnIndex: 0,
      tokenUsage: zeroUsage,
      protocolTurnOptions: beginning.protocolTurnOptions,
    },
    frame: { ...frame, protocolTurnOptions: beginning.protocolTurnOptions },
    nodes,
    ...(Object.keys(prompt).length > 0 && { prompt: prompt as ComponentBody }),
    forksState: request.state !== "fresh",
    attachmentIds: attachmentsOf(nodes),
    holder: beginning.holder,
  };
}

async function beginningOf(sessionId: string, { start = "empty" }: ChildRequest, parent: ParentSession, ports: RuntimePorts, createdAt: string): Promise<Beginning> {
  const own = parent.wiring.sessionId;
  const frameId = initialFrameId(sessionId);
  if (start === "empty") return { settings: parent.settings, nodes: [], protocolTurnOptions: null, holder: own };
  if (start !== "current" && "snapshot" in start) {
    const { messages, policy = parent.settings.policy } = start.snapshot;
    return { settings: { ...parent.settings, policy }, nodes: nodesOf(messages, frameId, undefined, createdAt), protocolTurnOptions: null, holder: own };
  }
  const from = start === "current" ? own : start.sessionId;
  if (from !== own) await requireSibling(from, own, ports);
  const source = await ports.persistence.sessions.load(from, { kind: "active_path" });
  // What has committed nothing has nothing to start with.
  if (!source) return { settings: parent.settings, nodes: [], protocolTurnOptions: null, holder: own };
  const settings = from === own ? parent.settings : { policy: source.head.policy, prompt: storedPrompt(source.components.prompt) ?? NO_PROMPT };
  return { settings, nodes: conversationOf(source, frameId), protocolTurnOptions: source.head.protocolTurnOptions, holder: from };
}

/** Whoever may make children of a session may read it and its children, and no other session of the store. */
async function requireSibling(sessionId: string, parentSessionId: string, { persistence }: RuntimePorts): Promise<void> {
  const meta = await persistence.sessions.loadMeta(sessionId);
  const { relation } = meta ?? {};
  if (relation?.kind === "child" && relation.parentSessionId === parentSessionId) return;
  throw invalidArgument("start.sessionId", "the id of this session or of a child of it");
}

function saidAfter(before: readonly SessionNode[], { initialMessages = [] }: ChildRequest, frameId: string, createdAt: string): readonly SessionNode[] {
  const taken = new Set(before.map(({ nodeId }) => nodeId));
  let name = "child-start";
  while (taken.has(`${name}:0`)) name += "~";
  const messages = initialMessages.map((draft, index) => messageOfDraft(`${name}:${index}`, draft));
  return nodesOf(messages, frameId, before.at(-1)?.nodeId, createdAt);
}
