// createLash(): the runtime that a host wires, and what it offers over all sessions of its store.

// For `AsyncDisposable` in a project whose `lib` has none: without it the shipped types do not check.
/// <reference lib="esnext.disposable" preserve="true" />

import { inFlightUnder, requestCancel } from "./actors/cancel-request.ts";
import type { QueueDriver } from "./actors/queue-driver.ts";
import type { SessionRuntime } from "./actors/session-runtime.ts";
import { assertReason, newCancellation, type TurnCancelOutcome } from "./domain/cancellation.ts";
import { errorFields } from "./domain/error-mapping.ts";
import { runtimeError } from "./domain/errors.ts";
import { invalidArgument } from "./domain/invalid-argument.ts";
import { allPendingCalls } from "./actors/pending-calls.ts";
import type { PendingCall } from "./domain/approvals.ts";
import { refuseUnknown } from "./domain/invalid-argument.ts";
import type { Resolution, ResolveOutcome } from "./domain/waits.ts";
import {
  checkAddress, checkClose, checkOptions, checkRecover, checkResolution,
  type Completions, type LashOptions, type Maintenance, type RecoverOptions, type SessionOptions,
} from "./lash-options.ts";
import { redactorOf } from "./domain/redactor.ts";
import { ProviderLadders } from "./providers/provider-ladders.ts";
import { Recovery, type Recovered } from "./recovery.ts";
import { makePorts, type LashPorts } from "./runtime-ports.ts";
import { SessionOpener } from "./session-opener.ts";
import { Session, type ParkedSession } from "./session.ts";
import { turnResultOf, type TurnResult } from "./turn-result.ts";

