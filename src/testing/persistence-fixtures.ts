// Values for tests of the persistence contract: owners, fences, nodes, commits, and a turn of the size that design section 9
// budgets for (200 B of user text, one tool call answering 1 KiB, 400 B of reply).

import type { Json } from "../domain/json.ts";
import { createMessage, type Message } from "../domain/messages.ts";
import { initialFrame, initialFrameId, type SessionNode, type SessionPolicy, type TokenLedgerEntry } from "../domain/session.ts";
import type { TurnConfig } from "../domain/turn-config.ts";
import type { TokenUsage } from "../domain/usage.ts";
import type {
  AcceptTurn,
  JournalEntry,
  LeaseClaim,
  LeaseFence,
  LeaseOwner,
  MachineSnapshot,
  NewSession,
  ParkedUntil,
  Persistence,
  SessionCommit,
  SessionHead,
  SessionLease,
  TurnResultRecord,
  TurnStep,
} from "../stores/contract.ts";
import type {
  CheckpointKind,
  ClaimedRows,
  QueuedPayload,
  TurnInputClaim,
  TurnInputDraft,
  TurnInputIngress,
  WorkClaim,
  WorkDraft,
} from "../stores/ingress-contract.ts";

export const policy: SessionPolicy = { providerId: "ai-sdk:openai", model: { id: "gpt-5", limits: { contextWindowTokens: 128_000 } }, maxTurns: null };

export const config: TurnConfig = {
  policy,
  system: "Be brief.",
  tools: [{ name: "look", description: "Looks.", inputSchema: { type: "object", properties: {} } }],
};

export const owner = (name: string, incarnationId = `${name}-1`): LeaseOwner => ({ ownerId: name, incarnationId, liveness: { kind: "opaque" } });

export function claimBy(name: string, sessionId: string, overrides: Partial<LeaseClaim> = {}): LeaseClaim {
  return { sessionId, owner: owner(name), ttlMs: 30_000, leaseToken: `token-of-${name}`, ...overrides };
}

export const fenceOf = ({ sessionId, owner: { ownerId, incarnationId }, leaseToken, fencingToken }: SessionLease): LeaseFence => ({
  sessionId,
  ownerId,
  incarnationId,
  leaseToken,
  fencingToken,
});

/** Evidence for a claim: the holder of a lane, as it stands, has been silent for one time to live. */
export async function silenceOf(store: Persistence, sessionId: string): Promise<Pick<LeaseClaim, "silentHolder">> {
  const lease = await store.leases.current(sessionId);
  return lease ? { silentHolder: { fence: fenceOf(lease), expiresAtMs: lease.expiresAtMs } } : {};
}

/** Claims a lane that must be free. */
export async function acquire(store: Persistence, sessionId: string, name = "alice", overrides: Partial<LeaseClaim> = {}): Promise<LeaseFence> {
  const outcome = await store.leases.claim(claimBy(name, sessionId, overrides));
  if (outcome.kind === "busy") throw new Error(`the lane of ${sessionId} is busy`);
  return fenceOf(outcome.lease);
}

/** A session that begins with what another one holds. */
export function beginningOf(sessionId: string, overrides: Pick<NewSession, "holder"> & Partial<NewSession>): NewSession {
  const frame = initialFrame(sessionId, policy, "2026-11-21T10:00:00.000Z");
  const { nodes = [] } = overrides;
  const leafNodeId = nodes.at(-1)?.nodeId;
  const head = { policy, currentFrameId: frame.frameId, ...(leafNodeId !== undefined && { leafNodeId }), turnIndex: 0, tokenUsage: usage(0, 0), protocolTurnOptions: null };
  return { sessionId, relation: { kind: "child", parentSessionId: overrides.holder }, head, frame, nodes, componentRefs: {}, attachmentIds: [], ...overrides };
}

