// Session handle: runs turns, shows what is committed.

// For `AsyncDisposable` in a project whose `lib` has none: without it the shipped types do not check.
/// <reference lib="esnext.disposable" preserve="true" />

import { createStore } from "@xstate/store";
import type { Emit } from "./actors/model-call.ts";
import { pendingCalls } from "./actors/pending-calls.ts";
import { compactSession, type CompactOptions } from "./actors/compaction.ts";
import { branchTo, resetTo } from "./actors/session-change.ts";
import type { SessionRuntime } from "./actors/session-runtime.ts";
import type { SessionChildren } from "./children/contract.ts";
import type { Compactor } from "./domain/compaction.ts";
import type { OperationRequest } from "./actors/plugin-port.ts";
import { checkedSignal, onAbort } from "./domain/abort.ts";
import type { AnswerOutcome, ApproveOptions, DenyOptions, PendingCall } from "./domain/approvals.ts";
import { newCancellation } from "./domain/cancellation.ts";
import { pluginError, runtimeError } from "./domain/errors.ts";
import { refuseUnknown } from "./domain/invalid-argument.ts";
import { missingChildSessions } from "./domain/wiring-errors.ts";
import type { SessionNode } from "./domain/session.ts";
import { type SessionUsageReport, usageReportOf } from "./domain/usage-report.ts";
import { acceptInput, parseTurnInput, type UserInput } from "./domain/turn-input.ts";
import type { SessionReadView, SessionSighting } from "./observe/contract.ts";
import { Observations, type SessionObservation, type SessionResume, type SessionSubscription, type SubscriptionItem } from "./observe/observation.ts";
import { sightingsOf } from "./observe/sightings.ts";
import type { SessionOperations } from "./plugins/operations/contract.ts";
import { approveCall, denyCall } from "./session-approvals.ts";
import { SessionLanes } from "./session-lanes.ts";
import { overlayOf, patchOf, SETTINGS, type SessionPatch } from "./settings-options.ts";
import { swallow } from "./swallow.ts";
import { ToolAdmin } from "./tool-admin.ts";
import { Turn } from "./turn.ts";
import { checkTurnOptions, chosenCompactor, turnIdOf, type RunOptions, type TurnOptions } from "./turn-options.ts";
import { turnResultOf, type TurnResult } from "./turn-result.ts";
import { waitOf } from "./wait-options.ts";
import { withValue, type Output, type ValueOf } from "./turn-value.ts";

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
  readonly handleOf: (runtime: SessionRuntime) => Session;
}

export class Session extends SessionLanes implements AsyncDisposable {
  readonly id: string;
  /** An `@xstate/store` store with the committed read view, for UI code: `session.view.subscribe(...)`. */
  readonly view: SessionViewStore;
  /** The tools of this session: who may be called, and what is added while it is open. */
  readonly tools: ToolAdmin;
  readonly #runtime: SessionRuntime;
  readonly #host: SessionHost;
  readonly #observations: Observations;
  readonly #unsubscribe: () => void;
  readonly #closed = new AbortController();
  #state: "open" | "closing" | "closed" = "open";

  /** Made by `lash.openSession()`. */
  constructor(runtime: SessionRuntime, host: SessionHost) {
    super(runtime);
    this.id = runtime.wiring.sessionId;
    this.#runtime = runtime;
    this.#host = host;
    this.tools = new ToolAdmin(runtime, () => this.assertOpen());
    this.#observations = new Observations(runtime.publisher, runtime.wiring.tools);
    this.view = makeView(this.observe().readView);
    this.#unsubscribe = runtime.publisher.onPublish(({ view }) => this.view.trigger.committed({ view }));
  }

