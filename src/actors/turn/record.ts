// Record of a turn: where its run is claimed and written, in the persistence contract.
//
// How each write is found again after a lost answer: a step by its number, under the fence; the end by the turn's id.

import { runtimeError, storeError } from "../../domain/errors.ts";
import type { LeaseFence, Persistence, RecordedTurn, SessionLease, TurnPark, TurnStep } from "../../stores/contract.ts";
import type { ClaimAnswer, DurableRecord, EndAnswer, ParkAnswer, ParkUntil, StepAnswer, StepDraft, SureWrite } from "../durable/contract.ts";
import { collectedBefore, collectedNow } from "./collected.ts";
import type { TurnTypes } from "./types.ts";

export interface TurnRecordOptions {
  readonly persistence: Persistence;
  readonly turnId: string;
  readonly isDurable: boolean;
  readonly claim: () => Promise<ClaimAnswer<TurnTypes>>;
  /** One of these durable waits is over. */
  readonly onAnswered: (keyIds: readonly string[]) => void;
}

export class TurnRunRecord implements DurableRecord<TurnTypes> {
  readonly isDurable: boolean;
  readonly claim: () => Promise<ClaimAnswer<TurnTypes>>;
  readonly #persistence: Persistence;
  readonly #turnId: string;
  readonly #onAnswered: TurnRecordOptions["onAnswered"];

  constructor({ persistence, turnId, isDurable, claim, onAnswered }: TurnRecordOptions) {
    this.#onAnswered = onAnswered;
    this.#persistence = persistence;
    this.#turnId = turnId;
    this.isDurable = isDurable;
    this.claim = claim;
  }