export const usage = (inputTokens: number, outputTokens: number): TokenUsage => ({
  inputTokens,
  outputTokens,
  cacheReadInputTokens: 0,
  cacheWriteInputTokens: 0,
  reasoningOutputTokens: 0,
});

export const ledgerEntry = (model: string, inputTokens: number, outputTokens: number): TokenLedgerEntry => ({
  source: "turn",
  model,
  usage: usage(inputTokens, outputTokens),
});

export const textMessage = (id: string, role: Message["role"], text: string): Message => createMessage(id, role, [{ kind: "Text", content: text }]);

export function messageNode(sessionId: string, message: Message, parentNodeId?: string): SessionNode {
  const node = { nodeId: message.id, agentFrameId: initialFrameId(sessionId), timestamp: "2026-11-21T10:00:00.000Z" };
  return { ...node, ...(parentNodeId !== undefined && { parentNodeId }), body: { kind: "message", message } };
}

/** A chain of text nodes: the first hangs under `parent`, each other one under the one before. */
export function chain(sessionId: string, ids: readonly string[], parent?: string): SessionNode[] {
  return ids.map((id, index) => messageNode(sessionId, textMessage(id, "User", `text of ${id}`), index === 0 ? parent : ids[index - 1]));
}

export function headWith(sessionId: string, overrides: Partial<SessionHead> = {}): SessionHead {
  return {
    policy,
    currentFrameId: initialFrameId(sessionId),
    turnIndex: 0,
    tokenUsage: usage(0, 0),
    protocolTurnOptions: null,
    ...overrides,
  };
}

/** A commit of `nodes` that ends at the last of them. */
export function commitOf(sessionId: string, fence: LeaseFence | undefined, overrides: Partial<SessionCommit> = {}): SessionCommit {
  const nodes = overrides.nodes ?? [];
  const leaf = nodes.at(-1)?.nodeId;
  return {
    sessionId,
    expectedHeadRevision: null,
    ...(fence !== undefined && { fence }),
    releaseLease: false,
    head: headWith(sessionId, leaf === undefined ? {} : { leafNodeId: leaf }),
    frames: [],
    nodes,
    usageDeltas: [],
    committedAttachmentIds: [],
    ...overrides,
  };
}

export function resultOf(turnId: string, text: string, overrides: Partial<TurnResultRecord> = {}): TurnResultRecord {
  return {
    turnId,
    inputHash: `hash of ${turnId}`,
    outcome: { finished: { assistant_message: { text } } },
    text,
    usage: usage(10, 5),
    issues: [],
    toolCalls: [],
    startedAtMs: 1_000,
    durationMs: 25,
    ...overrides,
  };
}

export function acceptOf(name: string, sessionId: string, turnId: string, overrides: Partial<AcceptTurn> = {}): AcceptTurn {
  return {
    ...claimBy(name, sessionId),
    turnId,
    input: { items: [{ type: "text", text: `question of ${turnId}` }] },
    inputHash: `hash of ${turnId}`,
    machine: { machine: "turn", version: 1 },
    config: { value: config },
    session: { relation: { kind: "root" }, model: "gpt-5" },
    ...overrides,
  };
}

export const snapshotAt = (value: Json, context: Json = {}): MachineSnapshot => ({ machine: "turn", version: 1, value, context });

export function stepOf(fence: LeaseFence, turnId: string, step: number, overrides: Partial<TurnStep> = {}): TurnStep {
  return { fence, turnId, step, settled: [], appended: [], modelCalls: [], issued: [], ...overrides };
}

/** Accepts a turn that must be acceptable, and gives the fence to go on with. */
export async function accept(store: Persistence, sessionId: string, turnId: string, name = "alice"): Promise<LeaseFence> {
  const outcome = await store.turns.accept(acceptOf(name, sessionId, turnId));
  if (outcome.kind !== "accepted") throw new Error(`turn ${turnId} was not accepted: ${outcome.kind}`);
  return fenceOf(outcome.lease);
}

