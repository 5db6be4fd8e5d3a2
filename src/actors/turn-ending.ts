// The end of a turn: what it came to, and the one write that makes it so (T-73, OP-4).

import type { TurnCancellation } from "../domain/cancellation.ts";
import { LashError } from "../domain/errors.ts";
import type { RecordedTurn, TurnRecord } from "../stores/contract.ts";
import { buildCommit, completedBy, resultOf, type FinishedTurn } from "./committer.ts";
import type { LeaseKeeper } from "./lease-keeper.ts";
import type { TurnSession } from "./turn-session.ts";

export interface EndingLane {
  readonly turn: TurnRecord;
  readonly keeper: LeaseKeeper;
}

export type Commitment =
  | { readonly kind: "committed"; readonly result: RecordedTurn }
  /** Nothing was committed: the turn goes on with input that arrived (T-57). */
  | { readonly kind: "inputWaits" }
  /** Nothing was committed: it is to end as cancelled (OP-20). */
  | { readonly kind: "cancelled"; readonly by: TurnCancellation };

export async function commitTurn(session: TurnSession, { turn: accepted, keeper }: EndingLane, finish: () => FinishedTurn): Promise<Commitment> {
  const { ports, wiring, resident, machineSnapshot, report, adopt, ended, settingsAfter } = session;
  await keeper.ensureLive();
  keeper.ending();
  const finished = finish();
  report({ type: "turn.committing" });
  const commit = buildCommit(finished, {
    resident: resident(),
    settings: settingsAfter(accepted),
    model: accepted.config.policy.model.id,
    fence: keeper.fence,
    machine: machineSnapshot(),
    now: ports.clock.now(),
    pluginState: wiring.plugins?.capture(resident().plugins, "turn"),
  });
  const committed = await ports.persistence.sessions.commit(commit);
  const { turn, cancelledBy, inputWaits, leaves } = committed;
  if (cancelledBy || inputWaits) {
    keeper.goingOn();
    report({ type: "turn.continued" });
    return cancelledBy ? { kind: "cancelled", by: cancelledBy } : { kind: "inputWaits" };
  }
  if (!turn) throw new LashError("runtime", "other", "the store recorded no result for the turn");
  adopt(committed, commit);
  ended(commit, leaves ?? false);
  report({ type: "turn.committed" });
  return { kind: "committed", result: turn };
}

/** Ends the turn without moving the session's head. */
export async function settleTurn({ ports, ended }: TurnSession, { keeper }: EndingLane, finish: () => FinishedTurn): Promise<RecordedTurn> {
  await keeper.ensureLive();
  keeper.ending();
  const finished = finish();
  const completed = completedBy(finished.claims);
  const result = await ports.persistence.turns.settle({ fence: keeper.fence, result: resultOf(finished), ...completed });
  // What else waits is not known.
  ended(completed, true);
  return result;
}
