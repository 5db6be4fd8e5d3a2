// createLash(): wiring, checked once, and the sessions that run on it.

import { ChangeHub } from "./actors/change-hub.ts";
import { inline } from "./actors/inline-host.ts";
import { journaled } from "./actors/journaled-host.ts";
import type { Emit } from "./actors/model-call.ts";
import { defaultLeaseTimings, type LeaseTimings } from "./actors/lease-keeper.ts";
import type { Inspect, RuntimePorts, SessionWiring } from "./actors/ports.ts";
import { SessionRuntime } from "./actors/session-runtime.ts";
import { WaitDesk } from "./actors/wait-desk.ts";
import { assertJson } from "./domain/bounded-json.ts";
import { systemClock, type Clock } from "./domain/clock.ts";
import { LashError, runtimeError, wiringError } from "./domain/errors.ts";
import { assertId } from "./domain/id-rules.ts";
import { invalidArgument, refuseUnknown } from "./domain/invalid-argument.ts";
import { consoleLogger, safeLogger, type Logger } from "./domain/logger.ts";
import type { ModelSpec, SessionPolicy } from "./domain/session.ts";
import type { Resolution, ResolveOutcome } from "./domain/waits.ts";
import { leaseTimingsInvalid, missingModelSpec } from "./domain/wiring-errors.ts";
import type { TurnActivity } from "./observe/contract.ts";
import type { ProtocolDriver } from "./machines/protocol.ts";
import { standardProtocol } from "./protocols/standard.ts";
import type { Provider } from "./providers/contract.ts";
import { resolveAttachments } from "./providers/attachments.ts";
import { ProviderError, failureOf } from "./providers/failure.ts";
import { withRetry } from "./providers/retry.ts";
import { Session, swallow, type ParkedSession } from "./session.ts";
import { randomId, randomSecret } from "./random-id.ts";
import type { GcReport, LeaseOwner, VacuumReport } from "./stores/contract.ts";
import { memory } from "./stores/memory/store.ts";
import { createPersistence } from "./stores/persistence/index.ts";
import type { Store } from "./stores/store.ts";
import type { Tool } from "./tools/contract.ts";
import { turnResultOf, type TurnResult } from "./turn-result.ts";

/** Limits of the model are the host's to know: absent means unknown, never a guess (FA-9). */
export interface ModelOptions {
  /** Default: the provider's own model. */
  readonly id?: string;
  readonly variant?: string;
  /** Prompt budget in tokens. */
  readonly contextWindowTokens?: number;
  readonly outputTokenCapacity?: number;
}

export interface SessionOptions {
  /** Default: the lash's. The provider that a stored session was recorded with has to come back (PP-26). */
  readonly provider?: Provider;
  readonly model?: ModelOptions;
  /** Added to the lash's tools; names must differ. */
  readonly tools?: readonly Tool[];
  /** System prompt of this session, after the lash's. */
  readonly prompt?: string;
  /** Most model rounds of one turn; null for no limit. Default: the lash's, else none. */
  readonly maxTurns?: number | null;
}

export interface LashOptions {
  readonly provider?: Provider;
  readonly model?: ModelOptions;
  /** Where sessions live. Default `memory()`: everything ends with the process (OP-15). */
  readonly store?: Store;
  readonly tools?: readonly Tool[];
  readonly prompt?: string;
  readonly maxTurns?: number | null;
  /** `journaled` survives crashes and is the default on durable stores; `inline` keeps nothing in flight. */
  readonly effects?: "journaled" | "inline";
  readonly protocol?: ProtocolDriver;
  /** `active_path_only` leaves branches in the store; default `keep_all`. */
  readonly residency?: "keep_all" | "active_path_only";
  /** Times a turn may be taken up from a dead owner without getting any further; then it ends as `runtime_error`. Default 5. */
  readonly maxRecoveries?: number;
  readonly lease?: Partial<LeaseTimings>;
  /** Receives XState inspection events of every actor of every session. */
  readonly inspect?: Inspect;
  /** Default: warnings and errors to the console (FA-78). */
  readonly logger?: Logger;
  readonly clock?: Clock;
  /** Signs the keys of pending tool calls: 64 hex digits. Default: one made with the store and kept in it (OP-13). */
  readonly waitSecret?: string;
  /** Fresh random ids; for tests that want them fixed. */
  readonly newId?: () => string;
}

