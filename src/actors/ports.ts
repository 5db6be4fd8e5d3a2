// What the actors are given by the facade: live wiring, never persisted.

import type { InspectionEvent, Observer } from "xstate";
import type { ChildPort } from "../children/contract.ts";
import type { Clock } from "../domain/clock.ts";
import type { AutoCompaction } from "../domain/compaction.ts";
import type { Limits } from "../domain/limits.ts";
import type { Logger } from "../domain/logger.ts";
import type { Redactor } from "../domain/redactor.ts";
import type { PromptLayer } from "../domain/prompt.ts";
import type { ModelSpec, SessionPolicy } from "../domain/session.ts";
import type { TurnLimits } from "../domain/turn-config.ts";
import type { ProtocolDriver } from "../machines/protocol.ts";
import type { Residency } from "../machines/session.machine.ts";
import type { LlmRequest, LlmResponse, Provider } from "../providers/contract.ts";
import type { LeaseOwner, Persistence } from "../stores/contract.ts";
import type { Liveness, PeerChannel } from "../stores/store.ts";
import type { DirectAnswer, ToJsonSchema, ToolCall } from "../tools/contract.ts";
import type { ChangeHub } from "./change-hub.ts";
import type { MemoryJournals } from "./durable/memory-journal.ts";
import type { PokeReason } from "./input-lane.ts";
import type { CheckJson } from "./output-check.ts";
import type { LeaseTimings } from "./durable/held-lease.ts";
import type { LeaseWatch } from "./durable/lease-watch.ts";
import type { FailureOf } from "./model-call.ts";
import type { SessionPlugins } from "./plugin-port.ts";
import type { Publishers } from "./publisher.ts";
import type { SessionTools } from "./session-tools.ts";
import type { ModelMedia } from "./taken-media.ts";
import type { TracePort } from "./trace-port.ts";
import type { HostAsk } from "./turn-plan.ts";
import type { WaitDesk } from "./wait-desk.ts";

export type Inspect = Observer<InspectionEvent> | ((event: InspectionEvent) => void);

export type DirectQuestion = Parameters<ToolCall["complete"]>[0];

/** Questions that a tool asks a model. Everything rejects with DirectCompletionError. */
export interface DirectPort {
  /** `key` names the question among those of one call, `digest` says what it is. */
  identify(question: DirectQuestion): { readonly key: string; readonly digest: string };
  /** @returns a response that answers the question. */
  ask(question: DirectQuestion, call: DirectCall): Promise<LlmResponse>;
  read(question: DirectQuestion, response: LlmResponse): Promise<DirectAnswer>;
}

export interface DirectCall {
  readonly provider: Provider;
  /** For questions that name none. */
  readonly model: ModelSpec;
  readonly sessionId: string;
  readonly requestId: string;
  readonly signal: AbortSignal;
}

/** One for all sessions of a runtime. */
export interface RuntimePorts {
  readonly persistence: Persistence;
  /** Where turns are not durable: what this process remembers of those in flight. */
  readonly journals: MemoryJournals | undefined;
  readonly clock: Clock;
  readonly protocol: ProtocolDriver;
  readonly liveness: Liveness;
  readonly leaseTimings: LeaseTimings;
  /** How long leases of others have been silent. */
  readonly leaseWatch: LeaseWatch;
  readonly residency: Residency;
  /** Recoveries without progress after which a turn is given up. */
  /** How long a turn waits for others of its session, where it does not say so itself. */
  readonly waitMs: number;
  readonly maxRecoveries: number;
  readonly logger: Logger;
  /** For what providers and tools report as errors. */
  readonly redactor: Redactor;
  readonly limits: Limits;
  readonly waits: WaitDesk;
  /** What is shown of the sessions that are open. */
  readonly publishers: Publishers;
  /** Tells who waits for a row that it was written. */
  readonly changes: ChangeHub;
  /** Puts the bytes of images into a request. */
  readonly loadImages: (request: LlmRequest) => Promise<LlmRequest>;
  /** Loaded when a tool first asks: most never do. */
  readonly direct: () => Promise<DirectPort>;
  /** Drains queues as they fill. Absent: the host does, with `queuedTurn()`. */
  readonly poke?: (sessionId: string, reason: PokeReason) => void;
  /** Undefined where the host brings none (`lash-runtime/children`). */
  readonly children: ChildPort | undefined;
  /** To other runtimes on this store that look at the same sessions; undefined where there are none. */
  readonly peers: PeerChannel | undefined;
  /** A fresh random id: turns, lease tokens, owners. */
  readonly newId: () => string;
  /** The provider with its ladder of attempts, one and the same for one provider. */
  readonly retrying: (provider: Provider) => Provider;
  readonly checkJson: CheckJson;
  /** Has it at hand: what a turn needs is loaded before it is accepted or gone on with. */
  readonly loadJsonCheck: () => Promise<unknown>;
  /** Tells the schemas that cannot tell themselves. */
  readonly toJsonSchema?: ToJsonSchema | undefined;
  readonly inspect?: Inspect;
  readonly trace?: TracePort;
  readonly failureOf: FailureOf;
}

/** What the host gives for one session. */
export interface SessionWiring {
  readonly sessionId: string;
  /** Undefined: turns fail with `provider_unconfigured`, reads work. */
  readonly provider: Provider | undefined;
  /** The lash's own, where the session has another one: a turn may have been accepted with it. */
  readonly lashProvider: Provider | undefined;
  /** Policy and prompt of a new session; what the host stated wins over what is recorded (design 7.5). */
  readonly policy: SessionPolicy;
  readonly prompt: PromptLayer;
  /** `provider`: only by `configure`; what is given at open binds the recorded one, or none. */
  readonly stated: { readonly provider: boolean; readonly model: boolean; readonly maxTurns: boolean; readonly prompt: boolean };
  /** Of its turns, where the turn itself says nothing; recorded with each turn, not with the session. */
  readonly limits: TurnLimits;
  /** What its turns ask of the model, where the turn itself says nothing; recorded likewise. */
  readonly asks: HostAsk;
  /** What models take, as the host says it; the first of a model counts. */
  readonly media: readonly ModelMedia[];
  /** Undefined where turns do not make room by themselves. */
  readonly compaction: AutoCompaction | undefined;
  /** The lash's layer of the prompt; never recorded. */
  readonly core: PromptLayer;
  /** Those of plugins among them. */
  readonly tools: SessionTools;
  /** Undefined where the session has none. */
  readonly plugins: SessionPlugins | undefined;
  readonly owner: LeaseOwner;
}
