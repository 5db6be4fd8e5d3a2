// Agent frames: one row each, written when the frame is new or changes (OP-12).

import * as z from "zod/mini";
import type { AgentFrame } from "../../domain/session.ts";
import { type Key, prefixRange, type ReadTransaction, type Value, type WriteTransaction } from "../engine.ts";
import { policyRow } from "./policy-row.ts";
import { frameKey, framesPrefix } from "./layout.ts";
import { count, opaque, parseRecord, SCHEMA_VERSION, schemaVersion } from "./schema.ts";

const frameRow = z.strictObject({
  schemaVersion,
  /** Revision of the commit that made the frame, and its place in there: frames are read in that order, ids do not tell. */
  since: z.tuple([count, count]),
  createdAt: z.string(),
  frameId: z.string(),
  previousFrameId: z.exactOptional(z.string()),
  status: z.enum(["active", "superseded"]),
  reason: z.string(),
  policy: policyRow,
  protocolTurnOptions: opaque,
});

type FrameRow = z.output<typeof frameRow>;

/** Writes frames that are new or changed; `revision` is that of the commit. */
export function setFrames(tx: WriteTransaction, sessionId: string, frames: readonly AgentFrame[], revision: number): void {
  for (const [index, frame] of frames.entries()) {
    const key = frameKey(sessionId, frame.frameId);
    const known = tx.get(key);
    const since = known === undefined ? ([revision, index] satisfies FrameRow["since"]) : readFrame(key, known).since;
    const row: FrameRow = { schemaVersion: SCHEMA_VERSION, since, ...frame };
    tx.set(key, row);
  }
}

/** All frames of a session, oldest first. */
export function readFrames(tx: ReadTransaction, sessionId: string): AgentFrame[] {
  const entries = tx.range(...prefixRange(framesPrefix(sessionId)));
  const rows = entries.map(({ key, value }) => readFrame(key, value));
  rows.sort((a, b) => a.since[0] - b.since[0] || a.since[1] - b.since[1]);
  return rows.map(({ schemaVersion: _version, since: _since, ...frame }) => frame);
}

const readFrame = (key: Key, value: Value): FrameRow => parseRecord(frameRow, "agent frame", key, value);