export interface Completions {
  /**
   * Answers a pending tool call, from any process that has the store. The first answer wins; one that comes before the
   * turn waits is kept. Durable when it resolves.
   *
   * @param key - from `call.completionKey()`.
   */
  resolve(key: string, resolution: Resolution): Promise<ResolveOutcome>;
}

/** Which turn of which session. */
export interface TurnAddress {
  readonly sessionId: string;
  readonly turnId: string;
}

export interface RecoverOptions {
  readonly signal?: AbortSignal;
  readonly onActivity?: (activity: TurnActivity, turn: TurnAddress) => void | Promise<void>;
}

export interface Maintenance {
  /** Ids of a session's nodes off its active path, in storage order. */
  orphans(sessionId: string): Promise<readonly string[]>;
  /** Hides nodes from every read. @returns how many. */
  tombstone(sessionId: string, nodeIds: readonly string[]): Promise<number>;
  /** Removes what was tombstoned. */
  vacuum(sessionId: string): Promise<VacuumReport>;
  /** Removes stored components that no session needs any more. */
  collect(): Promise<GcReport>;
}

/** One recovered turn: what it came to, or why it could not go on. */
export type Recovered =
  | { readonly sessionId: string; readonly turnId: string; readonly result: TurnResult }
  | { readonly sessionId: string; readonly turnId: string; readonly error: LashError }
  /** It waits for an answer from outside and goes on when that comes. */
  | { readonly sessionId: string; readonly turnId: string; readonly suspended: true };

const OPTIONS = [
  "provider", "model", "store", "tools", "prompt", "maxTurns", "effects", "protocol", "residency", "lease", "inspect", "logger", "clock", "newId", "waitSecret", "maxRecoveries",
];
const SESSION_OPTIONS = ["provider", "model", "tools", "prompt", "maxTurns"];
/** Turns that `recover()` drives at once (OP-7). */
const RECOVERIES_AT_ONCE = 8;

/**
 * Wires a runtime. Nothing is opened yet; mistakes in the wiring throw here, with what to write instead.
 *
 * @throws LashError `invalid_argument`, `missing_model_spec`, `duplicate_tool_name`, `lease_timings_invalid`.
 */
export function createLash(options: LashOptions): Lash {
  checkOptions(options);
  return new Lash(options);
}

/** A wired runtime: opens sessions, finishes what crashed, closes. */
export class Lash implements AsyncDisposable {
  /** Answers to tool calls that wait for them (FA-40). */
  readonly completions: Completions;
  readonly #options: LashOptions;
  readonly #ports: RuntimePorts;
  readonly #providers = new Map<Provider, Provider>();
  readonly #scopeId: string;
  readonly #sessions = new Set<Session>();
  /** Turns that an answer from outside woke, by session. */
  readonly #background = new Map<string, Promise<void>>();
  #state: "open" | "closed" = "open";

  /** Use `createLash`. */
  constructor(options: LashOptions) {
    const clock = options.clock ?? systemClock;
    const { engine, liveness, peers } = options.store ?? memory();
    const persistence = createPersistence(engine, { clock });
    const isDurable = (options.effects ?? (engine.durable ? "journaled" : "inline")) === "journaled";
    this.#options = options;
    const waits = new WaitDesk(persistence.waits, new ChangeHub(clock, peers), clock, () => options.waitSecret ?? randomSecret());
    this.completions = { resolve: (key, resolution) => this.#resolveCompletion(key, resolution) };
    this.#ports = {
      waits,
      loadImages: (request) => resolveAttachments(request, async (id) => (await persistence.attachments.get(id)).bytes),
      persistence,
      effectHost: isDurable ? journaled(persistence) : inline(),
      clock,
      protocol: options.protocol ?? standardProtocol,
      liveness,
      peers,
      leaseTimings: leaseTimingsOf(options.lease),
      maxRecoveries: options.maxRecoveries ?? 5,
      residency: options.residency ?? "keep_all",
      logger: safeLogger(options.logger ?? consoleLogger),
      newId: options.newId ?? randomId,
      failureOf: (error) => ({ failure: failureOf(error), attempts: ProviderError.is(error) ? error.attempts : [] }),
      ...(options.inspect && { inspect: options.inspect }),
    };
    this.#scopeId = this.#ports.newId();
  }

