// A turn while it is driven here: what its claim brought, what it is run with, and what it has said so far.

import type { TurnCancellation } from "../../domain/cancellation.ts";
import { LashError } from "../../domain/errors.ts";
import { isPlainObject, type JsonObject } from "../../domain/json.ts";
import type { ToolSpec } from "../../domain/turn-config.ts";
import type { TurnEvent } from "../../machines/effects.ts";
import type { TurnContext } from "../../machines/turn.context.ts";
import type { TurnRecord } from "../../stores/contract.ts";
import type { Tool } from "../../tools/contract.ts";
import type { FinishedTurn } from "../committer.ts";
import type { Emit } from "../model-call.ts";
import type { TurnPlugins } from "../plugin-port.ts";
import type { SessionParts } from "../session/parts.ts";
import type { TurnTrace } from "../trace-port.ts";
import { TurnLog } from "../turn-log.ts";
import type { TurnPlan } from "../turn-plan.ts";
import { effectEnvelope, type Envelope } from "../envelope.ts";
import type { EffectRequest } from "../../machines/effects.ts";
import type { TurnHere } from "../inside-turn.ts";
import type { TurnRequest } from "./request.ts";

export class DrivenTurn {
  readonly session: SessionParts;
  readonly request: TurnRequest;
  /** Tells the session, and all that watch the turn. */
  readonly emit: Emit;
  readonly trace: TurnTrace | undefined;
  readonly log = new TurnLog();
  /** For what is asked for from inside it. */
  readonly here: TurnHere;
  /** Aborts hooks that run before the first model call. */
  readonly preparing = new AbortController();
  readonly #startedAtMs: number;
  readonly #startedAt: number;
  #claimed: { readonly turn: TurnRecord; readonly headRevision: number } | undefined;
  #accepted: TurnPlan | undefined;
  /** The plan since the tools were changed while the turn runs. */
  #synced: TurnPlan | undefined;
  /** Those that the turn was accepted with. */
  plugins: TurnPlugins | undefined;
  /** The request that its result names. */
  cancellation: TurnCancellation | undefined;
  /** Its end is decided: it is closed without being driven. */
  givenUp: TurnEvent | undefined;

  constructor(session: SessionParts, request: TurnRequest, emit: Emit, trace: TurnTrace | undefined) {
    const { clock } = session.ports;
    this.session = session;
    this.request = request;
    this.emit = emit;
    this.trace = trace;
    const { ports, stated: { wiring: { sessionId, owner } } } = session;
    this.here = { sessionId, turnId: request.turnId, ports, owner, asker: request.asker, isOver: false };
    this.#startedAtMs = clock.now();
    this.#startedAt = clock.monotonic();
  }

  get turnId(): string {
    return this.request.turnId;
  }

  claimedAs(turn: TurnRecord, headRevision: number): void {
    this.#claimed = { turn, headRevision };
    for (const claim of turn.claims) if (claim.replayKey === undefined) this.log.recordClaim(claim);
  }

  get turn(): TurnRecord {
    return this.#required.turn;
  }

  get headRevision(): number {
    return this.#required.headRevision;
  }

  get #required(): { readonly turn: TurnRecord; readonly headRevision: number } {
    if (!this.#claimed) throw new LashError("runtime", "other", "the turn was not claimed yet");
    return this.#claimed;
  }

  accept(plan: TurnPlan): void {
    this.#accepted = plan;
  }

  /** As the turn was accepted; a turn that is given up needs none. */
  get accepted(): TurnPlan {
    if (!this.#accepted) throw new LashError("runtime", "other", "the turn's plan was not made yet");
    return this.#accepted;
  }

  // ---- what it is run with ------------------------------------------------------------------------------------------

  /** What the turn was accepted with, with its session's tools as they were when they were last looked at. */
  get base(): TurnPlan {
    // A turn that was found goes on with the tools as its last sync would find them.
    if (!this.#synced && wasSynced(this.turn)) this.#synced = this.session.plans.synced(this.accepted);
    return this.#synced ?? this.accepted;
  }

  /** Looks at the session's tools. @returns whether they are others by now. */
  syncTools(): boolean {
    const before = this.base;
    this.#synced = this.session.plans.synced(before);
    return this.#synced !== before;
  }

  /** By now, plugins included. */
  get plan(): TurnPlan {
    return this.plugins?.plan ?? this.base;
  }

  /** The tools of a plan that are the session's own; the others are lent to this turn by a plugin. */
  ownSpecs({ config }: TurnPlan): readonly ToolSpec[] {
    const own = new Set(this.base.config.tools);
    return config.tools.filter((spec) => own.has(spec));
  }

  /** Tools that may run now: the session's own as its registry has them. */
  callable(plan: TurnPlan): ReadonlyMap<string, Tool> {
    const { tools } = this.session.stated.wiring;
    if (!tools.isManaged) return plan.tools;
    const own = this.ownSpecs(plan);
    const lent = plan.config.tools.filter((spec) => !own.includes(spec)).map(({ name }) => name);
    return new Map([...tools.bind(own), ...[...plan.tools].filter(([name]) => lent.includes(name))]);
  }

  // ---- what it came to ----------------------------------------------------------------------------------------------

  /** The turn is to end as cancelled. @param request - the first one is what its result names. */
  cancel(request: TurnCancellation | undefined): void {
    this.cancellation ??= request;
    this.preparing.abort();
  }

  finished(context: TurnContext): FinishedTurn {
    const { log } = this;
    return {
      context,
      inputHash: this.turn.inputHash,
      log: log.messages,
      toolResults: log.toolResults,
      modelCalls: log.modelCalls,
      claims: log.claims,
      startedAtMs: this.#startedAtMs,
      durationMs: Math.round(this.session.ports.clock.monotonic() - this.#startedAt),
      compaction: log.compaction,
      isRefused: log.isRefused,
      cancellation: this.cancellation,
    };
  }

  /** Names an operation of the turn. */
  operation({ replayKey, effectId, command: { iteration } }: EffectRequest, command: JsonObject): Envelope {
    const { sessionId, turnId } = this.turn;
    const { turnIndex } = this.session.residence.resident.head;
    return effectEnvelope({ sessionId, turnId, turnIndex, iteration, effectId }, replayKey, command);
  }
}

/** Whether the tools of a turn that was found have been looked at since its acceptance: after every iteration, where it syncs at all. */
function wasSynced({ snapshot }: TurnRecord): boolean {
  const { hooks, iteration } = isPlainObject(snapshot?.context) ? snapshot.context : {};
  return Array.isArray(hooks) && hooks.includes("syncsEnvironment") && iteration !== 0;
}
