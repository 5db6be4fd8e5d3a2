// What the runtime tells a trace, if it has one. Types only: records are made in src/trace, which an app loads with the sink it
// imports; where nobody traces, there is nothing to call.
//
//   TP1. Nothing here throws or gives anything to wait for, whatever the sink does (TR-1).
//   TP2. A turn trace hears of the end of its turn once, and closes by itself what the turn left open (TR-4).

import type { Clock } from "../domain/clock.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import type { Logger } from "../domain/logger.ts";
import type { Redactor } from "../domain/redactor.ts";
import type { SessionPolicy } from "../domain/session.ts";
import type { TurnConfig } from "../domain/turn-config.ts";
import type { TokenUsage } from "../domain/usage.ts";
import type { EffectRequest } from "../machines/effects.ts";
import type { Provider } from "../providers/contract.ts";
import type { Persistence } from "../stores/contract.ts";
import type { FinishedCall } from "./turn/tools/group.ts";
import type { PlannedCall } from "./turn/tools/plan.ts";
import type { TurnEnd } from "./turn/types.ts";

/** `extended` adds every stream event, normalised and as the provider sent it. */
export type TraceLevel = "standard" | "extended";

/** What a record belongs to. All fields are optional; the names are those on the wire. */
export interface TraceContext {
  readonly run_id?: string;
  readonly experiment_id?: string;
  readonly candidate_id?: string;
  readonly candidate_parent_id?: string;
  readonly example_id?: string;
  readonly split?: string;
  readonly session_id?: string;
  readonly turn_id?: string;
  readonly turn_index?: number;
  readonly graph_node_id?: string;
  readonly parent_graph_node_id?: string;
  readonly protocol_iteration?: number;
  readonly effect_id?: string;
  readonly llm_call_id?: string;
  readonly metadata?: JsonObject;
}

/** The `trace` option. */
export interface TraceOptions {
  /** Where records go: `jsonlTrace(path)` of `lash-runtime/trace/node`; `memoryTrace()`, `teeTrace(...)` or `traceSink({ append })` of `lash-runtime/trace`. */
  readonly sink: TraceTarget;
  /** Default `standard`. */
  readonly level?: TraceLevel;
  /** Part of every record; what the runtime knows itself wins, `metadata` is merged. At most 16 KiB as JSON. Default: empty. */
  readonly context?: TraceContext;
}

/** A sink together with what makes records for it. */
export interface TraceTarget {
  /** @internal @throws LashError `invalid_argument` - naming the field of `context` that is wrong. */
  openTrace(wiring: TraceWiring): Tracer;
}

export interface TraceWiring extends Pick<TraceOptions, "level" | "context"> {
  readonly clock: Clock;
  readonly newId: () => string;
  readonly logger: Logger;
  /** Where the host has rules of its own. */
  readonly redactor?: Pick<Redactor, "json">;
}

export interface Tracer extends TracePort {
  /** The same store; leases and claims of input that pass through it are traced. */
  watchStore(persistence: Persistence): Persistence;
  /** @throws LashError `trace_flush`, or the sink's own code. */
  flush(): Promise<void>;
}

/** For the sessions of a runtime. */
export interface TracePort {
  sessionStarted(session: { readonly sessionId: string; readonly headRevision: number; readonly policy: SessionPolicy }): void;
  turn(turn: TracedTurn): TurnTrace;
  /** The same provider; its calls are traced, as made beside any turn. */
  watchProvider(provider: Provider, sessionId: string, source: string): Provider;
  /** A record of somebody who is no part of the runtime. */
  custom(context: TraceContext, name: string, payload: Json): void;
}

export interface TracedTurn {
  readonly sessionId: string;
  readonly turnId: string;
  /** As far as is known before the lane is claimed. */
  readonly turnIndex: number;
  readonly policy: SessionPolicy;
  /** `found` in flight: it is somebody else's affair until its lane is claimed here, and not traced before. */
  readonly origin: "asked" | "found";
}

/** One drive of a turn, by one process. */
export interface TurnTrace {
  /** @param recoveries - how often the turn was taken over from a dead owner without getting any further. */
  claimed(recoveries: number): void;
  /** @returns the same end, which is traced before it is told. */
  ending(end: Promise<TurnEnd>): Promise<TurnEnd>;
  effect(request: EffectRequest, turnIndex: number): EffectTrace;
  used(request: EffectRequest, usage: TokenUsage, cumulative: TokenUsage): void;
}

/** One effect of a turn. */
export interface EffectTrace {
  /** The same provider; its calls are traced as this effect's. */
  watchProvider(provider: Provider, source: string, config?: TurnConfig): Provider;
  toolStarted(call: PlannedCall): void;
  /** Something of this call is done here; without it, its outcome comes from the journal. */
  toolRan(call: PlannedCall): void;
  toolCompleted(call: PlannedCall, finished: FinishedCall): void;
}