/** Accepts a turn and leaves it waiting for `w`, with one step behind it. */
export async function park(store: Persistence, sessionId: string, turnId: string, until: ParkedUntil = { waits: ["w"] }): Promise<void> {
  const fence = await accept(store, sessionId, turnId);
  const outcome = await store.turns.park({ ...stepOf(fence, turnId, 1, { settled: [journaled("k")], appended: [textMessage("m", "User", "x")] }), until });
  if (outcome.kind !== "parked") throw new Error(`turn ${turnId} was not parked: ${outcome.kind}`);
}

export const journaled = (replayKey: string): JournalEntry => ({ replayKey, hash: `hash of ${replayKey}`, outcome: { ok: null } });

// ---- a turn of the budgeted size ------------------------------------------------------------------------------------

const hex = (seed: number, length: number): string => {
  let text = "";
  for (let state = seed + 1; text.length < length; state = (state * 48_271) % 2_147_483_647) text += state.toString(16);
  return text.slice(0, length);
};

/** The four writes of a turn with one tool call, as the runtime does them. */
export interface ToolTurn {
  readonly accept: AcceptTurn;
  readonly steps: (fence: LeaseFence) => readonly TurnStep[];
  readonly commit: (fence: LeaseFence) => SessionCommit;
}

export interface ToolTurnPlace {
  readonly sessionId: string;
  /** Counts turns of the session from 0; the revision before the turn. */
  readonly index: number;
  /** Last node of the turn before. */
  readonly parent?: string | undefined;
}

export const toolTurnId = (index: number): string => `turn-${hex(index, 16)}-${index}`;
export const toolTurnLeaf = (index: number): string => `${toolTurnId(index)}:3`;

export function toolTurn({ sessionId, index, parent }: ToolTurnPlace): ToolTurn {
  const turnId = toolTurnId(index);
  const callId = `call_${hex(index + 7, 24)}`;
  const user = textMessage(`${turnId}:0`, "User", hex(index + 1, 200));
  const call = createMessage(`${turnId}:1`, "Assistant", [
    { kind: "ToolCall", content: `{"city":"${hex(index + 2, 20)}"}`, toolCallId: callId, toolName: "weather" },
  ]);
  const answer = createMessage(`${turnId}:2`, "User", [{ kind: "ToolResult", content: hex(index + 3, 1024), toolCallId: callId, toolName: "weather" }]);
  const replyText = hex(index + 4, 400);
  const reply = createMessage(`${turnId}:3`, "Assistant", [{ kind: "Text", content: replyText }]);
  const messages = [user, call, answer, reply];
  const callUsage = usage(900 + index, 60);
  const modelCall = (effectId: number) => ({ effectId, source: "turn", model: "gpt-5", usage: callUsage, status: "completed" as const });
  const snapshot = (value: Json, open: Json): MachineSnapshot => snapshotAt(value, { nextEffectId: 4, open, iteration: 1, stop: null });
  const timestamp = new Date(1_795_000_000_000 + index * 1_000).toISOString();
  const nodes = messages.map((message, at) => ({ ...messageNode(sessionId, message, at === 0 ? parent : messages[at - 1]?.id), timestamp }));
  const total = usage(1_800 * (index + 1), 120 * (index + 1));
  return {
    accept: acceptOf("alice", sessionId, turnId, { inputHash: hex(index + 5, 64), input: { items: [{ type: "text", text: hex(index + 1, 200) }] } }),
    steps: (fence) => [
      stepOf(fence, turnId, 1, {
        settled: [{ replayKey: `${turnId}:0:llm:1`, hash: hex(index + 8, 64), outcome: { ok: { toolCalls: 1, finish: "tool_use" } } }],
        appended: [user, call],
        modelCalls: [modelCall(1)],
        issued: [`${turnId}:0:tool:${callId}:1`],
        snapshot: snapshot({ running: "callingTools" }, [{ effectId: 2, replayKey: `${turnId}:0:tool:${callId}:1`, command: { type: "tool_attempt" } }]),
      }),
      stepOf(fence, turnId, 2, {
        settled: [{ replayKey: `${turnId}:0:tool:${callId}:1`, hash: hex(index + 9, 64), outcome: { ok: { status: "success" } } }],
        appended: [answer],
        snapshot: snapshot({ running: "callingModel" }, [{ effectId: 3, replayKey: `${turnId}:1:llm:3`, command: { type: "llm_call" } }]),
      }),
    ],
    commit: (fence) =>
      commitOf(sessionId, fence, {
        expectedHeadRevision: index === 0 ? null : index,
        releaseLease: true,
        nodes,
        frames: index === 0 ? [initialFrame(sessionId, policy, timestamp)] : [],
        head: headWith(sessionId, { leafNodeId: reply.id, turnIndex: index + 1, tokenUsage: total, lastPromptUsage: callUsage }),
        usageDeltas: [{ source: "turn", model: "gpt-5", usage: usage(1_800, 120) }],
        turn: {
          commitHash: hex(index + 6, 64),
          modelCalls: [modelCall(1), modelCall(3)],
          result: resultOf(turnId, replyText, {
            inputHash: hex(index + 5, 64),
            usage: usage(1_800, 120),
            toolCalls: [{ callId, toolName: "weather", status: "success", durationMs: 12 }],
          }),
        },
      }),
  };
}

