// History rows: one per commit, with all nodes it appended and what the turn came to.
//
// Frame (of the row: absent means the session's initial one, null none), time and the chain of parents are said once for the
// row; a node says only what differs:
//   i  its id: a number n stands for `<turnId>:<n>`; absent means one more than the node before, from 0
//   m  id of its message, when that is not the id of the node
//   p  its parent when that is not the node before (of the first: the row's); null for a root
//   f  its frame when that is not the row's; null for none
//   t  its timestamp when that is not the row's
// Read by hand for speed, as message-row.ts says: 1,000 turns with 5,000 messages (2 MB) take a few milliseconds.

import type { Json, JsonObject } from "../../domain/json.ts";
import { initialFrameId, type NodeBody, type SessionNode } from "../../domain/session.ts";
import type { Key, Value } from "../engine.ts";
import { type Fault, isRecord, readMessage, writeMessage } from "./message-row.ts";
import { checkVersion, CONTENT_VERSION, invalidRow, parseRow, versionFor } from "./schema.ts";
import { readTurnResult, type TurnEnding, turnResultRow, writeTurnResult } from "./turn-result-row.ts";

const KIND = "history";

/** The row of a commit; undefined for one that has neither nodes nor a turn. */
export function writeHistory(sessionId: string, nodes: readonly SessionNode[], ending: TurnEnding | undefined): JsonObject | undefined {
  const [first] = nodes;
  if (first === undefined && ending === undefined) return undefined;
  const turnId = ending?.result.turnId;
  return {
    schemaVersion: versionFor(nodes.flatMap(({ body }) => (body.kind === "message" ? [body.message] : []))),
    ...(first !== undefined && { at: first.timestamp }),
    ...(first !== undefined && first.agentFrameId !== initialFrameId(sessionId) && { frame: first.agentFrameId ?? null }),
    ...(first?.parentNodeId !== undefined && { parent: first.parentNodeId }),
    nodes: first === undefined ? [] : writeNodes(nodes, first, turnId),
    ...(ending !== undefined && { turn: writeTurnResult(ending, nodes) as unknown as Json }),
  };
}

function writeNodes(nodes: readonly SessionNode[], first: SessionNode, turnId: string | undefined): JsonObject[] {
  let expectedOrdinal = 0;
  let parentNodeId = first.parentNodeId;
  return nodes.map((node) => {
    const ordinal = turnId === undefined ? undefined : ordinalWithin(node.nodeId, turnId);
    const row: JsonObject = {
      ...(ordinal === undefined ? { i: node.nodeId } : ordinal !== expectedOrdinal && { i: ordinal }),
      ...(node.parentNodeId !== parentNodeId && { p: node.parentNodeId ?? null }),
      ...(node.agentFrameId !== first.agentFrameId && { f: node.agentFrameId ?? null }),
      ...(node.timestamp !== first.timestamp && { t: node.timestamp }),
      ...(node.causedBy !== undefined && { causedBy: node.causedBy }),
      ...writeBody(node.body, node.nodeId),
    };
    if (ordinal !== undefined) expectedOrdinal = ordinal + 1;
    parentNodeId = node.nodeId;
    return row;
  });
}

function writeBody(body: NodeBody, nodeId: string): JsonObject {
  if (body.kind === "plugin") return { plugin: body.pluginType, payload: body.payload };
  return { ...(body.message.id !== nodeId && { m: body.message.id }), ...writeMessage(body.message) };
}

/** The n of `<turnId>:<n>`, or undefined for any other id. */
export function ordinalWithin(nodeId: string, turnId: string): number | undefined {
  if (!nodeId.startsWith(turnId) || nodeId[turnId.length] !== ":") return undefined;
  const digits = nodeId.slice(turnId.length + 1);
  const ordinal = Number(digits);
  return Number.isSafeInteger(ordinal) && ordinal >= 0 && String(ordinal) === digits ? ordinal : undefined;
}

/** The turn that an id of the form `<turnId>:<n>` names. */
export function turnOf(nodeId: string): string | undefined {
  const turnId = nodeId.slice(0, Math.max(0, nodeId.lastIndexOf(":")));
  return turnId !== "" && ordinalWithin(nodeId, turnId) !== undefined ? turnId : undefined;
}