  step(fence: LeaseFence, draft: StepDraft<TurnTypes>): SureWrite<StepAnswer<TurnTypes>> {
    if (!this.isDurable) return this.#collectAlone(fence, draft);
    const step = stepOf(fence, this.#turnId, draft);
    return {
      write: async () => {
        const outcome = await this.#persistence.turns.recordStep(step);
        if (outcome.kind === "settled") return { kind: "over" };
        const { cancellation: cancel } = outcome;
        return { kind: "recorded", cancel, brought: step.collect && collectedNow(step.collect.replayKey, outcome) };
      },
      find: () => this.#findStep(step),
    };
  }

  park(fence: LeaseFence, draft: StepDraft<TurnTypes>, { waits, dueAtMs }: ParkUntil): SureWrite<ParkAnswer<TurnTypes>> {
    const { leases, turns } = this.#persistence;
    // Found by every sweep, as nothing would tell the store when it can go on.
    if (!waits) {
      const parked = (): ParkAnswer<TurnTypes> => ({ kind: "parked" });
      return { write: () => leases.release(fence).then(parked, parked), find: async () => undefined };
    }
    const park: TurnPark = { ...stepOf(fence, this.#turnId, draft), until: { waits, ...(dueAtMs !== undefined && { dueAtMs }) } };
    return {
      write: async () => {
        const outcome = await turns.park(park);
        if (outcome.kind === "settled") throw runtimeError("session_execution_lease_lost", `another owner has ended turn ${this.#turnId}`);
        return outcome.kind === "parked" ? outcome : this.#answered(park, outcome.cancellation);
      },
      find: () => this.#findPark(park),
    };
  }

  end(fence: LeaseFence, ending: TurnTypes["ending"]): SureWrite<EndAnswer<TurnTypes>> {
    const { turns, sessions } = this.#persistence;
    const write = async (): Promise<EndAnswer<TurnTypes>> => {
      if (ending.kind === "settle") return ended(await turns.settle(ending.settlement));
      const commit = await sessions.commit(ending.commit);
      if (commit.cancelledBy) return { kind: "refused", why: { kind: "cancelled", by: commit.cancelledBy } };
      if (commit.inputWaits) return { kind: "refused", why: { kind: "inputWaits" } };
      if (!commit.turn) throw storeError("store_backend", `the store recorded no result for turn ${this.#turnId}`);
      return { kind: "ended", result: { recorded: commit.turn, commit } };
    };
    // Asked again once it has ended, it answers with what is recorded.
    return { write, find: async () => ((await turns.settled(fence.sessionId, this.#turnId)) ? write : undefined) };
  }

  /**
   * Nobody else writes under this fence, so the step of that number is this one.
   *
   * @throws LashError `session_execution_lease_expired` - somebody else has the turn, or has ended it.
   */
  async #findStep({ fence, step, collect }: TurnStep): Promise<(() => Promise<StepAnswer<TurnTypes>>) | undefined> {
    const { sessionId } = fence;
    const turn = await this.#persistence.turns.load(sessionId, this.#turnId);
    // Read after the turn: who holds it now held it then.
    const lease = await this.#persistence.leases.current(sessionId);
    if (!turn || !lease || !isHeldUnder(lease, fence)) throw storeError("session_execution_lease_expired", `session ${sessionId} is not held by this writer any more`, { details: { sessionId } });
    if (turn.step < step) return undefined;
    const { cancellation: cancel, claims } = turn;
    const claimed = claims.filter(({ replayKey }) => collect !== undefined && replayKey === collect.replayKey);
    return async () => ({ kind: "recorded", cancel, brought: claimed.length > 0 ? await collectedBefore(this.#persistence, claimed, "run") : undefined });
  }

  /**
   * The step of that number is this one, or follows it: whoever takes up a parked turn has a fence of their own.
   *
   * @throws LashError `session_execution_lease_expired` - it was not made, and somebody else has the turn, or has ended it.
   */
  async #findPark(park: TurnPark): Promise<(() => Promise<ParkAnswer<TurnTypes>>) | undefined> {
    const { fence, fence: { sessionId }, step } = park;
    const turn = await this.#persistence.turns.load(sessionId, this.#turnId);
    const lease = await this.#persistence.leases.current(sessionId);
    const isHeld = lease !== undefined && isHeldUnder(lease, fence);
    if (turn && turn.step >= step) return async () => (isHeld ? this.#answered(park, turn.cancellation) : { kind: "parked" });
    if (turn && isHeld) return undefined;
    throw storeError("session_execution_lease_expired", `session ${sessionId} is not held by this writer any more`, { details: { sessionId } });
  }

  #answered({ until: { waits } }: TurnPark, cancel: TurnTypes["cancel"] | undefined): ParkAnswer<TurnTypes> {
    this.#onAnswered(waits);
    return { kind: "answered", cancel };
  }

  /** Nothing of the turn is durable but what it claims. */
  #collectAlone(fence: LeaseFence, { extra }: StepDraft<TurnTypes>): SureWrite<StepAnswer<TurnTypes>> {
    const write = async (): Promise<StepAnswer<TurnTypes>> => {
      if (!extra || !("collect" in extra)) return { kind: "recorded" };
      const { collect } = extra;
      return { kind: "recorded", brought: collectedNow(collect.replayKey, await this.#persistence.turns.collect(fence, this.#turnId, collect)) };
    };
    return { write, find: async () => undefined };
  }
}

const stepOf = (fence: LeaseFence, turnId: string, { number, settled, issued, snapshot, facts, extra }: StepDraft<TurnTypes>): TurnStep => ({
  fence,
  turnId,
  step: number,
  settled,
  issued,
  ...facts,
  ...extra,
  ...(snapshot && { snapshot }),
});

const ended = (recorded: RecordedTurn): EndAnswer<TurnTypes> => ({ kind: "ended", result: { recorded } });

const isHeldUnder = ({ owner, leaseToken, fencingToken }: SessionLease, fence: LeaseFence): boolean =>
  owner.ownerId === fence.ownerId && owner.incarnationId === fence.incarnationId && leaseToken === fence.leaseToken && fencingToken === fence.fencingToken;
