// Watched store: custom records of the leases and claims that pass through a store (S-64, I-54). Looking at the store's answers
// tells what is durable, whoever asked for it, and the runtime itself has nothing to tell.
//
//   L1. A lease is told from its acquisition to exactly one end: released or lost. Taking it again while it is held is no news.
//   L2. Tokens that prove a claim are never told, only what names it.

import type { TraceContext } from "../actors/trace-port.ts";
import { LashError } from "../domain/errors.ts";
import type { JsonObject } from "../domain/json.ts";
import type { LeaseClaim, LeaseFence, Persistence, SessionLease, TurnRecord } from "../stores/contract.ts";
import type { ClaimedRows, QueuedPayload, TurnInputClaim, WorkClaim } from "../stores/ingress-contract.ts";
import { shownText } from "./content.ts";
import type { Recorder } from "./recorder.ts";

/** Ids that a record lists at most. */
const MOST_IDS = 100;

interface HeldLease {
  readonly lease: SessionLease;
  readonly context: TraceContext;
}

export class StoreWatch {
  readonly #recorder: Recorder;
  /** By lease token. */
  readonly #held = new Map<string, HeldLease>();

  constructor(recorder: Recorder) {
    this.#recorder = recorder;
  }

  /** A turn failed because its lease is gone; that may be known by the clock alone. */
  turnFailed({ session_id, turn_id }: TraceContext, code: string): void {
    if (code !== "session_execution_lease_lost") return;
    for (const { lease, context } of this.#held.values()) if (context.session_id === session_id && context.turn_id === turn_id) this.#lost(lease);
  }

  watch(store: Persistence): Persistence {
    return { ...store, leases: this.#leases(store), turns: this.#turns(store), sessions: this.#sessions(store), inputs: this.#inputs(store), queue: this.#queue(store) };
  }

  #leases({ leases }: Persistence): Persistence["leases"] {
    return {
      ...leases,
      claim: async (claim) => {
        const outcome = await leases.claim(claim);
        if (outcome.kind === "busy") this.#busy(claim, {}, outcome.holder);
        else this.#acquired(claim, {}, outcome.lease);
        return outcome;
      },
      renew: async (fence, ttlMs) => {
        const lease = await this.#fenced(fence, () => leases.renew(fence, ttlMs));
        this.#tell("renewed", this.#contextOf(fence), lease);
        return lease;
      },
      release: async (fence) => {
        await leases.release(fence);
        this.#released(fence);
      },
    };
  }

  #turns({ turns }: Persistence): Persistence["turns"] {
    const claimed = <Outcome extends { readonly kind: string; readonly lease?: SessionLease; readonly holder?: SessionLease }>(claim: LeaseClaim & { readonly turnId: string }, outcome: Outcome, more: JsonObject = {}): Outcome => {
      const turn = { turn_id: claim.turnId };
      if (outcome.kind === "busy" && outcome.holder) this.#busy(claim, turn, outcome.holder);
      else if (outcome.lease) this.#acquired(claim, turn, outcome.lease, more);
      return outcome;
    };
    return {
      ...turns,
      accept: async (request) => claimed(request, await turns.accept(request)),
      acceptQueued: async (request) => {
        const outcome = await turns.acceptQueued(request);
        claimed(request, outcome);
        if (outcome.kind === "accepted" && isNew(outcome.turn)) for (const { rows } of outcome.turn.claims) this.#inputsTaken(rows, { turn_id: request.turnId }, "next_turn");
        return outcome;
      },
      resume: async (request) => {
        const outcome = await turns.resume(request);
        return claimed(request, outcome, outcome.kind === "resumed" ? { recoveries: outcome.turn.recoveries } : {});
      },
      recordStep: async (step) => {
        const outcome = await this.#fenced(step.fence, () => turns.recordStep(step));
        if (outcome.kind === "recorded" && outcome.claim) this.#inputsClaimed(outcome.claim, { turn_id: step.turnId });
        return outcome;
      },
      park: async (park) => {
        const outcome = await this.#fenced(park.fence, () => turns.park(park));
        if (outcome.kind === "parked") this.#released(park.fence);
        return outcome;
      },
      settle: async (settlement) => {
        const { fence, completedWork } = settlement;
        const result = await this.#fenced(fence, () => turns.settle(settlement));
        this.#workCompleted(completedWork, this.#contextOf(fence));
        this.#released(fence);
        return result;
      },
    };
  }

