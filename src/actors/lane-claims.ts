// Lane claims: how a session comes to its lease, alone or together with a turn (S-56, S-62, T-82).

import { runtimeErrorOfLeaseClaim } from "../domain/error-mapping.ts";
import { LashError, runtimeError } from "../domain/errors.ts";
import type { TurnConfig } from "../domain/turn-config.ts";
import { lackError, type TurnMeans } from "../domain/turn-means.ts";
import { type AcceptedInput, inputHashOf } from "../domain/turn-input.ts";
import { TURN_MACHINE } from "../machines/turn.machine.ts";
import type { NewAttachment } from "../stores/content-contract.ts";
import type { AcceptOutcome, AcceptTurn, ClaimOutcome, ConfigClaim, LeaseClaim, LeaseFence, LeaseOwner, RecordedTurn, ResumeOutcome, SessionLease, TakenUp, TakesUp } from "../stores/contract.ts";
import { MOST_INPUTS } from "./checkpoint.ts";
import { fenceOf, releaseLane, seenLease } from "./session-lease.ts";
import type { RuntimePorts, SessionWiring } from "./ports.ts";
import { writeSurely } from "./sure-write.ts";

/** A lane together with a turn: one that was accepted with it, or one that was found in flight. */
export interface ClaimedTurn extends TakenUp {
  readonly kind: "claimed";
  /** When the claim was begun, by the monotonic clock. */
  readonly sinceMs: number;
}

export type Claimed =
  | ClaimedTurn
  /** The turn id has ended before. */
  | { readonly kind: "settled"; readonly result: RecordedTurn }
  /** Session commands come first. */
  | { readonly kind: "commands" }
  | { readonly kind: "busy" };

export interface TurnToAccept {
  readonly turnId: string;
  readonly input: AcceptedInput;
  /** Bytes that the input refers to; stored by the write that accepts it. */
  readonly attachments: readonly NewAttachment[];
}

/** A turn of what waits: of these batches, or of what comes next. */
export interface QueuedTurn {
  readonly turnId: string;
  readonly batchIds?: readonly string[] | undefined;
}

/** What the session does while one of its turns is being accepted. */
export interface Acceptance {
  /** With what, as the session stands; asked again after either of the others. */
  readonly config: () => Pick<ConfigClaim, "value" | "madeFrom">;
  /** What a turn that is in flight under the same id may be driven on with. */
  readonly means: () => TurnMeans;
  /** Drives the turn that somebody else left; nothing is accepted before it has ended. */
  readonly finishFirst: (turnId: string) => Promise<void>;
  /** Reads the session again: somebody else has committed. */
  readonly refresh: (headRevision: number) => Promise<unknown>;
}

export class LaneClaims {
  readonly #ports: RuntimePorts;
  readonly #wiring: SessionWiring;
  /** The latest acceptance here. */
  #accepted: { readonly config: TurnConfig; readonly fencingToken: number } | undefined;
  /** Claimed for the commands before a turn, and held until the turn is accepted or comes to nothing. */
  #held: LeaseFence | undefined;
  /** When the latest claim was begun, by the monotonic clock. */
  #sinceMs = 0;
  /** Of a run that is over, whose store did not take it back. */
  #kept: LeaseFence | undefined;

  constructor(ports: RuntimePorts, wiring: SessionWiring) {
    this.#ports = ports;
    this.#wiring = wiring;
  }

