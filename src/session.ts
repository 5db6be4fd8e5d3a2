// Session handle: runs turns, shows what is committed.

import { createStore } from "@xstate/store";
import type { Emit } from "./actors/model-call.ts";
import { compactSession, type CompactOptions } from "./actors/compaction.ts";
import { branchTo, openFrame } from "./actors/session-change.ts";
import type { SessionRuntime } from "./actors/session-runtime.ts";
import type { Compactor } from "./domain/compaction.ts";
import { runtimeError } from "./domain/errors.ts";
import { invalidArgument, refuseUnknown } from "./domain/invalid-argument.ts";
import type { SessionNode } from "./domain/session.ts";
import { acceptInput, parseTurnInput, type TurnInput } from "./domain/turn-input.ts";
import { checkedId, checkedTarget, checkedTargets, submittedIngress, type EnqueueOptions } from "./enqueue.ts";
import type { SessionSighting, TurnActivity } from "./observe/contract.ts";
import { sightingsOf } from "./observe/sightings.ts";
import { readViewOf, type SessionReadView } from "./observe/read-view.ts";
import { overlayOf, patchOf, SETTINGS, type SessionPatch } from "./settings-options.ts";
import { checkTurnOptions, chosenCompactor, parseWaiting, turnIdOf, type TurnOptions } from "./turn-options.ts";
import type { CancelOutcome, CancelTarget, PendingTurnInput, SuffixCancelOutcome } from "./stores/ingress-contract.ts";
import { Turn } from "./turn.ts";
import { turnResultOf, type TurnResult } from "./turn-result.ts";

export type { TurnOptions } from "./turn-options.ts";

export interface RunOptions extends TurnOptions {
  /** Told of everything that happens; awaited, so a slow one slows the turn (T-46). */
  readonly onActivity?: (activity: TurnActivity) => void | Promise<void>;
}

export interface QueuedTurnOptions {
  /** Id of the turn, so that asking again attaches to it. Default: the `traceTurnId` of an input, else a fresh one. */
  readonly drainId?: string;
  /** Aborting it cancels the turn. */
  readonly signal?: AbortSignal;
  /** Told of everything that happens; awaited, so a slow one slows the turn (T-46). */
  readonly onActivity?: (activity: TurnActivity) => void | Promise<void>;
}

/** Committed state and where it stands; taken together, so they always fit. */
export interface SessionObservation {
  readonly readView: SessionReadView;
  readonly cursor: string;
}

/** Where a parked session is found again; plain data. */
export interface ParkedSession {
  readonly sessionId: string;
}

interface ViewContext {
  readonly view: SessionReadView;
}

const makeView = (view: SessionReadView) =>
  createStore({
    context: { view } as ViewContext,
    on: { committed: (_context, event: { readonly view: SessionReadView }) => ({ view: event.view }) },
  });

export type SessionViewStore = ReturnType<typeof makeView>;

/** @internal What the Lash keeps about its open sessions. */
export interface SessionHost {
  readonly newId: () => string;
  readonly opened: (session: Session) => void;
  readonly closed: (session: Session) => void;
  /** A turn of this session that the lash itself is finishing in the background; others wait for it. */
  readonly background: (sessionId: string) => Promise<unknown> | undefined;
}

const CURSOR = "lashsc2";

export class Session implements AsyncDisposable {
  readonly id: string;
  /** An `@xstate/store` store with the committed read view, for UI code: `session.view.subscribe(...)`. */
  readonly view: SessionViewStore;
  readonly #runtime: SessionRuntime;
  readonly #host: SessionHost;
  readonly #unsubscribe: () => void;
  readonly #closed = new AbortController();
  #state: "open" | "closing" | "closed" = "open";

  /** Made by `lash.openSession()`. */
  constructor(runtime: SessionRuntime, host: SessionHost) {
    this.id = runtime.wiring.sessionId;
    this.#runtime = runtime;
    this.#host = host;
    this.view = makeView(readViewOf(this.id, runtime.resident));
    this.#unsubscribe = runtime.onCommit((resident) => this.view.trigger.committed({ view: readViewOf(this.id, resident) }));
  }

