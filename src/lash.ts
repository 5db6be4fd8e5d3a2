// createLash(): wiring, checked once, and the sessions that run on it.

import { requestCancel } from "./actors/cancel-request.ts";
import { ChangeHub } from "./actors/change-hub.ts";
import { inline } from "./actors/inline-host.ts";
import { journaled } from "./actors/journaled-host.ts";
import type { Emit } from "./actors/model-call.ts";
import type { RuntimePorts, SessionWiring } from "./actors/ports.ts";
import { Publishers } from "./actors/publisher.ts";
import type { QueueDriver } from "./actors/queue-driver.ts";
import type { SessionRuntime } from "./actors/session-runtime.ts";
import { SessionTools } from "./actors/session-tools.ts";
import type { Tracer } from "./actors/trace-port.ts";
import { unattended } from "./actors/turn-start.ts";
import { WaitDesk } from "./actors/wait-desk.ts";
import { assertReason, type TurnCancelOutcome } from "./domain/cancellation.ts";
import { systemClock } from "./domain/clock.ts";
import { LashError, runtimeError } from "./domain/errors.ts";
import { durableStoreRequired } from "./domain/wiring-errors.ts";
import { resolveLimits } from "./domain/limits.ts";
import { consoleLogger, safeLogger } from "./domain/logger.ts";
import { layerOf } from "./domain/prompt-input.ts";
import { NO_PROMPT } from "./domain/turn-config.ts";
import type { SessionPolicy, SessionRelation } from "./domain/session.ts";
import type { Resolution, ResolveOutcome } from "./domain/waits.ts";
import {
  checkAddress, checkClose, checkOptions, checkPlugins, checkRecover, checkResolution, checkSession, leaseTimingsOf, modelOf, visibleTools,
  type Completions, type LashOptions, type Maintenance, type RecoverOptions, type SessionOptions,
} from "./lash-options.ts";
import { inMemoryLiveReplay } from "./live-replay.ts";
import { readViewOf } from "./observe/read-view.ts";
import { standardProtocol } from "./protocols/standard.ts";
import type { LlmRequest, Provider } from "./providers/contract.ts";
import { resolveAttachments } from "./providers/attachments.ts";
import { ProviderError, failureOf } from "./providers/failure.ts";
import { withRetry } from "./providers/retry.ts";
import { assembleSession, type SessionAssembly } from "./session-assembly.ts";
import { Session, type ParkedSession } from "./session.ts";
import { swallow } from "./swallow.ts";
import { randomId, randomSecret } from "./random-id.ts";
import type { InFlight, LeaseOwner } from "./stores/contract.ts";
import { memory } from "./stores/memory/store.ts";
import { createPersistence } from "./stores/persistence/index.ts";
import type { MakeToolRegistry } from "./tools/registry/contract.ts";
import { turnResultOf, type TurnResult } from "./turn-result.ts";

/** One recovered turn: what it came to, or why it could not go on. */
export type Recovered =
  | { readonly sessionId: string; readonly turnId: string; readonly result: TurnResult }
  | { readonly sessionId: string; readonly turnId: string; readonly error: LashError }
  /** It waits for an answer from outside and goes on when that comes. */
  | { readonly sessionId: string; readonly turnId: string; readonly suspended: true };