  /**
   * Asks the agent something. Nothing happens until the turn is iterated or its `result` is asked for; then its input
   * is accepted durably before anything else, and from there on it ends even if this process does not.
   *
   * Session commands that are queued are applied first; one that fails fails the turn, before its input is accepted.
   *
   * Settings among the options hold for this turn alone, also when another process finishes it; one that is in flight already
   * keeps those it was accepted with.
   *
   * While another turn of the session runs, or waits for answers, in whatever process, this one waits for it: it says so by
   * `turn_queued`, and turns of one handle keep their order. Nothing of a turn that waits is durable: if this process dies, it was never
   * asked. `enqueue` leaves an input to the session durably. Cancelled while it waits, it ends at once as `stopped: "cancelled"`, with
   * nothing in the history, and its id can be used again. `wait: false` and `waitMs` do not wait, or not for long.
   *
   * A tool or a hook of a turn that asks the same session for another turn would wait for itself, and gets `session_execution_busy` at
   * once. Without `AsyncLocalStorage`, as in pages, that is known only of what a tool asks for before it first waits for anything;
   * later it waits until the turn is cancelled, or for `waitMs`.
   *
   * @throws LashError `invalid_argument` - naming the field of `input` or `options` that is wrong.
   * @throws LashError `missing_model_spec` - a provider without a model of its own, and no model.
   */
  turn<Wanted extends Output = undefined>(input: UserInput, options: TurnOptions<Wanted> = {}): Turn<ValueOf<Wanted>> {
    this.assertOpen();
    checkTurnOptions(options);
    const overlay = overlayOf(options, this.#runtime.settings, this.#runtime.ports);
    const parsed = parseTurnInput(input, this.#runtime.ports.limits);
    const turnId = turnIdOf(parsed, options) ?? this.#host.newId();
    const { input: accepted, attachments } = acceptInput(parsed);
    const waitMs = waitOf(options) ?? this.#runtime.ports.waitMs;
    const start = async (turn: Turn<ValueOf<Wanted>>): Promise<TurnResult<ValueOf<Wanted>>> => {
      this.assertOpen();
      const asker = this.#runtime.asker(turnId);
      const after = this.#host.background(this.id);
      const emit: Emit = (body, correlationId) => turn.emit(body, correlationId);
      const unlisten = options.signal && onAbort(options.signal, () => void turn.cancel());
      try {
        const end = await this.#runtime.runTurn({ turnId, origin: { kind: "input", input: accepted, attachments }, overlay, emit, signal: turn.signal, waitMs, after, asker });
        return await withValue(turnResultOf(end), overlay?.asks?.output ?? this.#runtime.wiring.asks.output);
      } finally {
        unlisten?.();
      }
    };
    return new Turn(turnId, {
      start,
      requestOf: (reason) => newCancellation(this.#runtime.ports, "turn", reason),
      record: (request) => this.#runtime.requestCancel(turnId, request),
    });
  }

  /** Runs a turn to its end: `turn(input, options).result`. */
  async run<Wanted extends Output = undefined>(input: UserInput, { onActivity, ...options }: RunOptions<Wanted> = {}): Promise<TurnResult<ValueOf<Wanted>>> {
    const turn = this.turn<Wanted>(input, options as TurnOptions<Wanted>);
    if (onActivity) {
      for await (const activity of turn) await swallow(onActivity, activity);
    }
    return turn.result;
  }

  /**
   * The committed state of this session and the cursor from which all that came after it is told, the running turn included: one
   * immutable value, at once, also while a turn runs. The same value until something is committed.
   */
  observe(): SessionObservation {
    return this.#observations.current;
  }

  /**
   * What this session has cost so far, read from the store: what its children have used is in it as soon as they have committed it,
   * also while no turn of this session runs. Nothing of a turn that has not ended.
   *
   * @throws LashError `store_backend`, `stored_row_invalid` - the store could not be read.
   */
  async usage(): Promise<SessionUsageReport> {
    this.assertOpen();
    return usageReportOf(await this.#runtime.ports.persistence.sessions.ledger(this.id));
  }

  /**
   * What has happened after a cursor, as far as it is kept; at once. Where it is not, a gap with what is committed instead:
   * whatever was shown live since the cursor is void then, and `gap.latestCursor` is where to go on.
   *
   * @param cursor - of `observe()` or of an event, also of another handle, tab or life of this one.
   * @throws LashError `live_replay` - it is no cursor, or one of another session; `cause.code` and the message say which.
   */
  resume(cursor: string): SessionResume {
    this.assertOpen();
    return this.#observations.resume(cursor);
  }

  /**
   * What happens in this session after a cursor, whoever drives it: first what is kept of it, then as it comes, nothing left out or
   * told twice. Live and best effort: what counts is committed. A reader that is slow holds up nobody; where it has missed
   * something, and where another runtime took over, it is told so by a gap, and then goes on. Ends with the session.
   *
   * Keep `event.cursor` (of a gap: `gap.latestCursor`) to go on from later. On a gap take `observation.readView` for what was shown.
   *
   * @param cursor - default: that of `observe()`, so that a turn that already runs is told from its beginning.
   * @param options.signal - ends it, too.
   * @throws LashError `live_replay` - as `resume`, at once. The iterator rejects with it, once, where the replay store fails.
   */
  subscribe(cursor?: string, { signal }: { readonly signal?: AbortSignal } = {}): AsyncIterableIterator<SubscriptionItem> {
    this.assertOpen();
    return this.#observations.subscribe(cursor, this.#until(signal));
  }

  /**
   * As `subscribe`, for those who deal with gaps themselves: a gap instead of a subscription, at once, and events alone. `next()`
   * rejects with `live_replay` where the reader was too slow (`cause.code` is `live_replay_lagged`); asked again it goes on behind that.
   */
  subscribeFrom(cursor: string): SessionSubscription {
    this.assertOpen();
    return this.#observations.subscribeFrom(cursor, this.#closed.signal);
  }

  /**
   * What happens in this session from now on, whoever drives it: this runtime or, on stores that tabs share, another tab. A
   * turn that already runs comes first, as far as it is known. Live only and lossy: a watcher that is 1000 behind misses the
   * oldest; what is committed is in `view`. Ends when the session is closed or iteration stops.
   *
   * @param options.signal - ends it, too.
   * @throws LashError `invalid_argument` - `signal` is none.
   */
  watch({ signal }: { readonly signal?: AbortSignal } = {}): AsyncIterableIterator<SessionSighting> {
    this.assertOpen();
    return sightingsOf(this.#runtime.feed, this.#until(signal));
  }

  /**
   * Sessions that do parts of this one's work. Closing one is its handle's, activating one is opening it.
   *
   * @throws LashError `missing_child_sessions` - the lash was made without `children`.
   */
  get children(): SessionChildren<Session> {
    this.assertOpen();
    const { wiring, settings, ports: { children } } = this.#runtime;
    if (!children) throw missingChildSessions();
    return {
      create: async (request = {}) => this.#host.handleOf(await children.create({ wiring, settings }, request)),
      list: () => children.list(this.id),
    };
  }

  /** What the plugins of this session can be asked for, and what they can be told to do. */
  get plugins(): SessionOperations {
    this.assertOpen();
    const asking = (kind: OperationRequest["kind"]) => (operation: OperationRequest["operation"], args?: unknown, options?: NonNullable<OperationRequest["options"]>) =>
      this.#operate({ kind, operation, ...(args !== undefined && { args }), ...(options !== undefined && { options }) });
    return { query: asking("query"), runCommand: asking("command"), runTask: asking("task") } as SessionOperations;
  }

  async #operate(request: OperationRequest): Promise<unknown> {
    this.assertOpen();
    const { plugins } = this.#runtime.wiring;
    if (!plugins) throw pluginError("plugin_operation_unknown", `session ${this.id} has no plugins`);
    return plugins.operate(request, this.#closed.signal);
  }

  /** Cancels the turns that run or wait on this handle and its clones. @returns how many. */
  cancelRunningTurns(): number {
    return this.#runtime.cancelTurns();
  }

  /**
   * Changes the settings of this session from the next turn on, and records them: when it resolves, whoever opens the session
   * next without settings of their own has these. Nothing happens where nothing changes.
   *
   * While a turn runs on this handle it resolves at once, also in one of its tools: the settings hold from the next turn on, are
   * durable with the outcome of the tool attempt that ends next, and are recorded by the turn's commit, or right after a turn that
   * ends without one. A process that dies before any of these forgets them.
   *
   * @throws LashError `invalid_argument`, `missing_model_spec` - naming what is wrong with `patch`.
   * @throws LashError `session_execution_busy` - another owner runs this session; nothing changed.
   */
  async configure(patch: SessionPatch): Promise<void> {
    this.assertOpen();
    refuseUnknown(patch, SETTINGS, "configure");
    await this.#runtime.changes.configure(patchOf(patch, this.#runtime.settings, this.#runtime.ports.retrying));
    this.#runtime.lookAgain();
  }

  /**
   * Ends all waits of this session for answers from outside that are open now as cancelled; the session stays usable, and a
   * turn that only waited for one goes on. Durable when it resolves. Later waits are not affected.
   *
   * @returns how many waits that were.
   */
  revokeDurableWaits(): Promise<number> {
    this.assertOpen();
    return this.#runtime.revokeWaits();
  }

  /**
   * The tool calls of the turn in flight that wait for approval, in call order, whoever drives it.
   *
   * @throws LashError `store_backend`, `stored_row_invalid` - the store could not be read.
   */
  pendingCalls(): Promise<readonly PendingCall[]> {
    this.assertOpen();
    return pendingCalls(this.#runtime.ports, this.id);
  }

  /**
   * Lets a call that waits run: that same call, once, whoever drives its turn and however long it has waited. Durable when it
   * resolves. The first answer counts.
   *
   * @param id - of `pendingCalls()`.
   * @param options.args - run it with these instead; the conversation keeps what the model wrote, and the result says which ran.
   * @throws LashError `invalid_argument` - an option that cannot be, or arguments that the tool does not take. Where the tool is not in
   *   this session, arguments are checked when the call runs.
   */
  approve(id: string, options: ApproveOptions = {}): Promise<AnswerOutcome> {
    this.assertOpen();
    return approveCall(this.#runtime, id, options);
  }

  /** Refuses a call that waits: it fails with `tool_denied`, class `permission_denied`, and the model is told. Otherwise as `approve`. */
  deny(id: string, options: DenyOptions = {}): Promise<AnswerOutcome> {
    this.assertOpen();
    return denyCall(this.#runtime, id, options);
  }

  /**
   * Goes back to an earlier point of the conversation: the next turn continues from there. What came after stays stored,
   * readable by node id, until the host tombstones it (design 7.3).
   *
   * @param options.at - id of the last message to keep; null keeps none.
   * @throws LashError `invalid_argument` - there is no such message on the active path.
   * @throws LashError `session_execution_busy` - another owner runs this session, or a turn runs on this handle (`details.turnId`):
   *   a tool of that turn would wait for itself. Nothing changed; ask again when it has ended.
   */
  async branch({ at }: { readonly at: string | null }): Promise<void> {
    this.assertOpen();
    await this.#runtime.changes.commit((resident) => branchTo(resident, at, async (nodeId) => (await this.historicNode(nodeId))?.parentNodeId));
  }

  /**
   * Makes a new session that starts with this one's conversation, up to and including message `at`.
   *
   * @param options.id - id of the new session; default: a fresh one.
   * @returns the id. Durable when it resolves.
   */
  async fork({ at, id = this.#host.newId() }: { readonly at?: string; readonly id?: string } = {}): Promise<string> {
    this.assertOpen();
    await this.#runtime.changes.fork(id, at);
    return id;
  }

  /**
   * Goes on in a fresh context that starts with what `compactor` makes of the conversation, such as `summarize()` of
   * `lash-runtime/compaction`. What came before stays stored, readable by node id. Durable when it resolves;
   * `readView.lastPromptUsage` tells when it is worth it.
   *
   * @param compactor - default: those of the session's plugins, by their priority; the first that makes something of it.
   * @returns false when there was nothing to make shorter; then nothing changed.
   * @throws LashError `invalid_argument` - none was given, and no plugin of the session has one.
   * @throws LashError `session_execution_busy` - a turn was committed meanwhile or runs on this handle, or another owner runs this
   *   session. Where a turn runs, `compactor` is not asked.
   * @throws LashError `provider_unconfigured`, `provider_mismatch` - as a turn would. And whatever `compactor` throws.
   */
  async compact(compactor?: Compactor, options: CompactOptions = {}): Promise<boolean> {
    this.assertOpen();
    const chosen = chosenCompactor(compactor, this.#runtime.wiring.plugins?.compactor, options);
    this.#runtime.changes.requireIdle();
    return compactSession(this.#runtime, chosen, { ...options, signal: this.#until(options.signal) });
  }

  /**
   * Shows again what models have refused. An image or a file that was in a refused request (status 400, 413 or 422) is left out of
   * later requests to that model, with a note in its place; other models are shown it. Durable when it resolves.
   *
   * @returns how many were left out.
   * @throws LashError `session_execution_busy` - as `branch`.
   */
  async retryMedia(): Promise<number> {
    this.assertOpen();
    let count = 0;
    await this.#runtime.changes.commit(({ suspects }) => {
      count = new Set(suspects.flatMap(({ parts }) => parts)).size;
      return count === 0 ? null : { components: { suspectMedia: null } };
    });
    return count;
  }

  /**
   * Begins the conversation anew in a fresh context. What came before stays stored, readable by node id.
   * Durable when it resolves.
   *
   * @throws LashError `session_execution_busy` - as `branch`. `commands.reset` waits for the turn.
   */
  async reset(): Promise<void> {
    this.assertOpen();
    const { clock, newId } = this.#runtime.ports;
    await this.#runtime.changes.commit((resident) => resetTo(resident, `${this.id}:frame:reset:${newId()}`, clock.now()) ?? {});
  }

  /** Another handle on the same runtime; `close` and `park` need the last one. */
  clone(): Session {
    this.assertOpen();
    this.#runtime.openHandle();
    const clone = new Session(this.#runtime, this.#host);
    this.#host.opened(clone);
    return clone;
  }

  /** A node of this session's history by id, also off the active path; undefined when unknown or tombstoned. */
  historicNode(nodeId: string): Promise<SessionNode | undefined> {
    return this.#runtime.ports.persistence.sessions.loadNode(this.id, nodeId);
  }

  /** Ids of nodes that no path of this session reaches any more, in storage order. */
  orphanedNodeIds(): Promise<readonly string[]> {
    return this.#runtime.ports.persistence.maintenance.orphanedNodeIds(this.id);
  }

  /**
   * Closes the session and says where it stands, for `lash.resume(parked)`. Holds nothing any more.
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

  /** Waits for running turns, then closes; never deletes. A handle with siblings is only released. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state !== "open") return;
    if (this.#runtime.releaseHandle()) return this.#left();
    await this.#runtime.drain();
    await this.close();
  }

  async #leave(event: "session.park" | "session.close"): Promise<void> {
    this.assertOpen();
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

  /** Aborted with the session, too. @throws LashError `invalid_argument` */
  #until(signal: AbortSignal | undefined): AbortSignal {
    const given = checkedSignal(signal);
    return given ? AbortSignal.any([given, this.#closed.signal]) : this.#closed.signal;
  }

  /** @internal */
  get runtime(): SessionRuntime {
    return this.#runtime;
  }

  protected override get whenClosed(): AbortSignal {
    return this.#closed.signal;
  }

  protected override background(): Promise<unknown> | undefined {
    return this.#host.background(this.id);
  }

  protected override assertOpen(): void {
    if (this.#state !== "open") throw runtimeError("session_closed", `session ${this.id} is closed; open it again with lash.openSession`, { details: { sessionId: this.id } });
  }
}

