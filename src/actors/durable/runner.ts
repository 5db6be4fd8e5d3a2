// Runner: makes a state machine durable without knowing what it drives. It claims the record, runs the machine as a live actor, has
// executors do what the machine asks for, and writes what came of it, step by step, to the end.
//
//   R1. A request runs only after a durable state from which it follows: the step that names it, or the recorded outcome or accepted
//       input that leads to it and to nothing else. Attempts in bodies always need to be named.
//   R2. Writes of a run go one after another, in the order in which outcomes settled; the requests of one macrostep are named by one
//       step. After a write that certainly failed the run writes nothing but the release of its lease, and what was not recorded
//       counts as issued. After one of unknown outcome it looks: found, it goes on; not found and still held, the same write once
//       more; else it ends and leaves the lease to expire.
//   R3. A write of an executor after the run is over is refused, whichever part of the store it goes to.
//   R4. Nothing parks while something runs; an end that is refused gives the lease back to the run.
//   R5. Nothing in memory is load-bearing: another process with the same record finishes the run. An event that answers for something
//       that is no longer open is dropped, by the machine's guards.

import { createActor, type AnyActor, type AnyActorRef, type AnyEventObject, type InspectionEvent, type Observer } from "xstate";
import { isOutcomeUnknown, runtimeErrorOfStore } from "../../domain/error-mapping.ts";
import { LashError, runtimeError } from "../../domain/errors.ts";
import { RUNNER } from "../../machines/effects.ts";
import type { MachineSnapshot } from "../../stores/contract.ts";
import { type ClaimAnswer, type DurableMachine, type DurableRecord, type DurableRequest, type EndAnswer, type Executors, type HeldClaim, type ParkUntil, type Phases, type RunnerMessage, type RunTypes, type StepDraft, type WaitingOn } from "./contract.ts";
import { DurableJournal, type Journal } from "./journal.ts";
import { receiver, RUN_OVER } from "./receiver.ts";
import { sendFrom } from "./relay.ts";
import { RunWrites } from "./run-writes.ts";
import { Effect, type ScopedRun } from "./scope.ts";

/** What becomes of a run that did not fail. */
export type RunEnd<K extends RunTypes> =
  | { readonly kind: "ended"; readonly result: K["result"] }
  /** It was left to whoever takes it up when what it waits for has come. */
  | { readonly kind: "parked" }
  | Exclude<ClaimAnswer<K>, { kind: "held" | "refused" }>;

export type RunState = "claiming" | "driving" | "resolving" | "parking" | "parked" | "ending" | "over";

/** What a run is driven with, once it is claimed. */
export interface Opened<K extends RunTypes> {
  /** Of the machine, where it starts from the beginning. */
  readonly input: unknown;
  /** Where it goes on. */
  readonly snapshot?: unknown;
  readonly executors: Executors<K>;
  readonly phases: Phases<K>;
  /** What the next step writes beside outcomes; it counts as written from then on. @param withState - the step also has the machine's state. */
  facts(withState: boolean): K["facts"];
}

export interface RunnerOptions<K extends RunTypes> {
  /** Of the machine's actor. */
  readonly id: string;
  readonly machine: DurableMachine<K>;
  readonly record: DurableRecord<K>;
  /** Does what has to be done before the run; it is claimed again then. Without it, the run ends as `notYet`. */
  readonly first?: (first: K["first"]) => Promise<void>;
  /** Prepares what a claimed run needs. What it throws fails the run. */
  readonly open: (claimed: HeldClaim<K>) => Promise<Opened<K>>;
  /** Where nothing of the run is durable: gives what it remembers instead. */
  readonly memory?: () => Journal;
  /** Parent of the run's actors; undefined: they are a system of their own. */
  readonly parent?: AnyActorRef;
  readonly inspect?: Observer<InspectionEvent> | ((event: InspectionEvent) => void) | undefined;
  readonly onState?: (state: RunState) => void;
  /** The machine said something beside its requests; told before what it asked for in the same macrostep is begun. */
  readonly onNote?: (note: K["note"]) => void;
  /** A step came across a request to cancel. */
  readonly onCancel?: (cancel: K["cancel"]) => void;
}

