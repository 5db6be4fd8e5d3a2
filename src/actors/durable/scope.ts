// Scopes: what an executor may do within its run.

import type { JournaledOutcome, MachineSnapshot } from "../../stores/contract.ts";
import type { Attempt, DurableRequest, EffectScope, EndAnswer, Journaled, RunScope, RunTypes, RunWrite, WaitingOn } from "./contract.ts";
import type { Journal } from "./journal.ts";
import type { RunWrites } from "./run-writes.ts";

/** The run behind its scopes. */
export interface ScopedRun<K extends RunTypes> {
  readonly journal: Journal;
  readonly writes: RunWrites;
  readonly detach: AbortSignal;
  readonly context: K["context"];
  readonly fence: K["fence"];
  step(snapshot: MachineSnapshot | undefined, extra: K["extra"] | undefined): Promise<K["brought"] | undefined>;
  end(ending: () => K["ending"]): Promise<EndAnswer<K>>;
  /** Something begins or ceases to wait, or to go on at all. */
  moved(): void;
  show(type: "effect.durable" | "effect.running", request: DurableRequest): void;
}

/** What an effect and its bodies have in common. */
abstract class Scope<K extends RunTypes> implements RunScope<K["extra"], K["brought"]> {
  readonly run: ScopedRun<K>;
  waitsFor: WaitingOn | undefined;

  constructor(run: ScopedRun<K>) {
    this.run = run;
  }

  /** Itself, or the one that it is a body of. */
  protected abstract get effect(): Effect<K>;

  /** Makes durable what has to be, before anything runs under this key. */
  protected abstract before(key: string): Promise<unknown> | undefined;

  get cancel(): AbortSignal {
    return this.effect.aborted;
  }

  get detach(): AbortSignal {
    return this.run.detach;
  }

  get write(): RunWrite {
    return this.run.writes.aside;
  }

  isRecorded(key: string): boolean {
    return this.run.journal.isRecorded(key);
  }

  isInterrupted(key: string): boolean {
    return this.run.journal.isInterrupted(key);
  }

  isIssued(key: string): boolean {
    return this.run.journal.isIssued(key);
  }

  async issue(keys: readonly string[]): Promise<void> {
    const { journal } = this.run;
    const unnamed = keys.filter((key) => !journal.isIssued(key));
    if (unnamed.length === 0 && !this.effect.isUnwritten) return;
    journal.name(unnamed);
    await this.step();
  }

  async settled(): Promise<void> {
    if (this.effect.isUnwritten && this.run.journal.hasUnsaved) await this.step();
    this.effect.show("durable");
  }

  journal(key: string, operation: () => object, run: (attempt: Attempt) => Promise<JournaledOutcome>): Promise<Journaled> {
    return this.#record(key, operation, run, () => this.before(key));
  }

  note(key: string, operation: () => object, outcome: () => JournaledOutcome | Promise<JournaledOutcome>): Promise<Journaled> {
    return this.#record(key, operation, async () => outcome(), () => undefined);
  }

  async #record(
    key: string,
    operation: () => object,
    run: (attempt: Attempt) => Promise<JournaledOutcome>,
    before: () => Promise<unknown> | undefined,
  ): Promise<Journaled> {
    const { journal, writes } = this.run;
    writes.assertGoingOn();
    const entry = journal.open(key, operation);
    if (entry.recorded) return { outcome: entry.recorded, source: "journal" };
    await before();
    this.effect.show("running");
    const outcome = await run({ interrupted: entry.interrupted });
    writes.assertGoingOn();
    entry.settle(outcome);
    return { outcome, source: "run" };
  }

  async save(): Promise<void> {
    if (this.run.journal.hasUnsaved) await this.step();
  }

  step(extra?: K["extra"]): Promise<K["brought"] | undefined> {
    return this.run.step(this.effect.takeUnwritten(), extra);
  }

  waiting(on: WaitingOn | undefined): void {
    this.waitsFor = on;
    this.run.moved();
  }

  body<T>(run: (scope: RunScope<K["extra"], K["brought"]>) => Promise<T>): Promise<T> {
    return this.effect.runBody(run);
  }
}

/** What can wait on its own. */
class Body<K extends RunTypes> extends Scope<K> {
  protected readonly effect: Effect<K>;

  constructor(effect: Effect<K>) {
    super(effect.run);
    this.effect = effect;
  }

  protected override before(key: string): Promise<unknown> {
    return this.issue([key]);
  }
}

/** An effect of the machine, or a phase. */
export class Effect<K extends RunTypes> extends Scope<K> implements EffectScope<K> {
  readonly #request: DurableRequest | undefined;
  /** State that leads to this effect, until a step has written it. */
  #unwritten: MachineSnapshot | undefined;
  #abort: AbortController | undefined;
  readonly #bodies = new Set<Body<K>>();
  /** How far it has come, as inspectors were told. */
  #shown: "asked" | "durable" | "running" = "asked";

  constructor(run: ScopedRun<K>, request: DurableRequest | undefined, snapshot: MachineSnapshot | undefined) {
    super(run);
    this.#request = request;
    this.#unwritten = snapshot;
  }

  get context(): K["context"] {
    return this.run.context;
  }

  get fence(): K["fence"] {
    return this.run.fence;
  }

  /** What it waits for; undefined while anything of it goes on. */
  get waits(): readonly WaitingOn[] | undefined {
    if (this.#bodies.size === 0) return this.waitsFor && [this.waitsFor];
    const waits: WaitingOn[] = [];
    for (const { waitsFor } of this.#bodies) {
      if (!waitsFor) return undefined;
      waits.push(waitsFor);
    }
    return waits;
  }

  get aborted(): AbortSignal {
    this.#abort ??= new AbortController();
    return this.#abort.signal;
  }

  abort(reason: Error): void {
    this.#abort ??= new AbortController();
    this.#abort.abort(reason);
  }

  get isUnwritten(): boolean {
    return this.#unwritten !== undefined;
  }

  takeUnwritten(): MachineSnapshot | undefined {
    const snapshot = this.#unwritten;
    this.#unwritten = undefined;
    return snapshot;
  }

  show(stage: "durable" | "running"): void {
    const request = this.#request;
    if (!request || this.#shown === stage || this.#shown === "running") return;
    if (this.#shown === "asked") this.run.show("effect.durable", request);
    if (stage === "running") this.run.show("effect.running", request);
    this.#shown = stage;
  }

  async runBody<T>(run: (scope: RunScope<K["extra"], K["brought"]>) => Promise<T>): Promise<T> {
    const body = new Body<K>(this);
    this.#bodies.add(body);
    this.run.moved();
    try {
      return await run(body);
    } finally {
      this.#bodies.delete(body);
      this.run.moved();
    }
  }

  end(ending: () => K["ending"]): Promise<EndAnswer<K>> {
    return this.run.end(ending);
  }

  protected override get effect(): this {
    return this;
  }

  /** Where nothing settled since the last durable state, that state leads to this effect, which needs no step of its own (R1). */
  protected override before(): Promise<unknown> | undefined {
    return this.#unwritten && this.run.journal.hasUnsaved ? this.step() : undefined;
  }
}
