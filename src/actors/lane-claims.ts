// Lane claims: how a session comes to its lease, alone or together with a turn (S-56, S-62, T-82).

import { runtimeErrorOfLeaseClaim } from "../domain/error-mapping.ts";
import { LashError, runtimeError } from "../domain/errors.ts";
import type { TurnConfig } from "../domain/turn-config.ts";
import type { TurnMeans } from "../domain/turn-means.ts";
import { type AcceptedInput, inputHashOf } from "../domain/turn-input.ts";
import { TURN_MACHINE } from "../machines/turn.machine.ts";
import type { NewAttachment } from "../stores/content-contract.ts";
import type { AcceptOutcome, AcceptTurn, ClaimOutcome, ConfigClaim, LeaseClaim, LeaseFence, LeaseOwner, ResumeOutcome, SessionLease, TakesUp } from "../stores/contract.ts";
import { MOST_INPUTS } from "./checkpoint.ts";
import { fenceOf, releaseLane, seenLease } from "./session-lease.ts";
import type { RuntimePorts, SessionWiring } from "./ports.ts";
import { writeSurely } from "./durable/sure-write.ts";

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

/** What a turn is accepted with. */
export interface AcceptedWith {
  readonly config: Pick<ConfigClaim, "value" | "madeFrom">;
  /** What a turn that is in flight under the same id may be driven on with. */
  readonly means: TurnMeans;
}

export class LaneClaims {
  readonly #ports: RuntimePorts;
  readonly #wiring: SessionWiring;
  /** The latest acceptance here. */
  #accepted: { readonly config: TurnConfig; readonly fencingToken: number } | undefined;
  /** Claimed for the commands before a turn, and held until the turn is accepted or comes to nothing. */
  #held: LeaseFence | undefined;
  #sinceMs = 0;
  /** Of a run that is over, whose store did not take it back. */
  #kept: LeaseFence | undefined;

  constructor(ports: RuntimePorts, wiring: SessionWiring) {
    this.#ports = ports;
    this.#wiring = wiring;
  }

  /** When the latest claim was begun, by the monotonic clock. */
  get sinceMs(): number {
    return this.#sinceMs;
  }

  accept({ turnId, input, attachments }: TurnToAccept, accepting: AcceptedWith): Promise<AcceptOutcome> {
    const inputHash = inputHashOf(input);
    return this.#accept(accepting, (claim, config) =>
      this.#ports.persistence.turns.accept({
        ...claim,
        ...this.#takesUp(accepting.means),
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
  acceptQueued({ turnId, batchIds }: QueuedTurn, accepting: AcceptedWith): Promise<AcceptOutcome> {
    const claimToken = this.#ports.newId();
    return this.#accept(accepting, async (claim, config) => {
      const accepted = await this.#ports.persistence.turns.acceptQueued({
        ...claim,
        ...this.#takesUp(accepting.means),
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

  async #accept({ config }: AcceptedWith, attempt: (claim: LeaseClaim, config: ConfigClaim) => Promise<AcceptOutcome>): Promise<AcceptOutcome> {
    const known = this.#accepted?.config === config.value ? { storedAt: this.#accepted.fencingToken } : {};
    const accepted = await this.claim((claim) => attempt(claim, { ...config, ...known }));
    if (accepted.kind !== "turn_in_flight" && accepted.kind !== "head_moved") {
      this.#accepted = accepted.kind === "accepted" && accepted.turn.config === config.value ? { config: config.value, fencingToken: accepted.lease.fencingToken } : undefined;
    }
    return accepted;
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
   */
  async resume(turnId: string, means: TurnMeans | undefined): Promise<Exclude<ResumeOutcome, { kind: "unknown_turn" }>> {
    const resumed = await this.claim((claim) => this.#ports.persistence.turns.resume({ ...claim, ...(means && this.#takesUp(means)), turnId }));
    if (resumed.kind === "unknown_turn") throw runtimeError("unknown_turn", `turn ${turnId} is not in flight and never ended`);
    return resumed;
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
    // Only where it was taken: the turn in flight that comes first is claimed by the same evidence.
    if ("lease" in second) leaseWatch.forget(holder.sessionId);
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
