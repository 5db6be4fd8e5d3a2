// A session's lease while one of its turns runs, kept alive.

import { runtimeError } from "../../domain/errors.ts";
import type { LeaseFence, SessionLease } from "../../stores/contract.ts";
import type { Held } from "../durable/contract.ts";
import { LeaseKeeper } from "../lease-keeper.ts";
import type { SessionParts } from "../session/parts.ts";

const nothing = (): void => undefined;

export class KeptLease implements Held<LeaseFence> {
  readonly #session: SessionParts;
  readonly #lost = new AbortController();
  readonly #keeper: LeaseKeeper;

  constructor(session: SessionParts, lease: SessionLease) {
    const { ports: { persistence, clock, leaseTimings } } = session;
    this.#session = session;
    this.#keeper = new LeaseKeeper(persistence.leases, clock, leaseTimings, lease, {
      renewing: nothing,
      renewed: nothing,
      renewFailed: nothing,
      lost: () => this.#lost.abort(runtimeError("session_execution_lease_lost", "the session's lease expired or was taken over")),
    });
  }

  get fence(): LeaseFence {
    return this.#keeper.fence;
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  ensureLive(): Promise<void> {
    return this.#keeper.ensureLive();
  }

  ending(): void {
    this.#keeper.ending();
  }

  goingOn(): void {
    this.#keeper.goingOn();
  }

  async letGo(how: "release" | "leave" | "freed"): Promise<void> {
    this.#keeper.stop();
    if (how === "release") await this.#session.claims.giveBack(this.#keeper.fence);
  }
}