  #sessions({ sessions }: Persistence): Persistence["sessions"] {
    return {
      ...sessions,
      commit: async (commit) => {
        const { fence, releaseLease, completedWork } = commit;
        const result = await this.#fenced(fence, () => sessions.commit(commit));
        if (result.cancelledBy || result.inputWaits) return result;
        this.#workCompleted(completedWork, fence ? this.#contextOf(fence) : { session_id: commit.sessionId });
        if (fence && releaseLease) this.#released(fence);
        return result;
      },
    };
  }

  #inputs({ inputs }: Persistence): Persistence["inputs"] {
    const claimed = (claim: TurnInputClaim | undefined, turn: TraceContext): TurnInputClaim | undefined => {
      if (claim) this.#inputsClaimed(claim, turn);
      return claim;
    };
    return {
      ...inputs,
      claimActive: async (request) => claimed(await this.#fenced(request.fence, () => inputs.claimActive(request)), { turn_id: request.turnId }),
      claimNext: async (request) => claimed(await this.#fenced(request.fence, () => inputs.claimNext(request)), {}),
    };
  }

  #queue({ queue }: Persistence): Persistence["queue"] {
    const claimed = (claim: WorkClaim | undefined, boundary: string): WorkClaim | undefined => {
      if (claim) this.#workClaimed(claim, boundary);
      return claim;
    };
    return {
      ...queue,
      enqueue: async (draft) => {
        const batch = await queue.enqueue(draft);
        this.#recorder.custom({ session_id: batch.sessionId }, "queued_work.enqueued", { batch_id: batch.batchId, payload_types: typesOf(batch.items.map(({ payload }) => payload)) });
        return batch;
      },
      claimCommand: async (request) => claimed(await this.#fenced(request.fence, () => queue.claimCommand(request)), "command"),
      claimWork: async (request) => claimed(await this.#fenced(request.fence, () => queue.claimWork(request)), request.boundary),
      claimBatches: async (request) => claimed(await this.#fenced(request.fence, () => queue.claimBatches(request)), request.boundary),
    };
  }

  // ---- leases -----------------------------------------------------------------------------------------------------

  #acquired({ sessionId, deadHolder, silentHolder }: LeaseClaim, turn: TraceContext, lease: SessionLease, more: JsonObject = {}): void {
    const from = deadHolder ?? silentHolder?.fence;
    const known = this.#held.has(lease.leaseToken);
    const context = { session_id: sessionId, ...turn };
    this.#held.set(lease.leaseToken, { lease, context });
    if (!known) this.#tell("acquired", context, lease, { ...more, ...(from && { took_over_from: from.ownerId }) });
  }

  #busy({ sessionId, owner }: LeaseClaim, turn: TraceContext, holder: SessionLease): void {
    this.#recorder.custom({ session_id: sessionId, ...turn }, "session_execution_lease.busy", { owner_id: owner.ownerId, holder_id: holder.owner.ownerId, fencing_token: holder.fencingToken, expires_at_ms: holder.expiresAtMs });
  }

  #released({ leaseToken }: LeaseFence): void {
    const held = this.#held.get(leaseToken);
    if (!held) return;
    this.#held.delete(leaseToken);
    this.#tell("released", held.context, held.lease);
  }

  #lost({ leaseToken }: Pick<LeaseFence, "leaseToken">): void {
    const held = this.#held.get(leaseToken);
    if (!held) return;
    this.#held.delete(leaseToken);
    this.#tell("lost", held.context, held.lease);
  }

  /** A write that needs the lease finds out when it is gone. */
  async #fenced<T>(fence: LeaseFence | undefined, write: () => Promise<T>): Promise<T> {
    try {
      return await write();
    } catch (error) {
      if (fence && LashError.is(error) && error.isCode("session_execution_lease_expired")) this.#lost(fence);
      throw error;
    }
  }

  #contextOf({ sessionId, leaseToken }: LeaseFence): TraceContext {
    return this.#held.get(leaseToken)?.context ?? { session_id: sessionId };
  }

  #tell(what: "acquired" | "renewed" | "released" | "lost", context: TraceContext, { owner, fencingToken, expiresAtMs }: SessionLease, more: JsonObject = {}): void {
    this.#recorder.custom(context, `session_execution_lease.${what}`, { owner_id: owner.ownerId, fencing_token: fencingToken, expires_at_ms: expiresAtMs, ...more });
  }

  // ---- input and queued work --------------------------------------------------------------------------------------

  #inputsClaimed({ sessionId, claimId, mode, owner, inputs }: TurnInputClaim, turn: TraceContext): void {
    const ids = inputs.slice(0, MOST_IDS).map(({ inputId }) => shownText(inputId, 500));
    this.#recorder.custom({ session_id: sessionId, ...turn }, "turn_input.claimed", { boundary: mode.kind === "active_turn" ? mode.checkpoint : mode.kind, claim_id: claimId, owner_id: owner.ownerId, input_ids: ids });
  }

  #inputsTaken({ sessionId, claimId, ids }: ClaimedRows, turn: TraceContext, boundary: string): void {
    this.#recorder.custom({ session_id: sessionId, ...turn }, "turn_input.claimed", { boundary, claim_id: claimId, input_ids: ids.slice(0, MOST_IDS).map((id) => shownText(id, 500)) });
  }

  #workClaimed({ sessionId, claimId, owner, batches }: WorkClaim, boundary: string): void {
    const payloads = batches.flatMap(({ items }) => items.map(({ payload }) => payload));
    this.#recorder.custom({ session_id: sessionId }, "queued_work.claimed", {
      boundary,
      claim_id: claimId,
      owner_id: owner.ownerId,
      batch_ids: batches.slice(0, MOST_IDS).map(({ batchId }) => batchId),
      payload_types: typesOf(payloads),
      causes: batches.slice(0, MOST_IDS).flatMap(({ sourceKey }) => (sourceKey === undefined ? [] : [shownText(sourceKey, 500)])),
    });
  }

  #workCompleted(completed: readonly ClaimedRows[] | undefined, context: TraceContext): void {
    for (const { claimId, ids } of completed ?? []) this.#recorder.custom(context, "queued_work.completed", { claim_id: claimId, batch_ids: ids.slice(0, MOST_IDS) });
  }
}

/** Accepted now, and not found in flight under its id. */
const isNew = ({ step, recoveries }: TurnRecord): boolean => step === 0 && recoveries === 0;

const typesOf = (payloads: readonly QueuedPayload[]): readonly string[] => [...new Set(payloads.map(({ type }) => type))];