  accept({ turnId, input, attachments }: TurnToAccept, acceptance: Acceptance): Promise<Claimed> {
    const inputHash = inputHashOf(input);
    return this.#accept(acceptance, (claim, config) =>
      this.#ports.persistence.turns.accept({
        ...claim,
        ...this.#takesUp(acceptance.means()),
        turnId,
        input,
        inputHash,
        ...(attachments.length > 0 && { attachments }),
        machine: TURN_MACHINE,
        config,
        session: this.#seed(),
      }),
    );
  }

  /** Otherwise as `accept`, with what waits as its input. @throws LashError `unknown_turn` - nothing waits. */
  acceptQueued({ turnId, batchIds }: QueuedTurn, acceptance: Acceptance): Promise<Claimed> {
    const claimToken = this.#ports.newId();
    return this.#accept(acceptance, async (claim, config) => {
      const accepted = await this.#ports.persistence.turns.acceptQueued({
        ...claim,
        ...this.#takesUp(acceptance.means()),
        turnId,
        claimToken,
        max: MOST_INPUTS,
        ...(batchIds && { batchIds }),
        machine: TURN_MACHINE,
        config,
        session: this.#seed(),
      });
      if (accepted.kind === "nothing_queued") throw runtimeError("unknown_turn", `nothing waits for turn ${turnId}`);
      return accepted;
    });
  }

  async #accept(acceptance: Acceptance, attempt: (claim: LeaseClaim, config: ConfigClaim) => Promise<AcceptOutcome>): Promise<Claimed> {
    let claimed: Claimed | undefined;
    try {
      claimed = await this.#acceptNow(acceptance, attempt);
      return claimed;
    } finally {
      // The turn has the lane now, or its commands are to be applied first; otherwise nobody needs it any more.
      if (claimed?.kind === "claimed") this.#held = undefined;
      else if (claimed?.kind !== "commands") await this.release();
    }
  }

  /** A lane that was claimed before a turn could be accepted. */
  hold(fence: LeaseFence | undefined): void {
    this.#held = fence;
  }

  /** Commands are being applied under it, before a turn is accepted. */
  get isHeld(): boolean {
    return this.#held !== undefined;
  }

  /** Gives it back, if it is still held. */
  async release(): Promise<void> {
    const held = this.#held;
    this.#held = undefined;
    if (held) await releaseLane(this.#ports.persistence.leases, held);
  }

  /** Gives back what a run held. What the store does not take now is given back when the session is let go of, unless it is claimed again. */
  async giveBack(fence: LeaseFence): Promise<void> {
    if (!(await releaseLane(this.#ports.persistence.leases, fence))) this.#kept = fence;
  }

  /** The session is let go of: nobody here should have to wait for a lease that nobody uses. */
  letGo(): void {
    const kept = this.#kept;
    this.#kept = undefined;
    if (kept) void releaseLane(this.#ports.persistence.leases, kept);
  }

  async #acceptNow({ config, finishFirst, refresh }: Acceptance, attempt: (claim: LeaseClaim, config: ConfigClaim) => Promise<AcceptOutcome>): Promise<Claimed> {
    for (;;) {
      const made = config();
      const known = this.#accepted?.config === made.value ? { storedAt: this.#accepted.fencingToken } : {};
      const accepted = await this.claim((claim) => attempt(claim, { ...made, ...known }));
      if (accepted.kind === "turn_in_flight") await finishFirst(accepted.turnId);
      else if (accepted.kind === "head_moved") await refresh(accepted.headRevision);
      else {
        this.#accepted = accepted.kind === "accepted" && accepted.turn.config === made.value ? { config: made.value, fencingToken: accepted.lease.fencingToken } : undefined;
        return claimedOf(accepted, this.#wiring.sessionId, this.#sinceMs);
      }
    }
  }

  #takesUp(means: TurnMeans): TakesUp {
    return { means, maxRecoveries: this.#ports.maxRecoveries };
  }

  #seed(): AcceptTurn["session"] {
    return { relation: { kind: "root" }, model: this.#wiring.policy.model.id };
  }

  /**
   * @param means - undefined where the turn is only to be ended.
   * @throws LashError `unknown_turn` - it is not in flight and never ended.
   * @throws LashError `tool_missing`, `plugin_missing`, `provider_mismatch`, `provider_unconfigured`, `session_fact_pinned` - it needs
   *   what is not here; nothing was claimed.
   */
  async resume(turnId: string, means: TurnMeans | undefined): Promise<Claimed> {
    const resumed = await this.claim((claim) => this.#ports.persistence.turns.resume({ ...claim, ...(means && this.#takesUp(means)), turnId }));
    if (resumed.kind === "unknown_turn") throw runtimeError("unknown_turn", `turn ${turnId} is not in flight and never ended`);
    return claimedOf(resumed, this.#wiring.sessionId, this.#sinceMs);
  }

  /** Claims the lane. A holder that is provably dead is taken over at once, anybody else once this runtime has seen it silent for one TTL (SC-2). */
  async claim<Outcome extends { readonly kind: string; readonly holder?: SessionLease }>(attempt: (claim: LeaseClaim) => Promise<Outcome>): Promise<Outcome> {
    const claim: LeaseClaim = {
      sessionId: this.#wiring.sessionId,
      owner: await this.#owner(),
      ttlMs: this.#ports.leaseTimings.ttlMs,
      leaseToken: this.#ports.newId(),
    };
    // Asked again it answers with what is there: the lease of this owner, and the turn as it is in flight or has ended.
    const surely = (wanted: LeaseClaim): Promise<Outcome> => writeSurely(() => attempt(wanted), async () => ((await this.#holds(wanted)) ? () => attempt(wanted) : undefined));
    const { clock, leaseWatch, liveness } = this.#ports;
    this.#sinceMs = clock.monotonic();
    const first = await surely(claim);
    if (first.kind !== "busy") this.#kept = undefined;
    if (first.kind !== "busy" || !first.holder) return first;
    const { holder } = first;
    const isSilent = leaseWatch.look(seenLease(holder)) === 0;
    const isDead = await liveness.isDead(holder.owner).catch(() => false);
    if (!isDead && !isSilent) return first;
    this.#sinceMs = clock.monotonic();
    const fence = fenceOf(holder);
    const second = await surely({ ...claim, ...(isDead ? { deadHolder: fence } : { silentHolder: { fence, expiresAtMs: holder.expiresAtMs } }) });
    if (second.kind !== "busy") leaseWatch.forget(holder.sessionId);
    return second;
  }

  /**
   * The lane alone, for what is committed beside turns.
   *
   * @throws LashError `session_execution_busy` - nothing was changed. `store_commit_failed`, `session_id_retired`.
   */
  async claimAlone(): Promise<SessionLease> {
    let claim: ClaimOutcome;
    try {
      claim = await this.claim((wanted) => this.#ports.persistence.leases.claim(wanted));
    } catch (error) {
      throw LashError.is(error) && error.family !== "store" ? error : runtimeErrorOfLeaseClaim(error);
    }
    if (claim.kind === "busy") throw runtimeError("session_execution_busy", "another owner is running this session; nothing was changed, try again with backoff");
    return claim.lease;
  }

  async #holds({ sessionId, owner }: LeaseClaim): Promise<boolean> {
    const lease = await this.#ports.persistence.leases.current(sessionId);
    return lease?.owner.ownerId === owner.ownerId && lease.owner.incarnationId === owner.incarnationId;
  }

  /** What proves this owner alive may change between claims (Liveness). */
  async #owner(): Promise<LeaseOwner> {
    return { ...this.#wiring.owner, liveness: await this.#ports.liveness.self() };
  }
}

function claimedOf(outcome: Exclude<AcceptOutcome, { kind: "turn_in_flight" | "head_moved" }> | Exclude<ResumeOutcome, { kind: "unknown_turn" }>, sessionId: string, sinceMs: number): Claimed {
  switch (outcome.kind) {
    case "accepted":
    case "resumed":
      return { ...outcome, kind: "claimed", sinceMs };
    case "turn_left":
      throw lackError(outcome.lack, { sessionId, turnId: outcome.turnId });
    case "settled":
      return { kind: "settled", result: outcome.result };
    case "commands_wait":
      return { kind: "commands" };
    case "busy":
      return { kind: "busy" };
  }
}