export class Runner<K extends RunTypes> implements ScopedRun<K> {
  readonly writes: RunWrites;
  readonly #options: RunnerOptions<K>;
  readonly #end = Promise.withResolvers<RunEnd<K>>();
  readonly #detach = new AbortController();
  readonly #effects = new Map<number, Effect<K>>();
  /** Aborted before they were run: a cancel overtakes the effects that a restore sends again. */
  readonly #aborted = new Set<number>();
  #state: RunState = "claiming";
  #claiming: Promise<ClaimAnswer<K> | undefined> | undefined;
  #claimed: HeldClaim<K> | undefined;
  #opened: Opened<K> | undefined;
  #journal: Journal | undefined;
  #receiver: AnyActor | undefined;
  #actor: AnyActor | undefined;
  /** Asked for in the macrostep that goes on. */
  #asked: (RunnerMessage<K> | K["note"])[] = [];
  /** Events that the machine cannot take yet. */
  readonly #mail: K["event"][] = [];
  /** The phase that the machine waits for; what comes of an earlier one comes too late. */
  #phase: Effect<K> | undefined;
  #step = 0;
  #lastStep: Promise<unknown> = Promise.resolve();
  /** Why it was not ended. */
  #failure: LashError | undefined;
  /** Recorded as ended. */
  #result: { readonly result: K["result"] } | undefined;

