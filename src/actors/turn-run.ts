// Turn run: drives one turn machine. Collects what a macrostep asked for, has it done, reports back what became of it.
//
// Owns: the machine's actor, and how the run ends. TurnPhases does its phases, TurnEffects its effects.
//   D1. Nothing runs when it is asked for: only after the macrostep is over and, for acting effects, its step is durable.
//   D2. Nothing in memory is load-bearing: another instance with the same record finishes the turn (E-45).

import { createActor, type ActorRefFrom } from "xstate";
import type { TurnCancellation } from "../domain/cancellation.ts";
import { isOutcomeUnknown, runtimeErrorOfStore } from "../domain/error-mapping.ts";
import { LashError, runtimeError } from "../domain/errors.ts";
import { errorOfTurn } from "../domain/turn-error.ts";
import { isRefusal } from "../domain/refusal.ts";
import { addUsage } from "../domain/usage.ts";
import type { EffectRequest, EffectsMessage, PhaseName, ToolResult, TurnEvent } from "../machines/effects.ts";
import { persistSnapshot } from "../machines/snapshot.ts";
import type { TurnHook } from "../machines/turn.context.ts";
import { TURN_MACHINE, turnMachine, type TurnMachine } from "../machines/turn.machine.ts";

import type { MachineSnapshot, RecordedTurn } from "../stores/contract.ts";
import type { RestoredTurn } from "./found-turn.ts";
import type { Claimed } from "./lane-claims.ts";
import type { SessionWiring } from "./ports.ts";
import { sendFrom } from "./relay.ts";
import { suspendedError } from "./tool-completion.ts";
import type { Settled } from "./turn-effects.ts";
import { TurnLog } from "./turn-log.ts";
import { TurnPhases } from "./turn-phases.ts";
import type { TurnSession } from "./turn-session.ts";
import type { TurnRequest } from "./turn-start.ts";

export interface TurnEnd {
  readonly result: RecordedTurn;
  /** Tool calls with arguments and outputs; empty for a turn that had ended before. */
  readonly toolResults: readonly ToolResult[];
}

type TurnActor = ActorRefFrom<TurnMachine>;

export class TurnRun {
  readonly #session: TurnSession;
  readonly #request: TurnRequest;
  readonly #end = Promise.withResolvers<TurnEnd>();
  readonly #log = new TurnLog();
  readonly #phases: TurnPhases;
  #actor: TurnActor;
  /** Asked for in the macrostep that is going on. */
  #asked: EffectsMessage[] = [];
  /** A request that the machine cannot take yet. */
  #mail: TurnEvent | undefined;
  /** What the machine was last asked to wait for; whatever answers for an earlier one comes too late. */
  #awaited: PhaseName | undefined;
  #failure: LashError | undefined;

