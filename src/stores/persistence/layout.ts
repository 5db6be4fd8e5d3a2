// Keys of the persistence contract, all of them in one place.
//
// A session's rows lie side by side, in the order of how often they are written (docs/decisions/0003-row-layout.md):
//   ["s", sid, 0, "head" | "lease" | "usage"]   hot: rewritten by every turn, together on one or two pages
//   ["s", sid, 1, frameId]                      one row per frame, written when the frame changes (OP-12)
//   ["s", sid, 2, revision]                     one row per commit: its nodes and what its turn came to
//   ["s", sid, 3, turnId]                       stamp: which commit the turn ended with (P-8)
//   ["s", sid, 4, nodeId]                       node index, only for ids that do not name their turn
// Rows that are looked for over all sessions lie apart:
//   ["session", sid]                            metadata; the directory of sessions
//   ["retired", sid]                            ids that were deleted and stay used (design 7.7)
//   ["turn", sid, 0 | 1]                        turn in flight: control state | input
//   ["turn", sid, 2, step]                      turn in flight: what one step settled and appended
//   ["content", space, id]                      header of a content-addressed document or bytes (content.ts)
//   ["piece", space, id, n]                     its content, apart so that listings and checks do not read it

import { type Bound, END, type Key } from "../engine.ts";

const HOT = 0;
const FRAMES = 1;
const HISTORY = 2;
const STAMPS = 3;
const NODE_INDEX = 4;

export const headKey = (sessionId: string): Key => ["s", sessionId, HOT, "head"];
export const leaseKey = (sessionId: string): Key => ["s", sessionId, HOT, "lease"];
export const usageKey = (sessionId: string): Key => ["s", sessionId, HOT, "usage"];
export const frameKey = (sessionId: string, frameId: string): Key => ["s", sessionId, FRAMES, frameId];
export const framesPrefix = (sessionId: string): Key => ["s", sessionId, FRAMES];
export const historyKey = (sessionId: string, revision: number): Key => ["s", sessionId, HISTORY, revision];
export const historyPrefix = (sessionId: string): Key => ["s", sessionId, HISTORY];
export const stampKey = (sessionId: string, turnId: string): Key => ["s", sessionId, STAMPS, turnId];
export const nodeIndexKey = (sessionId: string, nodeId: string): Key => ["s", sessionId, NODE_INDEX, nodeId];

export const sessionKey = (sessionId: string): Key => ["session", sessionId];
export const SESSIONS: Key = ["session"];
export const retiredKey = (sessionId: string): Key => ["retired", sessionId];

export const TURNS: Key = ["turn"];
export const turnPrefix = (sessionId: string): Key => ["turn", sessionId];
export const turnControlKey = (sessionId: string): Key => ["turn", sessionId, 0];
export const turnInputKey = (sessionId: string): Key => ["turn", sessionId, 1];
export const turnStepKey = (sessionId: string, step: number): Key => ["turn", sessionId, 2, step];

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
