// Keys of the persistence contract, all of them in one place.
//
// A session's rows lie side by side, in the order of how often they are written (docs/decisions/0003-row-layout.md):
//   ["s", sid, 0, "head" | "lease" | "usage"]   hot: rewritten by every turn, together on one or two pages
//   ["s", sid, 0, "config"]                     names what the latest turn was accepted with; written when that changes
//   ["s", sid, 0, "lanes"]                      last sequence numbers of inputs and queued work
//   ["s", sid, 1, frameId]                      one row per frame, written when the frame changes (OP-12)
//   ["s", sid, 2, revision]                     one row per commit: its nodes and what its turn came to
//   ["s", sid, 3, turnId]                       stamp: which commit the turn ended with (P-8)
//   ["s", sid, 4, nodeId]                       node index, only for ids that do not name their turn
//   ["s", sid, 5, nodeId]                       tombstoned nodes (P-48)
//   ["s", sid, 6, seq] and ["s", sid, 7, seq]   inputs that wait or are accepted | cancelled and completed ones
//   ["s", sid, 8, inputId], ["s", sid, 9, hash] sequence of an input by its id, by the hash of its source key
//   ["s", sid, 10, seq]                         queued batches
//   ["s", sid, 11, batchId], [.., 12, hash]     sequence of a batch by its id, by the hash of its source key
//   ["s", sid, 13, attachmentId]                attachment manifest
//   ["s", sid, 14, childSid]                    sessions that were made as children of this one
// Rows that are looked for over all sessions lie apart:
//   ["session", sid]                            metadata; the directory of sessions
//   ["retired", sid]                            ids that were deleted and stay used (design 7.7)
//   ["retired"]                                 how often something was deleted that the engine's files may still hold (erasure.ts)
//   ["turn", sid, 0 | 1]                        turn in flight: control state | input; the former also of a deletion that goes on
//   ["turn", sid, 2, step]                      turn in flight: what one step settled and appended
//   ["parked", sid, 0]                          control state of a turn that waits and that nobody drives; in place of ["turn", sid, 0]
//   ["parked", sid, 1], ["parked", sid, 2, step]   the other rows of a turn that has waited so once, from then on
//   ["ready"], ["ready", 0..3, ..]              what can go on, and from when on (ready-index.ts)
//   ["intent", sid, attachmentId]               manifest rows without commit stamp
//   ["held", attachmentId, sid]                 sessions that refer to an attachment
//   ["blob", key]                               bytes in the attachments' home that no header names: being put, or to be deleted
//   ["wait", sid, keyId], ["waits", sid], ["secret", "wait"]   durable waits (waits.ts)
//   ["content", space, id]                      header of a content-addressed document or bytes (content.ts)
//   ["piece", space, id, n]                     its content, apart so that listings and checks do not read it

import { sha256Hex } from "../../domain/sha256.ts";
import { type Bound, END, type Key } from "../engine.ts";

const HOT = 0;
const FRAMES = 1;
const HISTORY = 2;
const STAMPS = 3;
const NODE_INDEX = 4;
const TOMBSTONES = 5;
const INPUTS = 6;
const ENDED_INPUTS = 7;
const INPUT_IDS = 8;
const INPUT_SOURCES = 9;
const WORK = 10;
const WORK_IDS = 11;
const WORK_SOURCES = 12;
const ATTACHMENTS = 13;
const CHILDREN = 14;

export const headKey = (sessionId: string): Key => ["s", sessionId, HOT, "head"];
export const leaseKey = (sessionId: string): Key => ["s", sessionId, HOT, "lease"];
export const usageKey = (sessionId: string): Key => ["s", sessionId, HOT, "usage"];
export const configKey = (sessionId: string): Key => ["s", sessionId, HOT, "config"];
export const frameKey = (sessionId: string, frameId: string): Key => ["s", sessionId, FRAMES, frameId];
export const framesPrefix = (sessionId: string): Key => ["s", sessionId, FRAMES];
export const historyKey = (sessionId: string, revision: number): Key => ["s", sessionId, HISTORY, revision];
export const historyPrefix = (sessionId: string): Key => ["s", sessionId, HISTORY];
export const stampKey = (sessionId: string, turnId: string): Key => ["s", sessionId, STAMPS, turnId];
export const nodeIndexKey = (sessionId: string, nodeId: string): Key => ["s", sessionId, NODE_INDEX, nodeId];

export const sessionPrefix = (sessionId: string): Key => ["s", sessionId];
export const SESSION_ROWS: Key = ["s"];

/** Rows that are only found from others of their session, and of which a long session has many. */
export const historicRows = (sessionId: string): readonly [Bound, Bound] => [["s", sessionId, HISTORY], ["s", sessionId, INPUTS]];
/** All others below its prefix. */
export const usableRows = (sessionId: string): readonly (readonly [Bound, Bound])[] => [
  [sessionPrefix(sessionId), ["s", sessionId, HISTORY]],
  [["s", sessionId, INPUTS], after(sessionPrefix(sessionId))],
];

export const tombstoneKey = (sessionId: string, nodeId: string): Key => ["s", sessionId, TOMBSTONES, nodeId];
export const tombstonesPrefix = (sessionId: string): Key => ["s", sessionId, TOMBSTONES];