  constructor(session: TurnSession, request: TurnRequest, claim: () => Promise<Claimed>) {
    this.#session = session;
    this.#request = request;
    this.#phases = new TurnPhases({
      session,
      request,
      log: this.#log,
      claim,
      context: () => this.#actor.getSnapshot().context,
      hasFailed: () => this.#failure !== undefined,
      send: (event) => this.#send(event),
      fail: (error) => this.#fail(error),
      cancel: (asked) => this.cancel(asked),
      expire: (timeoutMs) => this.#expire(timeoutMs),
      restore: (snapshot) => this.#restore(snapshot),
    });
    this.#actor = this.#createActor();
  }

  get turnId(): string {
    return this.#request.turnId;
  }

  /** Runs to the end. Rejects where the turn could not end: busy, lease lost, store failed. */
  run(): Promise<TurnEnd> {
    const { trace } = this.#request;
    this.#actor.start();
    return trace ? trace.ending(this.#end.promise) : this.#end.promise;
  }

  /**
   * Ends the turn as cancelled. A request that comes before the turn runs waits in the mailbox until it does.
   *
   * @param request - what the result names as the reason; the first one does.
   */
  cancel(request?: TurnCancellation): void {
    this.#phases.cancel(request);
    this.#mail = { type: "turn.cancel" };
    this.#deliverMail();
  }

  /** Where it waits in the mailbox, a request to cancel takes its place. */
  #expire(timeoutMs: number): void {
    this.#mail ??= { type: "turn.expire", timeoutMs };
    this.#deliverMail();
  }

  /** Leaves the turn in flight, if all it does is wait. @returns whether it did. */
  suspend(): boolean {
    if (!this.#actor.getSnapshot().can({ type: "turn.suspend" })) return false;
    this.#phases.lane?.effects.detach();
    this.#send({ type: "turn.suspend" });
    return true;
  }

  /** Stops driving at once and records nothing more; the turn stays in flight and its lease is released. */
  abandon(): void {
    this.#fail(runtimeError("lash_closed", "the lash was closed"));
  }

  #deliverMail(): void {
    const mail = this.#mail;
    if (!mail || !this.#actor.getSnapshot().can(mail)) return;
    this.#mail = undefined;
    this.#send(mail);
  }

  /** A message of the machine to the effects actor; done when its macrostep is over (D1). */
  collect(message: EffectsMessage): void {
    this.#asked.push(message);
  }

  #createActor(snapshot?: RestoredTurn): TurnActor {
    const { ports, wiring, root } = this.#session;
    const machine = turnMachine(ports.protocol);
    const { turnId } = this.#request;
    const actor = createActor(machine, {
      id: `turn:${wiring.sessionId}:${turnId}`,
      parent: root,
      input: { sessionId: wiring.sessionId, turnId, hooks: hooksOf(wiring) },
      ...(snapshot && { snapshot }),
    });
    actor.subscribe({ next: () => this.#onMacrostep(actor), error: (error) => this.#fail(error), complete: () => this.#onDone(actor) });
    return actor;
  }

  /** Entry actions do not run again, so open effects are re-sent. */
  #restore(snapshot: RestoredTurn): void {
    const claiming = this.#actor;
    this.#actor = this.#createActor(snapshot);
    claiming.send({ type: "turn.takenUp" });
    this.#actor.start();
    // A cancel overtakes the effects that are sent again: they are told before they begin anything (T-63).
    this.#deliverMail();
    for (const request of snapshot.context.open) this.#runEffect(request, undefined);
  }

  #send(event: TurnEvent): void {
    // A turn that has failed hears no more of what was still going on for it.
    if (this.#actor.getSnapshot().status !== "active") return;
    sendFrom(this.#session.effects, this.#actor, event);
  }

  // ---- macrosteps -------------------------------------------------------------------------------------------------

  #onMacrostep(actor: TurnActor): void {
    if (actor !== this.#actor) return;
    const asked = this.#asked;
    this.#asked = [];
    for (const message of asked) {
      if (message.type === "log.appended") this.#log.append(message.messages);
      else if (message.type === "effect.aborted") this.#phases.lane?.effects.abort(message.effectId);
    }
    for (const message of asked) {
      if (message.type === "phase.requested") this.#runPhase(message.phase);
      else if (message.type === "effect.requested") this.#runEffect(message.request, persistSnapshot(TURN_MACHINE, actor.getSnapshot()));
    }
    this.#deliverMail();
  }

  #onDone(actor: TurnActor): void {
    if (actor !== this.#actor) return;
    this.#phases.end();
    const { result } = this.#phases;
    const { output, value } = actor.getSnapshot();
    if (value === "suspended") return void this.#reject(suspendedError(this.#session.wiring.sessionId, this.#request.turnId));
    if (result && output?.kind !== "failed") {
      this.#phases.freed();
      this.#end.resolve({ result, toolResults: this.#log.toolResults });
      return;
    }
    const failure = output?.kind === "failed" ? output : { code: "other", message: "the turn ended without a result" };
    const details = { sessionId: this.#session.wiring.sessionId, turnId: this.#request.turnId };
    const cause = this.#failure;
    void this.#reject(cause?.code === failure.code ? cause : runtimeError(failure.code as never, failure.message, { details, ...(cause && { cause }) }));
  }

  /** The run is over, once its lease is given back. */
  async #reject(failure: LashError): Promise<void> {
    const { wiring: { sessionId }, left } = this.#session;
    const { turnId } = this.#request;
    await this.#release(failure);
    const accepted = this.#phases.isAccepted || isOutcomeUnknown(failure);
    const leavesTurn = failure.isCode("store_commit_failed") || failure.isCode("session_execution_lease_lost");
    if (accepted && leavesTurn) left(this.#phases.lane !== undefined);
    this.#end.reject(errorOfTurn(failure, { sessionId, turnId, accepted }));
  }

  /** Other errors release the lease; after a write of unknown outcome or a loss it is left to expire. */
  #release(failure: LashError): Promise<void> {
    return this.#phases.release(failure.isCode("session_execution_lease_lost") || isOutcomeUnknown(failure));
  }

  #fail(error: unknown): void {
    // The turn is committed: what fails from here on is not the turn (PT-20).
    if (this.#awaited === "afterPersist") return this.#send({ type: "turn.persisted" });
    // The first failure is why it has failed; what comes after it follows from it.
    if (this.#failure) return;
    // OP-11: asked for again with another input is the caller's mistake, and nothing of it became durable.
    const failure = LashError.is(error) && error.isCode("runtime_turn_commit_conflict") && !this.#phases.lane ? error : runtimeErrorOfStore(error);
    this.#failure = failure;
    // What is open is cut off and not cancelled: whoever goes on with this turn goes on with it.
    this.#phases.lane?.effects.fail(failure);
    if (failure.isCode("session_execution_lease_lost")) {
      this.#session.report({ type: "lease.lost" });
      this.#send({ type: "lease.lost" });
    } else {
      const { code, message } = failure;
      // What the store holds is unknown now: the session reads it again before its next turn (S-54).
      if (this.#phases.lane && code === "store_commit_failed") this.#session.report({ type: "turn.commitFailed", code, message });
      this.#send({ type: "phase.failed", code, message });
    }
  }

  // ---- phases -----------------------------------------------------------------------------------------------------

  #runPhase(phase: PhaseName): void {
    this.#awaited = phase;
    try {
      const done = this.#phases.begin(phase);
      // A turn that was cancelled meanwhile is not failed by a hook that it no longer waits for.
      if (done instanceof Promise) done.catch((error: unknown) => this.#awaited === phase && this.#fail(error));
    } catch (error) {
      this.#fail(error);
    }
  }

  // ---- effects ----------------------------------------------------------------------------------------------------

  #runEffect(request: EffectRequest, snapshot: MachineSnapshot | undefined): void {
    this.#phases.claimed.effects.run(request, snapshot).then(
      (settled) => this.#settleEffect(request, settled),
      (error: unknown) => this.#onBoundaryFault(request, error),
    );
  }

  #settleEffect(request: EffectRequest, { outcome, source, claims = [] }: Settled): void {
    const { effectId, command } = request;
    for (const claim of claims) this.#log.recordClaim(claim);
    if (outcome.kind === "tool_batch") this.#log.recordResults(outcome.results);
    if (outcome.kind === "llm_call" || outcome.kind === "llm_failure") {
      const { call } = outcome;
      this.#log.recordCall(call);
      this.#log.recordRefusal(outcome.kind === "llm_failure" && isRefusal(outcome.failure));
      if (call.usage) {
        // The machine counts this call when it hears of it, which is after this (T-78).
        const cumulative = addUsage(this.#actor.getSnapshot().context.usage, call.usage);
        if (source === "run") this.#request.trace?.used(request, call.usage, cumulative);
        void this.#request.emit({ type: "usage", protocolIteration: command.iteration, usage: call.usage, cumulative }, `llm:${effectId}`);
      }
    }
    this.#send({ type: "effect.settled", effectId, outcome, source });
    if (outcome.kind === "checkpoint" && command.kind === "checkpoint" && outcome.messages.length > 0 && source === "run") {
      const { checkpoint } = command;
      void this.#request.emit({ type: "queued_messages_committed", checkpoint, messages: outcome.messages }, `checkpoint:${effectId}`);
    }
  }

  /** Faults of the boundary: those of the store end the run, others become an outcome of the turn. */
  #onBoundaryFault({ effectId }: EffectRequest, error: unknown): void {
    if (this.#actor.getSnapshot().status !== "active") return;
    if (!LashError.is(error) || error.family === "store" || error.isCode("session_execution_lease_lost")) return this.#fail(error);
    const { code, message } = error;
    this.#send({ type: "effect.settled", effectId, outcome: { kind: "fault", code, message }, source: "run" });
  }
}

function hooksOf({ plugins, tools, compaction }: SessionWiring): readonly TurnHook[] {
  const hooks = plugins?.hooks ?? [];
  // Tools that can change while the turn runs are looked at before each model call (T-33).
  const syncs = tools.isManaged && !hooks.includes("syncsEnvironment") ? (["syncsEnvironment"] as const) : [];
  return ["takesInput", ...hooks, ...syncs, ...(compaction?.onOverflow === true ? (["compacts"] as const) : [])];
}
