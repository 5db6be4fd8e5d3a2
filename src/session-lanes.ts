// What a session is told for turns to come: inputs, queued work, session commands, and the drains that run them (facade.md
// section 5). The part of a session handle that needs no lease of its own.

import type { SessionRuntime } from "./actors/session-runtime.ts";
import { checkedSignal } from "./domain/abort.ts";
import { checkedId } from "./domain/id-rules.ts";
import { invalidArgument, refuseUnknown } from "./domain/invalid-argument.ts";
import type { UserInput } from "./domain/turn-input.ts";
import { checkedIds, checkedTarget, checkedTargets, parseWaiting, submittedIngress, type EnqueueOptions } from "./enqueue.ts";
import type * as QueuedWork from "./queued-work.ts";
import type { TurnInputPolicies } from "./queued-work.ts";
import type { CommandReceipt } from "./actors/work-lane.ts";
import type { CancelOutcome, CancelTarget, PendingTurnInput, QueuedBatch, SuffixCancelOutcome } from "./stores/ingress-contract.ts";
import { emitTo } from "./swallow.ts";
import type { QueuedTurnOptions } from "./turn-options.ts";
import { turnResultOf, type TurnResult } from "./turn-result.ts";

/**
 * Changes of a session that wait their turn in its queue, each a commit of its own. Durable when it resolves; applied
 * before the session's next turn, or by `queuedTurn()`.
 *
 * `key` makes a command repeatable: submitted again under it, the command is the one that is queued, and a reset that was done
 * is not done once more. `reason` is kept with it; at most 4 KiB.
 *
 * Both throw LashError `session_command_idempotency_key` (a blank key), `invalid_argument`, `store_commit_failed`.
 */
export interface SessionCommands {
  /** Reads the sources of the session's tools again. */
  refreshToolCatalog(reason: string, key: string): Promise<CommandReceipt>;
  /** Begins the conversation anew in a fresh context, as `session.reset()` does at once. */
  reset(reason: string, key: string): Promise<CommandReceipt>;
}

export abstract class SessionLanes {
  readonly commands: SessionCommands;
  readonly #runtime: SessionRuntime;