  /**
   * Asks the agent something. Nothing happens until the turn is iterated or its `result` is asked for; then its input
   * is accepted durably before anything else, and from there on it ends even if this process does not.
   *
   * Settings among the options hold for this turn alone, also when another process finishes it; one that is in flight already
   * keeps those it was accepted with.
   *
   * @throws LashError `invalid_argument` - naming the field of `input` or `options` that is wrong.
   * @throws LashError `missing_model_spec` - a provider without a model of its own, and no model.
   */
  turn(input: string | TurnInput, options: TurnOptions = {}): Turn {
    this.#assertOpen();
    checkTurnOptions(options);
    const overlay = overlayOf(options, this.#runtime.settings, this.#runtime.ports.retrying);
    const parsed = parseTurnInput(input, this.#runtime.ports.limits);
    const turnId = turnIdOf(parsed, options) ?? this.#host.newId();
    const { input: accepted, attachments } = acceptInput(parsed);
    const start = async (turn: Turn): Promise<TurnResult> => {
      await this.#host.background(this.id);
      this.#assertOpen();
      const emit: Emit = (body, correlationId) => turn.emit(body, correlationId);
      const onAbort = (): void => void turn.cancel();
      if (options.signal?.aborted === true) onAbort();
      options.signal?.addEventListener("abort", onAbort, { once: true });
      try {
        return turnResultOf(await this.#runtime.runTurn({ turnId, input: accepted, attachments, overlay, emit, signal: turn.signal }));
      } finally {
        options.signal?.removeEventListener("abort", onAbort);
      }
    };
    return new Turn(turnId, {
      start,
      requestOf: (reason) => ({ requestId: this.#host.newId(), origin: "turn", ...(reason !== undefined && { reason }), requestedAtMs: this.#runtime.ports.clock.now() }),
      record: (request) => this.#runtime.requestCancel(turnId, request),
    });
  }

  /** Runs a turn to its end: `turn(input, options).result`. */
  async run(input: string | TurnInput, { onActivity, ...options }: RunOptions = {}): Promise<TurnResult> {
    const turn = this.turn(input, options);
    if (onActivity) {
      for await (const activity of turn) await swallow(onActivity, activity);
    }
    return turn.result;
  }

  /**
   * Leaves an input to a turn: the next one, or one that runs. Needs no lease, so it works while any handle or process runs the
   * session. Durable when it resolves, images included; a turn that takes it commits it once, in its place (FA-35, design 7.4).
   *
   * @returns the input as it waits; with an `id` that was used before, that input in its present state.
   * @throws LashError `invalid_argument` - naming the field that is wrong, images that no model reads among them.
   * @throws LashError `store_commit_failed` - the store failed, or `id` was used with other content
   *   (`details.causeCode`: `pending_turn_input_source_key_conflict`); then nothing was written.
   */
  async enqueue(input: string | TurnInput, options: EnqueueOptions = {}): Promise<PendingTurnInput> {
    this.#assertOpen();
    const ingress = submittedIngress(options);
    const { id } = options;
    return this.#runtime.inputs.enqueue({ input: parseWaiting(input, this.#runtime.ports.limits), ingress, ...(id !== undefined && { sourceKey: `host:${checkedId(id, "id")}` }) });
  }

  /** Tells the running turn something as soon as its tools are done (FA-64). Otherwise as `enqueue`; ids are counted apart. */
  async inject(input: string | TurnInput, { id }: { readonly id?: string } = {}): Promise<PendingTurnInput> {
    this.#assertOpen();
    const ingress = { scope: "active_turn", minBoundary: "after_work" } as const;
    return this.#runtime.inputs.enqueue({ input: parseWaiting(input, this.#runtime.ports.limits), ingress, ...(id !== undefined && { sourceKey: `injection:${checkedId(id, "id")}` }) });
  }

  /**
   * Runs the inputs that wait for the next turn as one turn (FA-29): at most 64, in the order in which they were enqueued. From
   * its acceptance on it is a turn like any other, finished by `recover()` if this process dies.
   *
   * @returns undefined where nothing waits, or another owner runs the session: then nothing happened.
   */
  async queuedTurn(options: QueuedTurnOptions = {}): Promise<TurnResult | undefined> {
    this.#assertOpen();
    refuseUnknown(options, ["drainId", "signal", "onActivity"], "queued turn options");
    const { drainId, signal = new AbortController().signal, onActivity } = options;
    if (typeof signal?.addEventListener !== "function") throw invalidArgument("signal", "an AbortSignal");
    if (onActivity !== undefined && typeof onActivity !== "function") throw invalidArgument("onActivity", "a function");
    if (drainId !== undefined) checkedId(drainId, "drainId");
    await this.#host.background(this.id);
    this.#assertOpen();
    let count = 0;
    const emitFor = (turnId: string): Emit => (body, correlationId) => onActivity && swallow(onActivity, { id: `${turnId}:${++count}`, correlationId, ...body });
    const end = await this.#runtime.runQueued({ emitFor, signal, ...(drainId !== undefined && { drainId }) });
    return end && turnResultOf(end);
  }

  /** Inputs that wait and that no turn has taken, in order. */
  pendingTurnInputs(): Promise<readonly PendingTurnInput[]> {
    this.#assertOpen();
    return this.#runtime.inputs.pending();
  }

  /** Takes back an input that no turn has taken; the outcome says what became of it (FA-36). Durable when it resolves. */
  async cancelTurnInput(target: CancelTarget): Promise<CancelOutcome> {
    const [outcome = { outcome: "not_found" as const }] = await this.cancelTurnInputs([target]);
    return outcome;
  }

  /** The same for several at once, all or nothing; one outcome per target, in order. */
  async cancelTurnInputs(targets: readonly CancelTarget[]): Promise<readonly CancelOutcome[]> {
    this.#assertOpen();
    return this.#runtime.inputs.cancel(checkedTargets(targets));
  }

  /** The same for an input, in whatever state it is, and all that were enqueued after it. */
  async cancelTurnInputsFrom(anchor: CancelTarget): Promise<SuffixCancelOutcome> {
    this.#assertOpen();
    return this.#runtime.inputs.cancelFrom(checkedTarget(anchor, "anchor"));
  }

  /** The committed state and its cursor, at once, also while a turn runs. */
  observe(): SessionObservation {
    const { view } = this.view.getSnapshot().context;
    return { readView: view, cursor: `${CURSOR}:${view.revision}:0:0:${this.id}` };
  }

  /**
   * What happens in this session from now on, whoever drives it: this runtime or, on stores that tabs share, another tab. A
   * turn that already runs comes first, as far as it is known. Live only and lossy: a watcher that is 1000 behind misses the
   * oldest; what is committed is in `view`. Ends when the session is closed or iteration stops.
   *
   * @param options.signal - ends it, too.
   */
  watch({ signal }: { readonly signal?: AbortSignal } = {}): AsyncIterableIterator<SessionSighting> {
    this.#assertOpen();
    return sightingsOf(this.#runtime.feed, signal ? AbortSignal.any([signal, this.#closed.signal]) : this.#closed.signal);
  }

  /** Cancels the turns that run or wait on this handle and its clones. @returns how many (FA-27). */
  cancelRunningTurns(): number {
    return this.#runtime.cancelTurns();
  }

  /**
   * Changes the settings of this session from the next turn on, and records them: when it resolves, whoever opens the session
   * next without settings of their own has these. With the last commit of a turn that runs on this handle, else in a commit of
   * its own. Nothing happens where nothing changes (FA-60, OP-22).
   *
   * @throws LashError `invalid_argument`, `missing_model_spec` - naming what is wrong with `patch`.
   * @throws LashError `session_execution_busy` - another owner runs this session; nothing changed.
   */
  async configure(patch: SessionPatch): Promise<void> {
    this.#assertOpen();
    refuseUnknown(patch, SETTINGS, "configure");
    await this.#runtime.changes.configure(patchOf(patch, this.#runtime.settings, this.#runtime.ports.retrying));
  }

  /**
   * Ends all waits of this session for answers from outside that are open now as cancelled; the session stays usable, and a
   * turn that only waited for one goes on. Durable when it resolves. Later waits are not affected (FA-39).
   *
   * @returns how many waits that were.
   */
  revokeDurableWaits(): Promise<number> {
    this.#assertOpen();
    return this.#runtime.revokeWaits();
  }

  /**
   * Goes back to an earlier point of the conversation: the next turn continues from there. What came after stays stored,
   * readable by node id, until the host tombstones it (design 7.3).
   *
   * @param options.at - id of the last message to keep; null keeps none.
   * @throws LashError `invalid_argument` - there is no such message on the active path.
   * @throws LashError `session_execution_busy` - another owner runs this session; nothing changed.
   */
  async branch({ at }: { readonly at: string | null }): Promise<void> {
    this.#assertOpen();
    await this.#runtime.changes.commit((resident) => branchTo(resident, at, async (nodeId) => (await this.historicNode(nodeId))?.parentNodeId));
  }

  /**
   * Makes a new session that starts with this one's conversation, up to and including message `at`.
   *
   * @param options.id - id of the new session; default: a fresh one.
   * @returns the id. Durable when it resolves.
   */
  async fork({ at, id = this.#host.newId() }: { readonly at?: string; readonly id?: string } = {}): Promise<string> {
    this.#assertOpen();
    await this.#runtime.changes.fork(id, at);
    return id;
  }

  /**
   * Goes on in a fresh context that starts with what `compactor` makes of the conversation, such as `summarize()` of
   * `lash-runtime/compaction`. What came before stays stored, readable by node id (S-20, PP-55). Durable when it resolves;
   * `readView.lastPromptUsage` tells when it is worth it.
   *
   * @param compactor - default: those of the session's plugins, by their priority; the first that makes something of it.
   * @returns false when there was nothing to make shorter; then nothing changed.
   * @throws LashError `invalid_argument` - none was given, and no plugin of the session has one.
   * @throws LashError `session_execution_busy` - a turn was committed meanwhile, or another owner runs this session.
   * @throws LashError `provider_unconfigured`, `provider_mismatch` - as a turn would. And whatever `compactor` throws.
   */
  async compact(compactor?: Compactor, options: CompactOptions = {}): Promise<boolean> {
    this.#assertOpen();
    const chosen = chosenCompactor(compactor, this.#runtime.wiring.plugins?.compactor, options);
    const signal = options.signal ? AbortSignal.any([options.signal, this.#closed.signal]) : this.#closed.signal;
    return compactSession(this.#runtime, chosen, { ...options, signal });
  }

  /**
   * Begins the conversation anew in a fresh context. What came before stays stored, readable by node id (design 7.3, S-32).
   * Durable when it resolves.
   *
   * @throws LashError `session_execution_busy` - another owner runs this session; nothing changed.
   */
  async reset(): Promise<void> {
    this.#assertOpen();
    const { clock, newId } = this.#runtime.ports;
    await this.#runtime.changes.commit((resident) =>
      openFrame(resident, { frameId: `${this.id}:frame:reset:${newId()}`, reason: "reset", createdAt: new Date(clock.now()).toISOString(), messages: [] }),
    );
  }

  /** Another handle on the same runtime; `close` and `park` need the last one (FA-49). */
  clone(): Session {
    this.#assertOpen();
    this.#runtime.openHandle();
    const clone = new Session(this.#runtime, this.#host);
    this.#host.opened(clone);
    return clone;
  }

  /** A node of this session's history by id, also off the active path; undefined when unknown or tombstoned (S-40). */
  historicNode(nodeId: string): Promise<SessionNode | undefined> {
    return this.#runtime.ports.persistence.sessions.loadNode(this.id, nodeId);
  }

  /** Ids of nodes that no path of this session reaches any more, in storage order (S-87). */
  orphanedNodeIds(): Promise<readonly string[]> {
    return this.#runtime.ports.persistence.maintenance.orphanedNodeIds(this.id);
  }

  /**
   * Closes the session and says where it stands, for `lash.resume(parked)`. Holds nothing any more (S-43).
   *
   * @throws LashError `session_still_in_use` - another handle is open or a turn runs; nothing happened.
   */
  async park(): Promise<ParkedSession> {
    await this.#leave("session.park");
    return { sessionId: this.id };
  }

  /**
   * Lets go of the session. Its data stays; a turn that runs makes this fail.
   *
   * @throws LashError `session_still_in_use` - a turn is running or another handle is open; nothing happened.
   */
  async close(): Promise<void> {
    if (this.#state === "open") await this.#leave("session.close");
  }

  /** Waits for running turns, then closes; never deletes (FA-80). A handle with siblings is only released (FA-49). */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state !== "open") return;
    if (this.#runtime.releaseHandle()) return this.#left();
    await this.#runtime.drain();
    await this.close();
  }

  async #leave(event: "session.park" | "session.close"): Promise<void> {
    this.#assertOpen();
    this.#state = "closing";
    try {
      await this.#runtime.suspend();
      await this.#runtime.close(event);
    } catch (error) {
      this.#state = "open";
      throw error;
    }
    this.#left();
  }

  #left(): void {
    this.#state = "closed";
    this.#closed.abort();
    this.#unsubscribe();
    this.#host.closed(this);
  }

  /** @internal */
  get runtime(): SessionRuntime {
    return this.#runtime;
  }

  #assertOpen(): void {
    if (this.#state !== "open") throw runtimeError("session_closed", `session ${this.id} is closed; open it again with lash.openSession`, { details: { sessionId: this.id } });
  }
}

/** @internal A broken sink never changes the outcome (T-46). */
export async function swallow<Told extends readonly unknown[]>(sink: (...told: Told) => void | Promise<void>, ...told: Told): Promise<void> {
  try {
    await sink(...told);
  } catch {
    // There is nobody to tell.
  }
}
