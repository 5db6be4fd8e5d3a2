// What a session does when a turn of it has ended here.

import type { CommitResult, SessionCommit, SettledClaims } from "../../stores/contract.ts";
import { queueTopic } from "../input-lane.ts";
import type { Committed } from "../resident.ts";
import type { SessionParts } from "./parts.ts";

/** Makes a commit resident and shows it. */
export function adopt({ residence, feed }: SessionParts, committed: Committed, commit: SessionCommit): void {
  residence.adopt(committed, commit);
  feed.committed();
}

/** @param committed - undefined where the turn was settled without a commit. */
export function turnEnded(session: SessionParts, committed: CommitResult | undefined, completed: SessionCommit | SettledClaims): void {
  const { takeover, ports, lanes, actors, stated: { wiring: { sessionId } } } = session;
  if (committed && "nodes" in completed) adopt(session, committed, completed);
  takeover.ended();
  if ((completed.completedWork ?? []).length > 0) ports.changes.notify(queueTopic(sessionId));
  // Found as it was made before, a commit does not say what it left behind; a settlement never does.
  if (!committed || (committed.leaves ?? committed.replayed)) lanes.poke("turn_ended");
  actors.send(committed ? { type: "turn.committed", follows: "turn" in completed && completed.turn?.next !== undefined } : { type: "turn.settled" });
}
