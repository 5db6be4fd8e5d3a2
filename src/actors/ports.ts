// What the actors are given by the facade: live wiring, never persisted.

import type { InspectionEvent, Observer } from "xstate";
import type { Clock } from "../domain/clock.ts";
import type { Logger } from "../domain/logger.ts";
import type { SessionPolicy } from "../domain/session.ts";
import type { ProtocolDriver } from "../machines/protocol.ts";
import type { Residency } from "../machines/session.machine.ts";
import type { LlmAttempt, LlmRequest, Provider, ProviderFailure } from "../providers/contract.ts";
import type { LeaseOwner, Persistence } from "../stores/contract.ts";
import type { Liveness, PeerChannel } from "../stores/store.ts";
import type { Tool } from "../tools/contract.ts";
import type { ChangeHub } from "./change-hub.ts";
import type { EffectHost } from "./effect-host.ts";
import type { LeaseTimings } from "./lease-keeper.ts";
import type { WaitDesk } from "./wait-desk.ts";

export type Inspect = Observer<InspectionEvent> | ((event: InspectionEvent) => void);

/** One for all sessions of a runtime (S-86). */
export interface RuntimePorts {
  readonly persistence: Persistence;
  readonly effectHost: EffectHost;
  readonly clock: Clock;
  readonly protocol: ProtocolDriver;
  readonly liveness: Liveness;
  readonly leaseTimings: LeaseTimings;
  readonly residency: Residency;
  /** Recoveries without progress after which a turn is given up (OP-6). */
  readonly maxRecoveries: number;
  readonly logger: Logger;
  readonly waits: WaitDesk;
  /** Tells who waits for a row that it was written. */
  readonly changes: ChangeHub;
  /** Puts the bytes of images into a request (PP-9). */
  readonly loadImages: (request: LlmRequest) => Promise<LlmRequest>;
  /** To other runtimes on this store that look at the same sessions; undefined where there are none (OP-9). */
  readonly peers: PeerChannel | undefined;
  /** A fresh random id: turns, lease tokens, owners. */
  readonly newId: () => string;
  readonly inspect?: Inspect;
  readonly failureOf: (error: unknown) => { readonly failure: ProviderFailure; readonly attempts: readonly LlmAttempt[] };
}

/** What the host gives for one session. */
export interface SessionWiring {
  readonly sessionId: string;
  /** Undefined: turns fail with `provider_unconfigured`, reads work (S-26). */
  readonly provider: Provider | undefined;
  /** Policy of a new session; fields the host stated win over the recorded ones (design 7.5). */
  readonly policy: SessionPolicy;
  readonly stated: { readonly model: boolean; readonly maxTurns: boolean };
  readonly system: string;
  readonly tools: ReadonlyMap<string, Tool>;
  readonly owner: LeaseOwner;
}