/** @throws LashError `stored_row_invalid`, or one of the three of P-57. */
export function readNodes(key: Key, value: Value): SessionNode[] {
  checkVersion(KIND, key, value, CONTENT_VERSION);
  const fault: Fault = (problem) => invalidRow(KIND, key, problem);
  const row = value as Readonly<Record<string, unknown>>;
  const { at, nodes } = row;
  const frame = row["frame"] === undefined ? initialFrameId(String(key[1])) : row["frame"] === null ? undefined : row["frame"];
  if (!Array.isArray(nodes)) throw fault("it has no nodes");
  if (!isOptionalText(at) || !isOptionalText(frame) || !isOptionalText(row["parent"])) throw fault("at, frame or parent is no text");
  const { turn } = row;
  const turnId = isRecord(turn) && typeof turn["id"] === "string" ? turn["id"] : undefined;
  const asked = modelAsked(turn);
  const read: SessionNode[] = [];
  let ordinal = 0;
  let parentNodeId = row["parent"];
  for (const node of nodes as readonly unknown[]) {
    if (!isRecord(node)) throw fault("a node is no object");
    const { i, p, f, t, causedBy } = node;
    let nodeId: string;
    if (typeof i === "string") {
      nodeId = i;
    } else {
      if (i !== undefined) {
        if (!Number.isSafeInteger(i)) throw fault("a node has an invalid id");
        ordinal = i as number;
      }
      if (turnId === undefined) throw fault("a node is numbered, but the row has no turn");
      nodeId = `${turnId}:${ordinal++}`;
    }
    const parent = p === undefined ? parentNodeId : p === null ? undefined : p;
    const agentFrameId = f === undefined ? frame : f === null ? undefined : f;
    const timestamp = t ?? at;
    if (!isOptionalText(parent) || !isOptionalText(agentFrameId) || typeof timestamp !== "string") throw fault(`node ${nodeId} has an invalid frame`);
    read.push(assemble({ nodeId, parent, agentFrameId, timestamp, causedBy, body: readBody(node, nodeId, fault, asked) }));
    parentNodeId = nodeId;
  }
  return read;
}

/** Model of the turn's own calls, which were all made with one configuration. */
function modelAsked(turn: unknown): string | undefined {
  const calls = isRecord(turn) ? turn["calls"] : undefined;
  const own: unknown = Array.isArray(calls) ? calls.find((call) => Array.isArray(call) && call[1] === "turn") : undefined;
  return Array.isArray(own) && typeof own[2] === "string" ? own[2] : undefined;
}

interface NodeFields {
  readonly nodeId: string;
  readonly parent: string | undefined;
  readonly agentFrameId: string | undefined;
  readonly timestamp: string;
  readonly causedBy: unknown;
  readonly body: NodeBody;
}

function assemble({ nodeId, parent, agentFrameId, timestamp, causedBy, body }: NodeFields): SessionNode {
  const node: { -readonly [Field in keyof SessionNode]: SessionNode[Field] } = { nodeId, timestamp, body };
  if (parent !== undefined) node.parentNodeId = parent;
  if (agentFrameId !== undefined) node.agentFrameId = agentFrameId;
  if (causedBy !== undefined) node.causedBy = causedBy as Json;
  return node;
}

function readBody(node: Readonly<Record<string, unknown>>, nodeId: string, fault: Fault, asked: string | undefined): NodeBody {
  const { plugin, payload, m } = node;
  if (plugin === undefined) {
    if (!isOptionalText(m)) throw fault(`the message of node ${nodeId} has an invalid id`);
    return { kind: "message", message: readMessage(node, m ?? nodeId, fault, asked) };
  }
  if (typeof plugin !== "string" || payload === undefined) throw fault(`node ${nodeId} is no valid plugin node`);
  return { kind: "plugin", pluginType: plugin, payload: payload as Json };
}

/** Whether the row holds what a turn came to. */
export const hasEnding = (value: Value): boolean => isRecord(value) && value["turn"] !== undefined;

/** What the turn of this row came to. */
export function readEnding(key: Key, value: Value): TurnEnding {
  const nodes = readNodes(key, value);
  const { turn } = value as Readonly<Record<string, Json>>;
  if (turn === undefined) throw invalidRow(KIND, key, "it has no turn");
  return readTurnResult(parseRow(turnResultRow, KIND, key, turn), nodes);
}

const isOptionalText = (value: unknown): value is string | undefined => value === undefined || typeof value === "string";