  /**
   * Opens a session, or makes one under an id that was never used. Takes no lease: several handles, also in other
   * processes, may be open at once; turns exclude each other. A turn that a dead process left is finished first.
   *
   * @throws LashError `invalid_argument` - a blank or overlong id, unknown options.
   * @throws LashError `session_id_retired` - the session was deleted.
   */
  async openSession(id: string, options: SessionOptions = {}): Promise<Session> {
    this.#assertOpen();
    const runtime = await this.#openRuntime(id, options);
    const session = new Session(runtime, { newId: this.#ports.newId, opened: (clone) => this.#sessions.add(clone), closed: (closed) => this.#sessions.delete(closed), background: (sessionId) => this.#background.get(sessionId) });
    this.#sessions.add(session);
    runtime.finishOthers();
    return session;
  }

  /**
   * Finishes the turns that were accepted and whose owners are gone, in all sessions of the store.
   *
   * @param options.signal - aborting it cancels the turns that are being finished, and begins no other.
   * @param options.onActivity - told of everything that happens in them; awaited, so a slow one slows its turn (T-46).
   *   What an earlier process saw is not told again, except for the calls of a batch that was cut off.
   * @returns one entry per turn that this call dealt with; turns that others are running are not among them.
   */
  async recover(options: RecoverOptions = {}): Promise<readonly Recovered[]> {
    this.#assertOpen();
    checkRecover(options);
    const waiting = [...(await this.#ports.persistence.turns.inFlight())];
    const recovered: Recovered[] = [];
    const worker = async (): Promise<void> => {
      for (let next = waiting.shift(); next && options.signal?.aborted !== true; next = waiting.shift()) {
        const outcome = await this.#recoverOne(next, options);
        if (outcome) recovered.push(outcome);
      }
    };
    await Promise.all(Array.from({ length: RECOVERIES_AT_ONCE }, worker));
    return recovered;
  }

  /** Opens a parked session again. @throws LashError `session_id_retired` - it was deleted meanwhile (S-89). */
  resume(parked: ParkedSession, options: SessionOptions = {}): Promise<Session> {
    return this.openSession(parked.sessionId, options);
  }

  /**
   * Deletes a session for good and retires its id: a turn that runs fails at its next write, answers to its pending tools
   * are void, and the id cannot be used again (design 7.7). Idempotent.
   */
  async deleteSession(sessionId: string): Promise<{ readonly sessionId: string; readonly existed: boolean }> {
    this.#assertOpen();
    return { sessionId, existed: await this.#ports.persistence.sessions.delete(sessionId) };
  }

  /** Waits for running turns, closes the sessions and then the store. Calls after it are refused. Idempotent. */
  async close(): Promise<void> {
    if (this.#state === "closed") return;
    this.#state = "closed";
    await Promise.all(this.#background.values());
    for (const session of this.#sessions) await session[Symbol.asyncDispose]();
    await this.#ports.persistence.close();
    this.#ports.liveness.close();
    this.#ports.peers?.close();
    for (const provider of this.#providers.values()) await provider.close?.();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** What a host may do about disk space; nothing of it runs by itself (FA-56). */
  get maintenance(): Maintenance {
    this.#assertOpen();
    const { maintenance } = this.#ports.persistence;
    return {
      orphans: (sessionId) => maintenance.orphanedNodeIds(sessionId),
      tombstone: (sessionId, nodeIds) => maintenance.tombstoneNodes(sessionId, nodeIds),
      vacuum: (sessionId) => maintenance.vacuum(sessionId),
      collect: () => maintenance.gcUnreachable(),
    };
  }

  async #openRuntime(id: string, options: SessionOptions): Promise<SessionRuntime> {
    checkSession(id, options);
    // An id that was deleted is refused here, before anything is built for it.
    await this.#ports.persistence.sessions.open(id);
    const runtime = new SessionRuntime(this.#ports, await this.#wiringOf(id, options));
    await runtime.open();
    return runtime;
  }

  async #recoverOne({ sessionId, turnId }: TurnAddress, { signal, onActivity }: RecoverOptions): Promise<Recovered | undefined> {
    let runtime: SessionRuntime | undefined;
    let count = 0;
    const emit: Emit = (body, correlationId) => {
      count += 1;
      return onActivity && swallow(onActivity, { id: `${turnId}:${count}`, correlationId, ...body }, { sessionId, turnId });
    };
    try {
      runtime = await this.#openRuntime(sessionId, {});
      const end = await runtime.recoverTurn({ turnId, ...unattended(signal), emit, whenParked: "suspend" });
      return { sessionId, turnId, result: turnResultOf(end) };
    } catch (error) {
      if (LashError.is(error) && error.isCode("turn_suspended")) return { sessionId, turnId, suspended: true };
      if (LashError.is(error) && ELSEWHERE.has(error.code)) return undefined;
      return { sessionId, turnId, error: LashError.is(error) ? error : runtimeError("store_commit_failed", String(error), { cause: error }) };
    } finally {
      await runtime?.close("session.close").catch(() => undefined);
    }
  }

  /** An answer wakes its turn: here if the session is open, else by taking the turn up (OP-8). */
  async #resolveCompletion(key: string, resolution: Resolution): Promise<ResolveOutcome> {
    this.#assertOpen();
    checkResolution(resolution);
    const { name, ...outcome } = await this.#ports.waits.resolve(key, resolution);
    if (outcome.status === "accepted" && name && this.#options.provider) this.#wake(name.scope.session_id, name.scope.turn_id);
    return outcome;
  }

  #wake(sessionId: string, turnId: string): void {
    const open = [...this.#sessions].find((session) => session.id === sessionId);
    if (open) return open.runtime.finishLeftover();
    if (this.#background.has(sessionId)) return;
    const waking = this.#takeUp(sessionId, turnId).finally(() => this.#background.delete(sessionId));
    this.#background.set(sessionId, waking);
  }

  async #takeUp(sessionId: string, turnId: string): Promise<void> {
    const recovered = await this.#recoverOne({ sessionId, turnId }, {}).catch((error: unknown) => ({ error }));
    if (recovered && "error" in recovered) {
      this.#ports.logger({ level: "warn", event: "turn.recovery_failed", sessionId, message: String(recovered.error) });
    }
  }

  async #wiringOf(sessionId: string, options: SessionOptions): Promise<SessionWiring> {
    const provider = options.provider ?? this.#options.provider;
    const model = modelOf(options.model ?? this.#options.model, provider);
    const maxTurns = options.maxTurns ?? this.#options.maxTurns;
    const policy: SessionPolicy = { providerId: provider?.id ?? "", model, maxTurns: maxTurns ?? null };
    const owner: LeaseOwner = {
      ownerId: `${this.#scopeId}:${sessionId}`,
      incarnationId: this.#ports.newId(),
      liveness: await this.#ports.liveness.self(),
    };
    return {
      sessionId,
      provider: provider && this.#retrying(provider),
      policy,
      stated: {
        model: options.model !== undefined || this.#options.model !== undefined,
        maxTurns: options.maxTurns !== undefined || this.#options.maxTurns !== undefined,
      },
      system: [this.#options.prompt, options.prompt].filter((text) => text !== undefined && text.trim() !== "").join("\n\n"),
      tools: toolsByName([...(this.#options.tools ?? []), ...(options.tools ?? [])]),
      owner,
    };
  }

  /** One ladder per provider: its rate limits count across sessions. */
  #retrying(provider: Provider): Provider {
    let wrapped = this.#providers.get(provider);
    if (!wrapped) {
      wrapped = withRetry(provider);
      this.#providers.set(provider, wrapped);
    }
    return wrapped;
  }

  #assertOpen(): void {
    if (this.#state === "closed") throw runtimeError("lash_closed", "this lash is closed; make a new one with createLash");
  }
}

/** Codes that say that somebody else has the turn, or that there is nothing left to do. */
const ELSEWHERE: ReadonlySet<string> = new Set(["session_execution_busy", "unknown_turn", "turn_suspended"]);

/** Nobody watches, nobody cancels. */
const unattended = (signal = new AbortController().signal) => ({ emit: () => undefined, signal });

function checkResolution(resolution: Resolution): void {
  const { status } = { ...resolution };
  if (status === "ok") assertJson((resolution as { payload: unknown }).payload, { field: "resolution.payload", limit: "toolResultBytes" });
  else if (status === "err") {
    const { code, message } = { ...(resolution as { payload?: { code?: unknown; message?: unknown } }).payload };
    if (typeof code !== "string" || typeof message !== "string") throw invalidArgument("resolution.payload", "{ code, message } with texts");
  } else if (status !== "timeout" && status !== "cancelled") {
    throw invalidArgument("resolution.status", '"ok", "err", "timeout" or "cancelled"');
  }
}

function checkOptions(options: LashOptions): void {
  refuseUnknown(options, OPTIONS, "createLash options");
  const { store, effects, residency, provider, waitSecret, maxRecoveries } = options;
  if (store !== undefined && (typeof store !== "object" || store === null || !("engine" in store))) {
    throw invalidArgument("store", "made by memory(), sqlite(path), indexedDb(name) or another store factory");
  }
  if (waitSecret !== undefined && !(typeof waitSecret === "string" && /^[0-9a-f]{64}$/.test(waitSecret))) {
    throw invalidArgument("waitSecret", "64 hexadecimal digits in lower case");
  }
  if (maxRecoveries !== undefined && !(maxRecoveries >= 0)) throw invalidArgument("maxRecoveries", "a number of at least 0; Infinity for no limit");
  if (effects !== undefined && effects !== "journaled" && effects !== "inline") throw invalidArgument("effects", '"journaled" or "inline"');
  if (residency !== undefined && residency !== "keep_all" && residency !== "active_path_only") {
    throw invalidArgument("residency", '"keep_all" or "active_path_only"');
  }
  checkShared(options);
  checkSeams(options);
  toolsByName(options.tools ?? []);
  leaseTimingsOf(options.lease);
  if (provider) modelOf(options.model, provider);
}

function checkRecover(options: RecoverOptions): void {
  refuseUnknown(options, ["signal", "onActivity"], "recover options");
  const { signal, onActivity } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw invalidArgument("signal", "an AbortSignal");
  if (onActivity !== undefined && typeof onActivity !== "function") throw invalidArgument("onActivity", "a function");
}

/** Parts that hosts bring for tests and hosting. */
function checkSeams({ clock, logger, newId, protocol, inspect, lease }: LashOptions): void {
  if (clock !== undefined && !["now", "monotonic", "sleep", "setTimer"].every((name) => isFunctionAt(clock, name))) {
    throw invalidArgument("clock", "an object with now, monotonic, sleep and setTimer");
  }
  if (logger !== undefined && typeof logger !== "function") throw invalidArgument("logger", "a function that takes a record");
  if (newId !== undefined && typeof newId !== "function") throw invalidArgument("newId", "a function that gives a fresh id");
  if (protocol !== undefined && !isFunctionAt(protocol, "onModelReply")) throw invalidArgument("protocol", "a protocol driver");
  if (inspect !== undefined && typeof inspect !== "function" && !isFunctionAt(inspect, "next")) throw invalidArgument("inspect", "a function or an observer");
  if (lease !== undefined) refuseUnknown(lease, ["ttlMs", "renewMs"], "lease");
}

const isFunctionAt = (value: unknown, name: string): boolean =>
  typeof value === "object" && value !== null && typeof (value as Readonly<Record<string, unknown>>)[name] === "function";

function checkSession(id: string, options: SessionOptions): void {
  if (typeof id !== "string" || id.trim() === "") throw invalidArgument("id", "a session id that is not blank");
  assertId(id, "id");
  refuseUnknown(options, SESSION_OPTIONS, "openSession options");
  checkShared(options);
}

function checkShared({ provider, prompt, maxTurns, tools, model }: SessionOptions): void {
  if (provider !== undefined && !isFunctionAt(provider, "complete")) throw invalidArgument("provider", "a provider, such as aiSdk(model)");
  if (prompt !== undefined && typeof prompt !== "string") throw invalidArgument("prompt", "a string");
  if (tools !== undefined && !Array.isArray(tools)) throw invalidArgument("tools", "an array of tool(...)");
  if (maxTurns !== undefined && maxTurns !== null && !(Number.isSafeInteger(maxTurns) && maxTurns > 0)) {
    throw invalidArgument("maxTurns", "a positive integer, or null for no limit");
  }
  if (model === undefined) return;
  refuseUnknown(model, ["id", "variant", "contextWindowTokens", "outputTokenCapacity"], "model");
  for (const field of ["contextWindowTokens", "outputTokenCapacity"] as const) {
    const limit = model[field];
    if (limit !== undefined && !(Number.isSafeInteger(limit) && limit > 0)) throw invalidArgument(`model.${field}`, "a positive integer");
  }
  if (model.id !== undefined && (typeof model.id !== "string" || model.id.trim() === "")) throw invalidArgument("model.id", "a model id that is not blank");
}

/** FA-7: two tools of one name could not be told apart by a model. */
function toolsByName(tools: readonly Tool[]): ReadonlyMap<string, Tool> {
  const byName = new Map<string, Tool>();
  for (const [index, entry] of tools.entries()) {
    if (typeof entry?.run !== "function" || typeof entry.validate !== "function") throw invalidArgument(`tools[${index}]`, "made by tool(...)");
    if (byName.has(entry.name)) {
      throw wiringError("duplicate_tool_name", `two tools are named "${entry.name}"; rename one of them`, { details: { tool: entry.name } });
    }
    byName.set(entry.name, entry);
  }
  return byName;
}

/** FA-9: the host's model, else the one the provider wraps; no id anywhere is a mistake in the wiring. */
function modelOf(options: ModelOptions | undefined, provider: Provider | undefined): ModelSpec {
  const id = options?.id ?? provider?.modelId ?? "";
  if (provider && id === "") throw missingModelSpec(provider.id);
  const { contextWindowTokens, outputTokenCapacity, variant } = options ?? {};
  return {
    id,
    ...(variant !== undefined && { variant }),
    ...(contextWindowTokens !== undefined && {
      limits: { contextWindowTokens, ...(outputTokenCapacity !== undefined && { outputTokenCapacity }) },
    }),
  };
}

/** S-57: renewal has to fit three times into a lease's life. */
function leaseTimingsOf(lease: Partial<LeaseTimings> | undefined): LeaseTimings {
  const ttlMs = lease?.ttlMs ?? defaultLeaseTimings.ttlMs;
  const renewMs = lease?.renewMs ?? (lease?.ttlMs === undefined ? defaultLeaseTimings.renewMs : Math.max(1, Math.floor(ttlMs / 3)));
  if (!(ttlMs >= 1) || !(renewMs >= 1) || ttlMs < 3 * renewMs) throw leaseTimingsInvalid(ttlMs, renewMs);
  return { ttlMs, renewMs };
}