  constructor(runtime: SessionRuntime) {
    this.#runtime = runtime;
    this.commands = {
      refreshToolCatalog: async (reason, key) => (await this.#work()).submitCommand(runtime, "refresh_tool_catalog", reason, key),
      reset: async (reason, key) => (await this.#work()).submitCommand(runtime, "reset_session", reason, key),
    };
  }

  /** Aborted when the handle is closed. */
  protected abstract readonly whenClosed: AbortSignal;
  /** A turn of this session that the lash itself is finishing; others wait for it. */
  protected abstract background(): Promise<unknown> | undefined;
  /** @throws LashError `session_closed` */
  protected abstract assertOpen(): void;

  /**
   * Leaves an input to a turn: the next one, or one that runs. Needs no lease, so it works while any handle or process runs the
   * session. Durable when it resolves, images included; a turn that takes it commits it once, in its place (FA-35, design 7.4).
   *
   * @returns the input as it waits; with an `id` that was used before, that input in its present state.
   * @throws LashError `invalid_argument` - naming the field that is wrong, images that no model reads among them.
   * @throws LashError `store_commit_failed` - the store failed, or `id` was used with other content
   *   (`details.causeCode`: `pending_turn_input_source_key_conflict`). `details.accepted` is false where the input does not wait:
   *   then the same call may be made again (`isRetryable`). Where the store cannot say, it is true; look at `pendingTurnInputs()`.
   */
  async enqueue(input: UserInput, options: EnqueueOptions = {}): Promise<PendingTurnInput> {
    this.assertOpen();
    const ingress = submittedIngress(options);
    const { id } = options;
    return this.#runtime.inputs.enqueue({ input: parseWaiting(input, this.#runtime.ports.limits), ingress, ...(id !== undefined && { sourceKey: `host:${checkedId(id, "id")}` }) });
  }

  /** Tells the running turn something as soon as its tools are done. Otherwise as `enqueue`; ids are counted apart. */
  async inject(input: UserInput, { id }: { readonly id?: string } = {}): Promise<PendingTurnInput> {
    this.assertOpen();
    const ingress = { scope: "active_turn", minBoundary: "after_work" } as const;
    return this.#runtime.inputs.enqueue({ input: parseWaiting(input, this.#runtime.ports.limits), ingress, ...(id !== undefined && { sourceKey: `injection:${checkedId(id, "id")}` }) });
  }

  /**
   * Runs what waits as one turn. Session commands that were queued before all inputs are applied first; then come the
   * inputs for the next turn, at most 64, in the order in which they were enqueued; where there are none, the next group of
   * queued work. From its acceptance on it is a turn like any other, finished by `recover()` if this process dies.
   *
   * Errors name the turn as those of `turn().result` do; one that was accepted is asked for with `drainId: error.askAgain.turnId`.
   *
   * @returns undefined where nothing but commands waits, or another owner runs the session: then no turn was run.
   * @throws LashError `session_execution_busy` - another turn runs on this handle, or whoever asks is a tool or a hook of one: a drain
   *   does not wait for it. `details.turnId` names it; nothing was taken.
   * @throws LashError `session_command_claim`, `session_command_refresh`, `session_command_refresh_tools` - a command failed and
   *   stays queued.
   */
  async queuedTurn(options: QueuedTurnOptions = {}): Promise<TurnResult | undefined> {
    this.assertOpen();
    refuseUnknown(options, ["drainId", "batchIds", "signal", "onActivity"], "queued turn options");
    const { drainId, batchIds, onActivity } = options;
    const signal = checkedSignal(options.signal) ?? new AbortController().signal;
    if (onActivity !== undefined && typeof onActivity !== "function") throw invalidArgument("onActivity", "a function");
    if (drainId !== undefined) checkedId(drainId, "drainId");
    if (batchIds !== undefined) checkedIds(batchIds, "batchIds");
    const asker = this.#runtime.asker(drainId ?? batchIds?.[0], true);
    if (this.#runtime.runs.awaitsOwner) return undefined;
    this.#runtime.changes.requireIdle(drainId ?? batchIds?.[0]);
    await this.background();
    this.assertOpen();
    const end = await this.#runtime.runQueued({ asker, emitFor: (turnId) => emitTo(turnId, onActivity), signal, ...(drainId !== undefined && { drainId }), ...(batchIds && { batchIds }) });
    return end && turnResultOf(end);
  }

  /** Inputs that wait and that no turn has taken, in order. */
  pendingTurnInputs(): Promise<readonly PendingTurnInput[]> {
    this.assertOpen();
    return this.#runtime.inputs.pending();
  }

  /** Takes back an input that no turn has taken; the outcome says what became of it. Durable when it resolves. */
  async cancelTurnInput(target: CancelTarget): Promise<CancelOutcome> {
    const [outcome = { outcome: "not_found" as const }] = await this.cancelTurnInputs([target]);
    return outcome;
  }

  /** The same for several at once, all or nothing; one outcome per target, in order. */
  async cancelTurnInputs(targets: readonly CancelTarget[]): Promise<readonly CancelOutcome[]> {
    this.assertOpen();
    return this.#runtime.inputs.cancel(checkedTargets(targets));
  }

  /** The same for an input, in whatever state it is, and all that were enqueued after it. */
  async cancelTurnInputsFrom(anchor: CancelTarget): Promise<SuffixCancelOutcome> {
    this.assertOpen();
    return this.#runtime.inputs.cancelFrom(checkedTarget(anchor, "anchor"));
  }

  /**
   * Queued work of this session in its order: wakes of processes, session commands, input of `enqueueTurnInput`.
   *
   * @param options.all - also what a turn or a drain has taken. Default: only what could still be taken back.
   */
  async queuedWork(options: { readonly all?: boolean } = {}): Promise<readonly QueuedBatch[]> {
    return (await this.#work()).listWork(this.#runtime, options);
  }

  /**
   * Leaves an input to the session as queued work, behind what is queued already. Needs no lease. Durable when it
   * resolves, images included.
   *
   * @returns the batch as it waits; with a `sourceKey` that is queued already, that one.
   * @throws LashError `invalid_argument`, `store_commit_failed`.
   */
  async enqueueTurnInput(input: UserInput, policies: TurnInputPolicies): Promise<QueuedBatch> {
    return (await this.#work()).enqueueTurnInput(this.#runtime, input, policies);
  }

  /** Takes back a batch that nothing has taken. Durable when it resolves. @returns it; undefined where there is no such batch, or a turn or drain has it. */
  async cancelQueuedWork(batchId: string): Promise<QueuedBatch | undefined> {
    return (await this.#work()).cancelWork(this.#runtime, batchId);
  }

  /**
   * Resolves when a batch is gone: done, or taken back. At once for an unknown one; there is no deadline.
   *
   * @param options.signal - aborting it gives the waiting up with its reason.
   * @throws LashError `session_closed` - the session was closed meanwhile; `store_commit_failed`.
   */
  async awaitQueuedWorkBatch(batchId: string, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return (await this.#work()).awaitWork(this.#runtime, batchId, options, this.whenClosed);
  }

  #work(): Promise<typeof QueuedWork> {
    this.assertOpen();
    return import("./queued-work.ts");
  }
}