const PENDING_CALLS_AT_ONCE = 100;

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
  /** Answers to tool calls that wait for them. */
  readonly completions: Completions;
  readonly #options: LashOptions;
  readonly #ports: LashPorts;
  readonly #ladders: ProviderLadders;
  readonly #opener: SessionOpener;
  readonly #recovery: Recovery;
  readonly #sessions = new Set<Session>();
  /** Without a handle of the host: children that a tool call left behind, and sessions in which this lash finishes or drains something. */
  readonly #kept = new Set<SessionRuntime>();
  /** Drains queues, where the host leaves that to this lash. */
  #driver: Promise<QueueDriver> | undefined;
  #closing: Promise<void> | undefined;

  /** Use `createLash`. */
  constructor(options: LashOptions) {
    // A host that goes on changing its list of tools does not change a runtime that was wired (FA-6).
    this.#options = { ...options, ...(options.tools && { tools: [...options.tools] }), ...(options.plugins && { plugins: [...options.plugins] }), ...(options.retiredTools && { retiredTools: [...options.retiredTools] }) };
    const redactor = redactorOf(options.redact, (record) => this.#ports.logger(record));
    this.#ladders = new ProviderLadders(redactor);
    this.#ports = makePorts(options, {
      redactor,
      ladders: this.#ladders,
      wakeAt: (sessionId, turnId, dueAtMs) => this.#recovery.wakeAt(sessionId, turnId, dueAtMs),
      poke: (sessionId) => this.#poke(sessionId),
      children: {
        ownerOf: (sessionId) => this.#opener.ownerOf(sessionId),
        plugins: this.#options.plugins ?? [],
        assemble: (assembly) => this.#opener.assemble(assembly),
        isOpen: (sessionId) => this.#find(sessionId) !== undefined,
        keep: (runtime) => this.#keep(runtime),
      },
    });
    this.#opener = new SessionOpener({ options: this.#options, ports: this.#ports, ladders: this.#ladders });
    this.#recovery = new Recovery({ ports: this.#ports, opener: this.#opener, opened: (sessionId) => this.#opened(sessionId), keep: (runtime) => this.#keep(runtime) });
    this.completions = { resolve: (key, resolution) => this.#resolveCompletion(key, resolution) };
  }

  /**
   * Opens a session, or makes one under an id that was never used. Takes no lease: several handles, also in other
   * processes, may be open at once; turns exclude each other. A turn that a dead process left is finished first, if what it was
   * accepted with is here: its provider, its plugins and its tools. Otherwise it is left alone, and the session can be read.
   *
   * @param options - what it leaves out is as `sessionOptions` of the lash says, else as the lash has it.
   * @throws LashError `invalid_argument` - a blank or overlong id, unknown options.
   * @throws LashError `session_id_retired` - the session was deleted.
   * @throws LashError `session_fact_pinned` - the session is bound to another protocol than this lash has.
   * @throws LashError `session_options_failed` - `sessionOptions` of the lash threw, or gave what are no options.
   * @throws LashError `plugin_registration`, `plugin_snapshot`, `plugin_session` - a plugin could not be built, given its stored
   *   state, or materialized; nothing of the session stays open.
   */
  async openSession(id: string, options: SessionOptions = {}): Promise<Session> {
    return this.#openSession(id, options, false);
  }

  async #openSession(id: string, options: SessionOptions, isResumed: boolean): Promise<Session> {
    this.#assertOpen();
    const runtime = await this.#opener.open(id, options, isResumed);
    const session = this.#handleOf(runtime);
    runtime.standIn();
    return session;
  }

  #handleOf(runtime: SessionRuntime): Session {
    const session = new Session(runtime, {
      newId: this.#ports.newId,
      opened: (clone) => this.#sessions.add(clone),
      closed: (closed) => this.#sessions.delete(closed),
      background: (sessionId) => this.#recovery.background(sessionId),
      handleOf: (child) => this.#handleOf(child),
    });
    this.#sessions.add(session);
    return session;
  }

  /**
   * Finishes the turns that were accepted and whose owners are gone, in all sessions of the store. A turn that needs what is not here
   * stays in flight, and its entry says what is missing: `tool_missing`, `plugin_missing`, `provider_mismatch`, `session_fact_pinned`.
   * A turn that was left waiting is not looked at before its answer has come, its time has run out, or its end was asked for; one
   * whose time runs out later goes on then by itself, as long as this lash lives.
   *
   * @param options.signal - aborting it cancels the turns that are being finished, and begins no other.
   * @param options.atOnce - how many turns at most; default 8.
   * @param options.onActivity - told of everything that happens in them; awaited, so a slow one slows its turn.
   *   What an earlier process saw is not told again, except for the calls of a batch that was cut off.
   * With `drain: "auto"` queues that fill the store are drained, too; those turns are not among the results.
   *
   * @returns one entry per turn in flight that this call dealt with; turns that others are running are not among them.
   */
  async recover(options: RecoverOptions = {}): Promise<readonly Recovered[]> {
    this.#assertOpen();
    checkRecover(options);
    const recovered = await this.#recovery.finishAll(options);
    if (this.#options.drain === "auto" && options.signal?.aborted !== true && !this.#closing) await (await this.#queueDriver()).leftovers();
    return recovered;
  }

  /** Opens a parked session again. @throws LashError `session_id_retired` - it was deleted meanwhile. */
  resume(parked: ParkedSession, options: SessionOptions = {}): Promise<Session> {
    return this.#openSession(parked.sessionId, options, true);
  }

  /**
   * Asks for the end of a turn by its address, from any process that has the store: it ends as `stopped: "cancelled"`, with this
   * request in its result. Whoever drives it hears of it at once in this process and in other tabs, within a second elsewhere;
   * a turn that nobody drives is ended here. Durable when it resolves.
   *
   * @param reason - kept in the result's `cancellation`; at most 4 KiB.
   * @returns `completion_won` for a turn that had ended; `unknown_turn` also for one that still waits to be accepted.
   * @throws LashError `invalid_argument` - ids or reason that cannot be.
   */
  async cancelTurn(sessionId: string, turnId: string, reason?: string): Promise<TurnCancelOutcome> {
    this.#assertOpen();
    checkAddress(sessionId, turnId);
    assertReason(reason);
    const { status, turnId: asked } = await requestCancel(this.#ports, sessionId, turnId, newCancellation(this.#ports, "lash", reason));
    // Ending it needs nothing that driving it would: also a lash without any provider does it (ME-22).
    if (status === "accepted") this.#recovery.wake(sessionId, asked);
    return { status };
  }

  /**
   * The tool calls that wait for approval, of all sessions, by session id: at most 100. Open the session to answer.
   *
   * @param options.after - the last one of the page before.
   * @throws LashError `invalid_argument`, `store_backend`, `stored_row_invalid`.
   */
  async pendingCalls({ after, ...rest }: { readonly after?: Pick<PendingCall, "sessionId" | "id"> } = {}): Promise<readonly PendingCall[]> {
    this.#assertOpen();
    refuseUnknown(rest, ["after"], "pendingCalls options");
    return allPendingCalls(this.#ports, PENDING_CALLS_AT_ONCE, after);
  }

  /**
   * Ends a turn that nobody can drive on: its tools are gone for good (`tool_missing`), its protocol, its plugin. What it has finished
   * is committed: its messages, the results of its calls as far as they are recorded. Calls that were running are told to the history
   * as interrupted, those that had not begun as cancelled; nothing is run and no model is asked. The turn ends as
   * `stopped: "runtime_error"` with the issue `turn_abandoned`, which says why, and the session goes on with its next turn.
   *
   * Durable when it resolves. Needs nothing of what the turn was accepted with, nor of what the session is opened with. Where somebody
   * has asked for the turn's end before, it ends as cancelled.
   *
   * @param reason - kept with the turn, for people; at most 4 KiB.
   * @returns the turn's result; of a turn that had ended before, the one that was recorded then.
   * @throws LashError `session_execution_busy` - a living process drives the turn; nothing was changed. `cancelTurn` ends it there.
   * @throws LashError `unknown_turn` - it is not in flight and never ended. `session_id_retired` - its session was deleted.
   * @throws LashError `store_commit_failed` - the store failed; ask again.
   * @throws LashError `invalid_argument` - ids that cannot be, or no reason.
   */
  async abandonTurn(sessionId: string, turnId: string, reason: string): Promise<TurnResult> {
    this.#assertOpen();
    checkAddress(sessionId, turnId);
    if (typeof reason !== "string" || reason.trim() === "") throw invalidArgument("reason", "a text that says why the turn is abandoned");
    assertReason(reason);
    return turnResultOf(await this.#recovery.abandon({ sessionId, turnId: await inFlightUnder(this.#ports, sessionId, turnId) }, reason));
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
    this.#recovery.close();
    for (const { runtime } of this.#sessions) runtime.stopWaiting(runtimeError("lash_closed", "the lash was closed"));
    const driver = await this.#driver;
    driver?.close();
    const endGrace = graceMs === undefined ? undefined : clock.setTimer(graceMs, () => this.#abandonTurns());
    await this.#recovery.idle();
    for (const session of this.#sessions) await session[Symbol.asyncDispose]().catch((error: unknown) => this.#discard(session, error));
    await driver?.idle();
    for (const child of this.#kept) await child.drain();
    endGrace?.();
    await this.flushTrace().catch((error: unknown) => this.#ports.logger({ level: "warn", event: "trace.flush_failed", ...errorFields(error) }));
    await this.#ports.persistence.close();
    this.#ports.liveness.close();
    this.#ports.changes.close();
    this.#ports.peers?.close();
    await this.#ladders.close();
  }

  /** What plugins know beyond the last commit is lost with it; the other sessions and the store are closed all the same. */
  #discard({ id, runtime }: Session, error: unknown): void {
    this.#ports.logger({ level: "warn", event: "session.close_failed", sessionId: id, ...errorFields(error) });
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
   * @throws LashError `trace_flush`, or the code of the sink's own error - turns are not affected.
   */
  async flushTrace(): Promise<void> {
    await this.#ports.trace?.flush();
  }

  /** What a host may do about disk space; nothing of it runs by itself. */
  get maintenance(): Maintenance {
    this.#assertOpen();
    const { maintenance } = this.#ports.persistence;
    return {
      orphans: (sessionId) => maintenance.orphanedNodeIds(sessionId),
      tombstone: (sessionId, nodeIds) => maintenance.tombstoneNodes(sessionId, nodeIds),
      vacuum: (sessionId?: string) => maintenance.vacuum(sessionId),
      sweepAttachments: (cutoffMs) => this.#ports.persistence.attachments.sweep(cutoffMs),
      collect: () => maintenance.gcUnreachable(),
    };
  }

  /** An answer wakes its turn: here if the session is open, else by taking the turn up. */
  async #resolveCompletion(key: string, resolution: Resolution): Promise<ResolveOutcome> {
    this.#assertOpen();
    checkResolution(resolution, this.#ports.limits);
    const { redactor, waits } = this.#ports;
    // What an answer says of a failure is a tool's error.
    const kept = resolution.status === "err" ? { ...resolution, payload: redactor.failure(resolution.payload) } : resolution;
    const { name, ...outcome } = await waits.resolve(key, kept);
    if (outcome.status === "accepted" && name && this.#canDrive(name.scope.session_id)) this.#recovery.wake(name.scope.session_id, name.scope.turn_id);
    return outcome;
  }

  /** Without any provider to ask, no turn goes on here: whoever only records answers need not read the session. */
  #canDrive(sessionId: string): boolean {
    return this.#options.provider !== undefined || this.#options.sessionOptions !== undefined || this.#find(sessionId) !== undefined;
  }

  #find(sessionId: string): SessionRuntime | undefined {
    return this.#opened(sessionId)[0];
  }

  /** Handles that were cloned share one. */
  #opened(sessionId: string): readonly SessionRuntime[] {
    return [...new Set([...this.#sessions].filter(({ id }) => id === sessionId).map(({ runtime }) => runtime))];
  }

  /** Until it is closed it is waited for, or abandoned, as what hosts have opened is. @returns what says that it is closed. */
  #keep(runtime: SessionRuntime): () => void {
    this.#kept.add(runtime);
    return () => this.#kept.delete(runtime);
  }

  #poke(sessionId: string): void {
    if (!this.#closing) void this.#queueDriver().then((driver) => driver.poke(sessionId));
  }

  #queueDriver(): Promise<QueueDriver> {
    this.#driver ??= import("./actors/queue-driver.ts").then(({ QueueDriver: Driver }) => new Driver({
      queue: this.#ports.persistence.queue,
      find: (sessionId) => this.#find(sessionId),
      open: async (sessionId) => {
        const runtime = await this.#opener.open(sessionId, {});
        this.#keep(runtime);
        return runtime;
      },
      closed: (runtime) => this.#kept.delete(runtime),
      logger: this.#ports.logger,
    }));
    return this.#driver;
  }

  #assertOpen(): void {
    if (this.#closing) throw runtimeError("lash_closed", "this lash is closed; make a new one with createLash");
  }
}