export const lanesKey = (sessionId: string): Key => ["s", sessionId, HOT, "lanes"];
export const inputKey = (sessionId: string, seq: number): Key => ["s", sessionId, INPUTS, seq];
export const inputsPrefix = (sessionId: string): Key => ["s", sessionId, INPUTS];
export const endedInputKey = (sessionId: string, seq: number): Key => ["s", sessionId, ENDED_INPUTS, seq];
export const endedInputsPrefix = (sessionId: string): Key => ["s", sessionId, ENDED_INPUTS];
export const inputIdKey = (sessionId: string, inputId: string): Key => ["s", sessionId, INPUT_IDS, inputId];
/** Source keys are any text of a host, so keys hold their hash. */
export const inputSourceKey = (sessionId: string, sourceKey: string): Key => ["s", sessionId, INPUT_SOURCES, sha256Hex(sourceKey)];
export const workKey = (sessionId: string, seq: number): Key => ["s", sessionId, WORK, seq];
export const workPrefix = (sessionId: string): Key => ["s", sessionId, WORK];
export const workIdKey = (sessionId: string, batchId: string): Key => ["s", sessionId, WORK_IDS, batchId];
export const workSourceKey = (sessionId: string, sourceKey: string): Key => ["s", sessionId, WORK_SOURCES, sha256Hex(sourceKey)];

export const manifestKey = (sessionId: string, attachmentId: string): Key => ["s", sessionId, ATTACHMENTS, attachmentId];
export const manifestPrefix = (sessionId: string): Key => ["s", sessionId, ATTACHMENTS];
export const childKey = (sessionId: string, childSessionId: string): Key => ["s", sessionId, CHILDREN, childSessionId];
export const childrenPrefix = (sessionId: string): Key => ["s", sessionId, CHILDREN];
export const intentKey = (sessionId: string, attachmentId: string): Key => ["intent", sessionId, attachmentId];
export const INTENTS: Key = ["intent"];
export const heldKey = (attachmentId: string, sessionId: string): Key => ["held", attachmentId, sessionId];
export const heldPrefix = (attachmentId: string): Key => ["held", attachmentId];

export const blobKey = (key: string): Key => ["blob", key];
export const BLOBS: Key = ["blob"];

export const sessionKey = (sessionId: string): Key => ["session", sessionId];
export const SESSIONS: Key = ["session"];
export const RETIRED: Key = ["retired"];
export const retiredKey = (sessionId: string): Key => ["retired", sessionId];

export const TURNS: Key = ["turn"];
export const turnPrefix = (sessionId: string): Key => ["turn", sessionId];
export const turnControlKey = (sessionId: string): Key => ["turn", sessionId, 0];
export const turnInputKey = (sessionId: string): Key => ["turn", sessionId, 1];
export const turnStepKey = (sessionId: string, step: number): Key => ["turn", sessionId, 2, step];

export const PARKED: Key = ["parked"];
export const parkedPrefix = (sessionId: string): Key => ["parked", sessionId];
export const parkedControlKey = (sessionId: string): Key => ["parked", sessionId, 0];
export const parkedInputKey = (sessionId: string): Key => ["parked", sessionId, 1];
export const parkedStepKey = (sessionId: string, step: number): Key => ["parked", sessionId, 2, step];

export const READY: Key = ["ready"];
export const READY_TURNS: Key = ["ready", 0];
export const readyTurnKey = (sessionId: string): Key => ["ready", 0, sessionId];
export const DUE_TURNS: Key = ["ready", 1];
export const dueTurnKey = (dueAtMs: number, sessionId: string): Key => ["ready", 1, dueAtMs, sessionId];
export const READY_QUEUES: Key = ["ready", 2];
export const readyQueueKey = (sessionId: string): Key => ["ready", 2, sessionId];
export const DELAYED_QUEUES: Key = ["ready", 3];
export const delayedQueueKey = (availableAtMs: number, sessionId: string): Key => ["ready", 3, availableAtMs, sessionId];

/** Where the control state of a session's turn may be. */
export const controlKeys = (sessionId: string): readonly Key[] => [turnControlKey(sessionId), parkedControlKey(sessionId)];

/** First bound past `key` and everything below it. */
export const after = (key: Key): Bound => [...key, END];

/** Ids of index rows that start with `<turnId>:`; `;` is the character after `:`. */
export const indexedUnderTurn = (sessionId: string, turnId: string): readonly [Bound, Bound] => [
  nodeIndexKey(sessionId, `${turnId}:`),
  nodeIndexKey(sessionId, `${turnId};`),
];

/** The text part of a key at `index`; keys of this layout always have one there. */
export const textAt = (key: Key, index: number): string => String(key[index]);

/** Content-addressed bytes and documents: a small header, and the content in pieces apart from it. */
export const contentKey = (space: string, id: string): Key => ["content", space, id];
export const contentPrefix = (space: string): Key => ["content", space];
export const pieceKey = (space: string, id: string, piece: number): Key => ["piece", space, id, piece];
export const piecesPrefix = (space: string, id: string): Key => ["piece", space, id];
