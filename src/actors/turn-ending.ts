// The end of a turn: what it came to, and the one write that makes it so (T-73, OP-4).

import type { TurnCancellation } from "../domain/cancellation.ts";
import { LashError } from "../domain/errors.ts";
import type { CommitResult, LeaseFence, RecordedTurn, TurnRecord } from "../stores/contract.ts";
import { buildCommit, completedBy, resultOf, type FinishedTurn } from "./committer.ts";
import type { Held } from "./durable/contract.ts";
import type { Look } from "./sure-write.ts";
import type { TurnSession } from "./turn-session.ts";
import type { TurnWrites } from "./turn-writes.ts";

export interface EndingLane {
  readonly turn: TurnRecord;
  readonly held: Held<LeaseFence>;
  readonly writes: TurnWrites;
}

export type Commitment =
  | { readonly kind: "committed"; readonly result: RecordedTurn }
  /** Nothing was committed: the turn goes on with input that arrived. */
  | { readonly kind: "inputWaits" }
  /** Nothing was committed: it is to end as cancelled. */
  | { readonly kind: "cancelled"; readonly by: TurnCancellation };

/** @param ending - hears what is recorded before anybody else is shown the commit. */
export async function commitTurn(session: TurnSession, { turn: accepted, held, writes }: EndingLane, finish: () => FinishedTurn, ending: (result: RecordedTurn) => void): Promise<Commitment> {
  const { ports, wiring, resident, machineSnapshot, report, adopt, ended, settingsAfter } = session;
  await held.ensureLive();
  held.ending();
  const finished = finish();
  report({ type: "turn.committing" });
  const commit = buildCommit(finished, {
    resident: resident(),
    settings: settingsAfter(accepted),
    asked: { provider: accepted.config.policy.providerId, model: accepted.config.policy.model.id },
    fence: held.fence,
    machine: machineSnapshot(),
    now: ports.clock.now(),
    pluginState: wiring.plugins?.capture(resident().plugins, "turn"),
  });
  const write = (): Promise<CommitResult> => ports.persistence.sessions.commit(commit);
  const committed = await writes.record(write, whereEnded(session, accepted, write));
  // Found as it was made before, it does not say what it left behind.
  const { turn, cancelledBy, inputWaits, leaves = committed.replayed } = committed;
  if (cancelledBy || inputWaits) {
    held.goingOn();
    report({ type: "turn.continued" });
    return cancelledBy ? { kind: "cancelled", by: cancelledBy } : { kind: "inputWaits" };
  }
  if (!turn) throw new LashError("runtime", "other", "the store recorded no result for the turn");
  ending(turn);
  adopt(committed, commit);
  ended(commit, leaves);
  report({ type: "turn.committed" });
  return { kind: "committed", result: turn };
}

/** Ends the turn without moving the session's head. */
export async function settleTurn(session: TurnSession, { turn, held, writes }: EndingLane, finish: () => FinishedTurn): Promise<RecordedTurn> {
  const { ports, ended } = session;
  await held.ensureLive();
  held.ending();
  const finished = finish();
  const completed = completedBy(finished.claims);
  const write = (): Promise<RecordedTurn> => ports.persistence.turns.settle({ fence: held.fence, result: resultOf(finished), ...completed });
  const result = await writes.record(write, whereEnded(session, turn, write));
  // What else waits is not known.
  ended(completed, true);
  return result;
}

/** A write that ends a turn answers with what is recorded, once the turn has ended. */
const whereEnded =
  <T>({ ports }: TurnSession, { sessionId, turnId }: TurnRecord, write: () => Promise<T>): Look<T> =>
  async () =>
    (await ports.persistence.turns.settled(sessionId, turnId)) && write;