/** Turns that `recover()` drives at once, unless told otherwise (OP-7). */
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
  readonly #laterProviders = new WeakMap<Provider, Provider>();
  readonly #scopeId: string;
  readonly #sessions = new Set<Session>();
  /** Without a handle of the host: children that a tool call left behind, and sessions in which this lash finishes or drains something. */
  readonly #kept = new Set<SessionRuntime>();
  /** Turns that an answer from outside woke, by session. */
  readonly #background = new Map<string, Promise<void>>();
  /** Drains queues, where the host leaves that to this lash. */
  #driver: Promise<QueueDriver> | undefined;
  /** Take back what would wake suspended turns. */
  readonly #timers = new Set<() => void>();
  readonly #trace: Tracer | undefined;
  #closing: Promise<void> | undefined;

  /** Use `createLash`. */
  constructor(options: LashOptions) {
    const clock = options.clock ?? systemClock;
    const { engine, liveness, peers, attachments } = options.store ?? memory();
    const newId = options.newId ?? randomId;
    const scopeId = newId();
    this.#scopeId = scopeId;
    const logger = safeLogger(options.logger ?? consoleLogger);
    const trace = options.trace?.sink.openTrace({ ...options.trace, clock, newId, logger });
    const store = createPersistence(engine, { clock, attachments });
    const persistence = trace?.watchStore(store) ?? store;
    const isDurable = (options.effects ?? (engine.durable ? "journaled" : "inline")) === "journaled";
    if (isDurable && attachments?.durable === false) throw durableStoreRequired("attachment_store");
    // A host that goes on changing its list of tools does not change a runtime that was wired (FA-6).
    this.#options = { ...options, ...(options.tools && { tools: [...options.tools] }), ...(options.plugins && { plugins: [...options.plugins] }) };
    const changes = new ChangeHub(clock, peers);
    const waits = new WaitDesk(
      persistence.waits,
      changes,
      clock,
      () => options.waitSecret ?? randomSecret(),
      ({ scope }, dueAtMs) => this.#wakeAt(scope.session_id, scope.turn_id, dueAtMs),
    );
    this.completions = { resolve: (key, resolution) => this.#resolveCompletion(key, resolution) };
    const loadImages = (request: LlmRequest): Promise<LlmRequest> => resolveAttachments(request, async (id) => (await persistence.attachments.get(id)).bytes);
    this.#ports = {
      waits,
      changes,
      publishers: new Publishers({ replay: options.liveReplay ?? inMemoryLiveReplay({ clock, newId: () => scopeId }), logger, viewOf: readViewOf, scopeId }),
      loadImages,
      direct: async () => (await import("./providers/direct-port.ts")).directPort(clock, loadImages),
      persistence,
      effectHost: isDurable ? journaled(persistence) : inline(persistence),
      clock,
      protocol: options.protocol ?? standardProtocol,
      liveness,
      peers,
      leaseTimings: leaseTimingsOf(options.lease),
      maxRecoveries: options.maxRecoveries ?? 5,
      residency: options.residency ?? "keep_all",
      limits: resolveLimits(options.limits),
      logger,
      newId,
      ...(options.drain === "auto" && { poke: (sessionId) => this.#poke(sessionId) }),
      retrying: (provider) => this.#retryingFor(provider),
      failureOf: (error) => ({ failure: failureOf(error), attempts: ProviderError.is(error) ? error.attempts : [] }),
      children: options.children?.connect({
        ports: () => this.#ports,
        store: { engine, now: () => clock.now(), boundSessionId: undefined, place: attachments },
        ownerOf: (sessionId) => this.#ownerOf(sessionId),
        assemble: (wiring, parent) => this.#assembleChild(wiring, parent),
        isOpen: (sessionId) => [...this.#sessions].some(({ id }) => id === sessionId),
        keep: (runtime) => {
          this.#kept.add(runtime);
          return () => this.#kept.delete(runtime);
        },
      }),
      ...(options.inspect && { inspect: options.inspect }),
      ...(trace && { trace }),
    };
    this.#trace = trace;
  }

  /**
   * Opens a session, or makes one under an id that was never used. Takes no lease: several handles, also in other
   * processes, may be open at once; turns exclude each other. A turn that a dead process left is finished first.
   *
   * @throws LashError `invalid_argument` - a blank or overlong id, unknown options.
   * @throws LashError `session_id_retired` - the session was deleted.
   * @throws LashError `plugin_registration`, `plugin_snapshot`, `plugin_session` - a plugin could not be built, given its stored
   *   state, or materialized; nothing of the session stays open.
   */
  async openSession(id: string, options: SessionOptions = {}): Promise<Session> {
    return this.#openSession(id, options, false);
  }

  async #openSession(id: string, options: SessionOptions, isResumed: boolean): Promise<Session> {
    this.#assertOpen();
    const runtime = await this.#openRuntime(id, options, isResumed);
    const session = this.#handleOf(runtime);
    runtime.finishOthers();
    return session;
  }

  #handleOf(runtime: SessionRuntime): Session {
    const session = new Session(runtime, {
      newId: this.#ports.newId,
      opened: (clone) => this.#sessions.add(clone),
      closed: (closed) => this.#sessions.delete(closed),
      background: (sessionId) => this.#background.get(sessionId),
      handleOf: (child) => this.#handleOf(child),
    });
    this.#sessions.add(session);
    return session;
  }

  /**
   * Finishes the turns that were accepted and whose owners are gone, in all sessions of the store.
   *
   * @param options.signal - aborting it cancels the turns that are being finished, and begins no other.
   * @param options.atOnce - how many turns at most; default 8.
   * @param options.onActivity - told of everything that happens in them; awaited, so a slow one slows its turn (T-46).
   *   What an earlier process saw is not told again, except for the calls of a batch that was cut off.
   * With `drain: "auto"` queues that fill the store are drained, too; those turns are not among the results.
   *
   * @returns one entry per turn in flight that this call dealt with; turns that others are running are not among them.
   */
  async recover(options: RecoverOptions = {}): Promise<readonly Recovered[]> {
    this.#assertOpen();
    checkRecover(options);
    const { persistence, children } = this.#ports;
    const inFlight = await persistence.turns.inFlight();
    const recovered: Recovered[] = [];
    for (const generation of (await children?.generations(inFlight)) ?? [inFlight]) {
      const waiting = [...generation];
      const worker = async (): Promise<void> => {
        for (let next = waiting.shift(); next && options.signal?.aborted !== true && !this.#closing; next = waiting.shift()) {
          const outcome = await this.#recoverOne(next, options);
          if (outcome) recovered.push(outcome);
        }
      };
      await Promise.all(Array.from({ length: options.atOnce ?? RECOVERIES_AT_ONCE }, worker));
    }
    if (this.#options.drain === "auto" && options.signal?.aborted !== true && !this.#closing) await (await this.#queueDriver()).leftovers();
    return recovered;
  }

  /** Opens a parked session again. @throws LashError `session_id_retired` - it was deleted meanwhile (S-89). */
  resume(parked: ParkedSession, options: SessionOptions = {}): Promise<Session> {
    return this.#openSession(parked.sessionId, options, true);
  }

  /**
   * Asks for the end of a turn by its address, from any process that has the store: it ends as `stopped: "cancelled"`, with this
   * request in its result. Whoever drives it hears of it at once in this process and in other tabs, within a second elsewhere;
   * a turn that nobody drives is ended here. Durable when it resolves (OP-20).
   *
   * @param reason - kept in the result's `cancellation`; at most 4 KiB.
   * @returns `completion_won` for a turn that had ended; `unknown_turn` also for one that still waits to be accepted.
   * @throws LashError `invalid_argument` - ids or reason that cannot be.
   */
  async cancelTurn(sessionId: string, turnId: string, reason?: string): Promise<TurnCancelOutcome> {
    this.#assertOpen();
    checkAddress(sessionId, turnId);
    assertReason(reason);
    const { clock, newId } = this.#ports;
    const cancellation = { requestId: newId(), origin: "lash", ...(reason !== undefined && { reason }), requestedAtMs: clock.now() } as const;
    const { status, turnId: asked } = await requestCancel(this.#ports, sessionId, turnId, cancellation);
    if (status === "accepted" && this.#options.provider) this.#wake(sessionId, asked);
    return { status };
  }

  /**
   * Deletes a session for good and retires its id: a turn that runs fails at its next write, answers to its pending tools
   * are void, and the id cannot be used again (design 7.7). Idempotent.
   */
  async deleteSession(sessionId: string): Promise<{ readonly sessionId: string; readonly existed: boolean }> {
    this.#assertOpen();
    return { sessionId, existed: await this.#ports.persistence.sessions.delete(sessionId) };
  }

  /**
   * Refuses new work, lets running turns end, closes the sessions and then the store. A turn that only waits for answers
   * from outside is left in flight. Idempotent: everybody who asks waits for the same end.
   *
   * @param options.graceMs - turns that run longer than this are left in flight, too; their callers get `lash_closed`, and
   *   whoever recovers finishes them. Default: no limit.
   */
  close(options: { readonly graceMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(checkClose(options));
    return this.#closing;
  }

  async #close(graceMs: number | undefined): Promise<void> {
    const { clock } = this.#ports;
    for (const cancel of this.#timers) cancel();
    const driver = await this.#driver;
    driver?.close();
    const endGrace = graceMs === undefined ? undefined : clock.setTimer(graceMs, () => this.#abandonTurns());
    await Promise.all(this.#background.values());
    for (const session of this.#sessions) await session[Symbol.asyncDispose]().catch((error: unknown) => this.#leave(session, error));
    await driver?.idle();
    for (const child of this.#kept) await child.drain();
    endGrace?.();
    await this.flushTrace().catch(({ code, message }: LashError) => this.#ports.logger({ level: "warn", event: "trace.flush_failed", code, message }));
    await this.#ports.persistence.close();
    this.#ports.liveness.close();
    this.#ports.peers?.close();
    for (const provider of this.#providers.values()) await provider.close?.();
  }

  /** What plugins know beyond the last commit is lost with it; the other sessions and the store are closed all the same. */
  #leave({ id, runtime }: Session, error: unknown): void {
    this.#ports.logger({ level: "warn", event: "session.close_failed", sessionId: id, ...(LashError.is(error) && { code: error.code }), message: String(error) });
    runtime.discard();
  }

  #abandonTurns(): void {
    for (const runtime of [...[...this.#sessions].map((session) => session.runtime), ...this.#kept]) runtime.abandonTurns();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * Makes durable what the trace's sink was given so far, as far as the sink can: a file is synced. `close` does it, too.
   *
   * @throws LashError `trace_flush`, or the code of the sink's own error (ER-21) - turns are not affected.
   */
  async flushTrace(): Promise<void> {
    await this.#trace?.flush();
  }

  /** What a host may do about disk space; nothing of it runs by itself (FA-56). */
  get maintenance(): Maintenance {
    this.#assertOpen();
    const { maintenance } = this.#ports.persistence;
    return {
      orphans: (sessionId) => maintenance.orphanedNodeIds(sessionId),
      tombstone: (sessionId, nodeIds) => maintenance.tombstoneNodes(sessionId, nodeIds),
      vacuum: (sessionId) => maintenance.vacuum(sessionId),
      sweepAttachments: (cutoffMs) => this.#ports.persistence.attachments.sweep(cutoffMs),
      collect: () => maintenance.gcUnreachable(),
    };
  }

  async #openRuntime(id: string, options: SessionOptions, isResumed = false): Promise<SessionRuntime> {
    checkSession(id, options);
    const { pluginOptions = {} } = options;
    const plugins = [...(this.#options.plugins ?? []), ...(options.plugins ?? [])];
    checkPlugins(plugins, pluginOptions, this.#ports.limits);
    // An id that was deleted is refused here, before anything is built for it.
    const relation = (await this.#ports.persistence.sessions.open(id))?.relation;
    return this.#assemble({ wiring: await this.#wiringOf(id, options, relation), plugins, pluginOptions, isRootSession: relation?.kind !== "child", isResumed });
  }

  /** Of a session whose parent is open: it has the lash's plugins, with the options that its parent was opened with (PT-28). */
  #assembleChild(wiring: SessionWiring, parent: SessionWiring): Promise<SessionRuntime> {
    const { plugins = [] } = this.#options;
    const given = parent.plugins?.recorded ?? [];
    const pluginOptions = Object.fromEntries(plugins.flatMap(({ id }) => given.flatMap((each) => (each.id === id && each.options !== undefined ? [[id, each.options]] : []))));
    return this.#assemble({ wiring, plugins, pluginOptions, isRootSession: false, isResumed: false });
  }

  async #assemble(assembly: Omit<SessionAssembly, "ports">): Promise<SessionRuntime> {
    const runtime = await assembleSession({ ports: this.#ports, ...assembly });
    this.#trace?.sessionStarted({ sessionId: runtime.wiring.sessionId, headRevision: runtime.resident.headRevision, policy: runtime.settings.policy });
    return runtime;
  }

  /** Plugins are given the options that the turn in flight was accepted with (OP-7). */
  async #acceptedWith(sessionId: string, turnId: string): Promise<SessionOptions> {
    const { plugins = [] } = this.#options;
    const [first] = plugins;
    return first ? { pluginOptions: first.kit.recordedOptions(plugins, await this.#ports.persistence.turns.load(sessionId, turnId)) } : {};
  }

  async #recoverOne({ sessionId, turnId, damage }: InFlight, { signal, onActivity }: RecoverOptions): Promise<Recovered | undefined> {
    if (damage) return { sessionId, turnId, error: runtimeErrorOfRow(damage) };
    let runtime: SessionRuntime | undefined;
    let count = 0;
    const emit: Emit = (body, correlationId) => {
      count += 1;
      return onActivity && swallow(onActivity, { id: `${turnId}:${count}`, correlationId, ...body }, { sessionId, turnId });
    };
    try {
      // A turn in flight whose tool waits for this one drives it itself, with what that needs (decision 0016).
      if (await this.#ports.children?.callerOf(sessionId, turnId)) return undefined;
      runtime = await this.#openKept(sessionId, await this.#acceptedWith(sessionId, turnId));
      const end = await runtime.recoverTurn({ turnId, ...unattended(signal), emit, whenParked: "suspend" });
      return { sessionId, turnId, result: turnResultOf(end) };
    } catch (error) {
      if (LashError.is(error) && error.isCode("turn_suspended")) return { sessionId, turnId, suspended: true };
      if (LashError.is(error) && ELSEWHERE.has(error.code)) return undefined;
      return { sessionId, turnId, error: LashError.is(error) ? error : runtimeError("store_commit_failed", String(error), { cause: error }) };
    } finally {
      await runtime?.close("session.close").catch(() => runtime?.discard());
      if (runtime) this.#kept.delete(runtime);
    }
  }

  /** To be taken out of `#kept` when it is closed: until then it is waited for, or abandoned, as what hosts have opened is. */
  async #openKept(sessionId: string, options: SessionOptions): Promise<SessionRuntime> {
    const runtime = await this.#openRuntime(sessionId, options);
    this.#kept.add(runtime);
    return runtime;
  }

  /** An answer wakes its turn: here if the session is open, else by taking the turn up (OP-8). */
  async #resolveCompletion(key: string, resolution: Resolution): Promise<ResolveOutcome> {
    this.#assertOpen();
    checkResolution(resolution, this.#ports.limits);
    const { name, ...outcome } = await this.#ports.waits.resolve(key, resolution);
    if (outcome.status === "accepted" && name && this.#options.provider) this.#wake(name.scope.session_id, name.scope.turn_id);
    return outcome;
  }

  /** A turn that was suspended goes on when its time runs out, as long as this lash lives (OP-8). */
  #wakeAt(sessionId: string, turnId: string, dueAtMs: number): void {
    if (this.#closing) return;
    const { clock } = this.#ports;
    const cancel = clock.setTimer(Math.max(0, dueAtMs - clock.now()), () => {
      this.#timers.delete(cancel);
      this.#wake(sessionId, turnId);
    });
    this.#timers.add(cancel);
  }

  #wake(sessionId: string, turnId: string): void {
    const open = [...this.#sessions].find((session) => session.id === sessionId);
    if (open) return open.runtime.finishLeftover();
    if (this.#background.has(sessionId)) return;
    const waking = this.#takeUp(sessionId, turnId).finally(() => this.#background.delete(sessionId));
    this.#background.set(sessionId, waking);
  }

  async #takeUp(sessionId: string, turnId: string): Promise<void> {
    // Whoever waits for this turn drives it.
    const caller = await this.#ports.children?.callerOf(sessionId, turnId).catch(() => undefined);
    if (caller) this.#wake(caller.sessionId, caller.turnId);
    if (caller) await this.#background.get(caller.sessionId);
    const recovered = await this.#recoverOne({ sessionId, turnId }, {}).catch((error: unknown) => ({ error }));
    if (recovered && "error" in recovered) {
      this.#ports.logger({ level: "warn", event: "turn.recovery_failed", sessionId, message: String(recovered.error) });
    }
  }

  #poke(sessionId: string): void {
    if (!this.#closing) void this.#queueDriver().then((driver) => driver.poke(sessionId));
  }

  #queueDriver(): Promise<QueueDriver> {
    this.#driver ??= import("./actors/queue-driver.ts").then(({ QueueDriver: Driver }) => new Driver({
      queue: this.#ports.persistence.queue,
      find: (sessionId) => [...this.#sessions].find((session) => session.id === sessionId)?.runtime,
      open: (sessionId) => this.#openKept(sessionId, {}),
      closed: (runtime) => this.#kept.delete(runtime),
      logger: this.#ports.logger,
    }));
    return this.#driver;
  }

  /** A child keeps the model and the limit that it was made with, unless it is opened with others; some tools are hidden from it. */
  async #wiringOf(sessionId: string, options: SessionOptions, relation?: SessionRelation): Promise<SessionWiring> {
    const assignment = relation?.kind === "child" ? relation.assignment : undefined;
    const shared = assignment ? {} : this.#options;
    const provider = options.provider ?? this.#options.provider;
    const model = modelOf(options.model ?? this.#options.model, provider);
    const maxTurns = options.maxTurns ?? this.#options.maxTurns;
    const policy: SessionPolicy = { providerId: provider?.id ?? "", model, maxTurns: maxTurns ?? null };
    return {
      sessionId,
      provider: provider && this.#retrying(provider),
      lashProvider: this.#options.provider && this.#retrying(this.#options.provider),
      policy,
      prompt: options.prompt === undefined ? NO_PROMPT : layerOf(options.prompt, "session"),
      stated: {
        provider: false,
        prompt: options.prompt !== undefined,
        model: options.model !== undefined || shared.model !== undefined,
        maxTurns: options.maxTurns !== undefined || shared.maxTurns !== undefined,
      },
      core: layerOf(this.#options.prompt ?? "", "core"),
      tools: new SessionTools([...visibleTools(this.#options.tools ?? [], assignment), ...(options.tools ?? [])], loadToolRegistry),
      plugins: undefined,
      owner: await this.#ownerOf(sessionId),
    };
  }

  async #ownerOf(sessionId: string): Promise<LeaseOwner> {
    return { ownerId: `${this.#scopeId}:${sessionId}`, incarnationId: this.#ports.newId(), liveness: await this.#ports.liveness.self() };
  }

  /** Of a provider that came later: the lash keeps it no longer than its host does. */
  #retryingFor(provider: Provider): Provider {
    const wrapped = this.#providers.get(provider) ?? this.#laterProviders.get(provider) ?? withRetry(provider);
    this.#laterProviders.set(provider, wrapped);
    return wrapped;
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
    if (this.#closing) throw runtimeError("lash_closed", "this lash is closed; make a new one with createLash");
  }
}

/** Codes that say that somebody else has the turn, or that there is nothing left to do. */
const ELSEWHERE: ReadonlySet<string> = new Set(["session_execution_busy", "unknown_turn", "turn_suspended"]);

const runtimeErrorOfRow = (error: Error): LashError => (LashError.is(error) ? error : runtimeError("store_commit_failed", error.message, { cause: error }));

const loadToolRegistry = async (): Promise<MakeToolRegistry> => (await import("./tools/registry/registry.ts")).toolRegistry;