  constructor(options: RunnerOptions<K>) {
    this.#options = options;
    this.writes = new RunWrites({
      failed: (error) => this.fail(error),
      resolving: () => {
        const before = this.#state;
        this.#become("resolving");
        return () => {
          if (this.#state !== "resolving") return;
          this.#become(before);
          // Something may have begun or ceased to wait meanwhile.
          this.moved();
        };
      },
    });
  }

  get state(): RunState {
    return this.#state;
  }

  /** Whether it was claimed. */
  get wasClaimed(): boolean {
    return this.#claimed !== undefined;
  }

  /** Runs to the end. Rejects where the run failed: its store, its lease, its boundary. */
  run(): Promise<RunEnd<K>> {
    void this.#claim();
    return this.#end.promise;
  }

  /** Tells the machine, as soon as it can take this. */
  post(event: K["event"]): void {
    this.#mail.push(event);
    this.#deliverMail();
  }

  /** Takes back what the machine could not take yet. */
  unpost(type: K["event"]["type"]): void {
    const at = this.#mail.findIndex((event) => event.type === type);
    if (at >= 0) this.#mail.splice(at, 1);
  }

  /** Leaves the run to others, if all it does is wait. @returns whether it does; then it ends as `parked`, unless an answer comes first. */
  suspend(): boolean {
    if (this.#state !== "parked") return this.#state === "parking";
    void this.#park();
    return true;
  }

  /** Stops driving at once and records nothing more. What is open is cut off and not cancelled: whoever goes on with the run goes on with it. */
  fail(error: unknown): void {
    if (this.#result) return this.#settleEnd();
    if (this.#state === "over") return;
    const failure = runtimeErrorOfStore(error);
    this.#failure = failure;
    this.#become("over");
    this.writes.end(failure);
    this.#detach.abort(failure);
    this.#tell(this.#options.machine.failed(failure));
    void this.#reject(failure);
  }

  // ---- claiming -----------------------------------------------------------------------------------------------------

  async #claim(): Promise<void> {
    const { open, memory } = this.#options;
    try {
      this.#claiming = this.#claimAtLast();
      const claimed = await this.#claiming;
      // Over meanwhile: whoever ended it gives the lease back.
      if (this.#isOver() || !claimed) return;
      if (claimed.kind !== "held") {
        this.#become("over");
        return claimed.kind === "refused" ? this.#end.reject(claimed.error) : this.#end.resolve(claimed);
      }
      this.#claimed = claimed;
      this.#step = claimed.step;
      this.#journal = memory?.() ?? new DurableJournal(claimed.journal, claimed.issued);
      claimed.held.lost.addEventListener("abort", () => this.fail(claimed.held.lost.reason), { once: true });
      this.#opened = await open(claimed);
      if (!this.#isOver()) this.#start(this.#opened);
    } catch (error) {
      this.fail(error);
    }
  }

  /** What comes first is done, then it is claimed again. */
  async #claimAtLast(): Promise<ClaimAnswer<K> | undefined> {
    const { record, first } = this.#options;
    while (!this.#isOver()) {
      const claimed = await record.claim();
      if (claimed.kind !== "notYet" || !first) return claimed;
      if (!this.#isOver()) await first(claimed.first);
    }
    return undefined;
  }

  /** A question of its own, since it may be answered differently after every await. */
  #isOver(): boolean {
    return this.#state === "over";
  }

  #start({ input, snapshot }: Opened<K>): void {
    const { id, machine, parent, inspect } = this.#options;
    const hears: AnyActor = createActor(receiver, {
      id: `runner:${id}`,
      systemId: RUNNER,
      input: { receive: (message: AnyEventObject) => this.#asked.push(message as RunnerMessage<K> | K["note"]) },
      ...(parent ? { parent } : inspect ? { inspect } : {}),
    });
    const actor: AnyActor = createActor(machine.machine, { id, parent: parent ?? hears, input, ...(snapshot !== undefined && { snapshot }) } as never);
    this.#receiver = hears;
    this.#actor = actor;
    actor.subscribe({ next: () => this.#onMacrostep(), error: (error) => this.fail(error), complete: () => this.#onDone() });
    this.#become("driving");
    hears.start();
    actor.start();
    if (snapshot === undefined) return;
    // Entry actions do not run again.
    for (const request of machine.open(snapshot as never)) if (!this.#isOver()) this.#runEffect(request, undefined);
  }

  // ---- the machine --------------------------------------------------------------------------------------------------

  get context(): K["context"] {
    return this.#actor?.getSnapshot().context as K["context"];
  }

  get fence(): K["fence"] {
    return this.#claimed?.held.fence;
  }

  get journal(): Journal {
    if (!this.#journal) throw new LashError("runtime", "other", "the run was not claimed yet");
    return this.#journal;
  }

  get detach(): AbortSignal {
    return this.#detach.signal;
  }

  show(type: "effect.durable" | "effect.running", { effectId, command }: DurableRequest): void {
    const note: AnyEventObject = { type, effectId, kind: command.kind };
    if (this.#options.inspect) this.#receiver?.send(note);
  }

  #tell(event: K["event"]): void {
    const [actor, from] = [this.#actor, this.#receiver];
    // A machine that has ended hears no more of what was still going on for it.
    if (!actor || actor.getSnapshot().status !== "active") return;
    if (this.#options.inspect && from) sendFrom(from, actor, event);
    else actor.send(event);
  }

  #deliverMail(): void {
    for (let at = 0; at < this.#mail.length; ) {
      const event = this.#mail[at] as K["event"];
      if (!this.#actor?.getSnapshot().can(event)) at += 1;
      else {
        this.#mail.splice(at, 1);
        this.#tell(event);
      }
    }
  }

  #onMacrostep(): void {
    const asked = this.#asked;
    this.#asked = [];
    const requests: Extract<RunnerMessage<K>, { type: "effect.requested" | "phase.requested" }>[] = [];
    // What is cut off is told before anything new begins.
    for (const message of asked) {
      if (isRequest<K>(message)) requests.push(message);
      else if (message.type === "effect.aborted") this.#abort((message as Extract<RunnerMessage<K>, { type: "effect.aborted" }>).effectId);
      else this.#options.onNote?.(message as K["note"]);
    }
    for (const message of requests) {
      if (this.#isOver() && !this.#result) break;
      if (message.type === "phase.requested") this.#runPhase(message.phase);
      else this.#runEffect(message.request, this.#snapshot());
    }
    if (this.#mail.length > 0) this.#deliverMail();
  }

  #snapshot(): MachineSnapshot | undefined {
    const { record, machine } = this.#options;
    if (!record.isDurable) return undefined;
    const { value, context } = this.#actor?.getSnapshot() ?? {};
    return { ...machine.version, value, context };
  }

  #onDone(): void {
    if (this.#result) this.#settleEnd();
    else if (!this.#isOver()) this.fail(new LashError("runtime", "other", "the machine ended without a result"));
  }

  // ---- requests -----------------------------------------------------------------------------------------------------

  #runPhase(phase: K["phase"]): void {
    const scope = new Effect<K>(this, undefined, undefined);
    this.#phase = scope;
    const failed = (error: unknown): void => {
      // A machine that was cancelled meanwhile is not failed by what it no longer waits for.
      if (this.#phase === scope) this.fail(error);
    };
    try {
      const done = (this.#opened as Opened<K>).phases[phase](scope);
      if (done instanceof Promise) done.then((event) => event && this.#tell(event), failed);
      else if (done) this.#tell(done);
    } catch (error) {
      failed(error);
    }
  }

  #runEffect(request: K["request"], snapshot: MachineSnapshot | undefined): void {
    const { effectId, command } = request;
    const scope = new Effect<K>(this, request, snapshot);
    if (this.#aborted.has(effectId)) scope.abort(this.#options.machine.aborted());
    this.#effects.set(effectId, scope);
    const over = (event: K["event"] | undefined): void => {
      this.#effects.delete(effectId);
      if (event) this.#tell(event);
    };
    const faulted = (error: unknown): void => over(this.#faultOf(request, error));
    try {
      const done = (this.#opened as Opened<K>).executors[command.kind as K["request"]["command"]["kind"]](request as never, scope);
      if (done instanceof Promise) done.then(over, faulted);
      else over(done);
    } catch (error) {
      faulted(error);
    }
  }

  /** Faults of the store end the run, others are told to the machine. */
  #faultOf(request: K["request"], error: unknown): K["event"] | undefined {
    if (this.#isOver()) return undefined;
    if (LashError.is(error) && error.family !== "store" && !error.isCode("session_execution_lease_lost")) return this.#options.machine.fault(request, error);
    this.fail(error);
    return undefined;
  }

  #abort(effectId: number): void {
    this.#aborted.add(effectId);
    this.#effects.get(effectId)?.abort(this.#failure ?? this.#options.machine.aborted());
  }

  // ---- writes -------------------------------------------------------------------------------------------------------

  async step(snapshot: MachineSnapshot | undefined, extra: K["extra"] | undefined): Promise<K["brought"] | undefined> {
    this.writes.assertGoingOn();
    if (!this.#options.record.isDurable && extra === undefined) return undefined;
    // Those of the macrostep that asks, not of the moment in which the write begins.
    const facts = (this.#opened as Opened<K>).facts(snapshot !== undefined);
    const written = this.#lastStep.then(() => this.#writeStep(snapshot, facts, extra));
    this.#lastStep = written.catch(() => undefined);
    return written;
  }

  async #writeStep(snapshot: MachineSnapshot | undefined, facts: K["facts"], extra: K["extra"] | undefined): Promise<K["brought"] | undefined> {
    // What stands behind a write that failed is not written any more, and no lease is renewed for it.
    this.writes.assertGoingOn();
    const { held } = this.#claimed as HeldClaim<K>;
    const draft = this.#draft(snapshot, facts, extra);
    await held.ensureLive();
    const answer = await this.writes.record(this.#options.record.step(held.fence, draft));
    // Somebody else took it over and ended it; the result is asked for by its id (OP-1).
    if (answer.kind === "over") throw runtimeError("session_execution_lease_lost", "another owner has ended what this run drove");
    this.#step = draft.number;
    this.journal.wrote(draft.issued);
    if (answer.cancel !== undefined) this.#options.onCancel?.(answer.cancel);
    return answer.brought;
  }

  #draft(snapshot: MachineSnapshot | undefined, facts: K["facts"], extra: K["extra"] | undefined): StepDraft<K> {
    return { number: this.#step + 1, ...this.journal.takeStep(), ...(snapshot && { snapshot }), facts, extra };
  }

  async end(ending: () => K["ending"]): Promise<EndAnswer<K>> {
    const { held } = this.#claimed as HeldClaim<K>;
    await this.#lastStep;
    this.writes.assertGoingOn();
    await held.ensureLive();
    held.ending();
    this.#become("ending");
    const answer = await this.writes.record(this.#options.record.end(held.fence, ending()));
    if (answer.kind === "refused") {
      held.goingOn();
      this.#become("driving");
      return answer;
    }
    this.#result = { result: answer.result };
    this.#become("over");
    this.writes.end(runtimeError("session_execution_lease_lost", "the run has ended; nothing more is written for it"));
    this.journal.ended();
    void held.letGo("freed");
    return answer;
  }

  // ---- waiting ------------------------------------------------------------------------------------------------------

  /** What the whole run waits for; undefined while anything goes on. */
  #waits(): readonly WaitingOn[] | undefined {
    const all: WaitingOn[] = [];
    for (const effect of this.#effects.values()) {
      const { waits } = effect;
      if (!waits) return undefined;
      all.push(...waits);
    }
    // A time alone is waited for here.
    return all.some(({ kind }) => kind === "answer") ? all : undefined;
  }

  moved(): void {
    if (!this.#options.record.isDurable || (this.#state !== "driving" && this.#state !== "parked")) return;
    const state = this.#waits() ? "parked" : "driving";
    if (state === this.#state) return;
    this.#become(state);
    const { parked, resumed } = this.#options.machine.waits;
    this.#tell(state === "parked" ? parked : resumed);
  }

  /** In turn with the steps: what a body writes that wakes up meanwhile stands behind it. */
  async #park(): Promise<void> {
    const until = parkUntil(this.#waits() ?? []);
    const facts = (this.#opened as Opened<K>).facts(false);
    this.#become("parking");
    const parked = this.#lastStep.then(() => this.#writePark(facts, until));
    this.#lastStep = parked.catch(() => undefined);
    try {
      if (await parked) this.#finish(() => this.#end.resolve({ kind: "parked" }));
    } catch (error) {
      this.fail(error);
    }
  }

  /** @returns whether the run was left. */
  async #writePark(facts: K["facts"], until: ParkUntil): Promise<boolean> {
    this.writes.assertGoingOn();
    const { held } = this.#claimed as HeldClaim<K>;
    await held.ensureLive();
    held.ending();
    const draft = this.#draft(undefined, facts, undefined);
    const answer = await this.writes.record(this.#options.record.park(held.fence, draft, until));
    if (this.#isOver()) return false;
    if (answer.kind === "answered") {
      this.#step = draft.number;
      this.journal.wrote(draft.issued);
      held.goingOn();
      // Not parked again before something has moved: what waits has yet to hear of its answer.
      this.#become("driving");
      this.#tell(this.#options.machine.waits.resumed);
      if (answer.cancel !== undefined) this.#options.onCancel?.(answer.cancel);
      return false;
    }
    this.#become("over");
    this.writes.end(runtimeError("session_execution_lease_lost", "the run was left to others"));
    this.#detach.abort();
    this.#tell(this.#options.machine.waits.suspended);
    await held.letGo("freed");
    return true;
  }

  // ---- the end ------------------------------------------------------------------------------------------------------

  #settleEnd(): void {
    const { result } = this.#result as { readonly result: K["result"] };
    this.#finish(() => this.#end.resolve({ kind: "ended", result }));
  }

  async #reject(failure: LashError): Promise<void> {
    for (const effect of this.#effects.values()) effect.abort(failure);
    // One that was being claimed: nobody drives it, so nobody should have to wait for it.
    const claimed = this.#claimed ?? (await this.#claiming?.catch(() => undefined));
    if (claimed?.kind === "held") {
      this.#claimed = claimed;
      await claimed.held.letGo(failure.isCode("session_execution_lease_lost") || isOutcomeUnknown(failure) ? "leave" : "release");
    }
    this.#finish(() => this.#end.reject(failure));
  }

  #finish(settle: () => void): void {
    // One without a parent is the machine's, and still hears that it has ended.
    if (this.#options.parent) this.#receiver?.send(RUN_OVER);
    settle();
  }

  #become(state: RunState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#options.onState?.(state);
  }
}

function parkUntil(waits: readonly WaitingOn[]): ParkUntil {
  const dues = waits.flatMap(({ dueAtMs }) => (dueAtMs === undefined ? [] : [dueAtMs]));
  const answers = waits.flatMap((on) => (on.kind === "answer" ? [on.waits] : []));
  return {
    ...(!answers.includes(undefined) && { waits: answers.flatMap((ids) => ids ?? []) }),
    ...(dues.length > 0 && { dueAtMs: Math.min(...dues) }),
  };
}

const isRequest = <K extends RunTypes>(message: RunnerMessage<K> | K["note"]): message is Extract<RunnerMessage<K>, { type: "effect.requested" | "phase.requested" }> =>
  message.type === "effect.requested" || message.type === "phase.requested";