/** Runs one turn of the budgeted size: four writes. */
export async function runToolTurn(store: Persistence, sessionId: string, index: number): Promise<void> {
  const turn = toolTurn({ sessionId, index, parent: index === 0 ? undefined : toolTurnLeaf(index - 1) });
  const outcome = await store.turns.accept(turn.accept);
  if (outcome.kind !== "accepted") throw new Error(`turn ${index} was not accepted: ${outcome.kind}`);
  const fence = fenceOf(outcome.lease);
  for (const step of turn.steps(fence)) await store.turns.recordStep(step);
  await store.sessions.commit(turn.commit(fence));
}

// ---- lanes ----------------------------------------------------------------------------------------------------------

export const nextTurn: TurnInputIngress = { scope: "next_turn" };
export const activeFor = (turnId: string, minBoundary: CheckpointKind = "after_work"): TurnInputIngress => ({ scope: "active_turn", turnId, minBoundary });

export function inputDraft(sessionId: string, text: string, overrides: Partial<TurnInputDraft> = {}): TurnInputDraft {
  return { sessionId, ingress: nextTurn, input: { items: [{ type: "text", text }] }, ...overrides };
}

export const wake = (text: string): QueuedPayload => ({ type: "process_wake", wake: { text } });
export const command = (reason: string): QueuedPayload => ({ type: "session_command", command: { kind: "refresh_tool_catalog", reason } });

/** A wake as the runtime queues it: earliest boundary, exclusive. */
export function wakeDraft(sessionId: string, text: string, overrides: Partial<WorkDraft> = {}): WorkDraft {
  return { sessionId, deliveryPolicy: "earliest_safe_boundary", slotPolicy: "exclusive", payloads: [wake(text)], ...overrides };
}

/** A command as the runtime queues it: after the commit, exclusive. */
export function commandDraft(sessionId: string, reason: string, overrides: Partial<WorkDraft> = {}): WorkDraft {
  return { sessionId, deliveryPolicy: "after_current_turn_commit", slotPolicy: "exclusive", payloads: [command(reason)], ...overrides };
}

/** What a claim gave, as a commit names it. */
export function rowsOf(claim: TurnInputClaim | WorkClaim): ClaimedRows {
  const { sessionId, claimId, claimToken } = claim;
  return { sessionId, claimId, claimToken, ids: "inputs" in claim ? claim.inputs.map((input) => input.inputId) : claim.batches.map((batch) => batch.batchId) };
}
