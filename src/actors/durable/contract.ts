// Durable runs: what the runner asks of a machine, of a record and of executors, and what it gives them.
//
// Nothing here knows what is driven. A turn, a process attempt or a mailbox is a machine, a record and a table of executors.

import type { AnyStateMachine, EventObject, SnapshotFrom } from "xstate";
import type { LashError } from "../../domain/errors.ts";
import type { JournalEntry, JournaledOutcome, MachineSnapshot } from "../../stores/contract.ts";

/** The types of one kind of run. */
export interface RunTypes {
  readonly machine: AnyStateMachine;
  /** The machine's context, for executors that look at it. */
  readonly context: object;
  readonly event: EventObject;
  readonly request: DurableRequest;
  /** What the machine says beside its requests, such as messages that it appends; JSON. */
  readonly note: EventObject;
  /** Names of the machine's phases. */
  readonly phase: string;
  /** What lets this runtime write; the runner only hands it on. */
  readonly fence: unknown;
  /** What a claim brings beside the run's own state. */
  readonly start: unknown;
  /** What every step writes beside outcomes, such as messages that were appended. */
  readonly facts: object;
  /** What an executor can ask of a step, such as a claim of what waits. */
  readonly extra: object;
  /** What such a step answers. */
  readonly brought: unknown;
  /** A recorded request to cancel. */
  readonly cancel: unknown;
  /** What the write that ends the run is made from. */
  readonly ending: unknown;
  /** Why that write was not made. */
  readonly refusal: unknown;
  readonly result: unknown;
  /** Who else has it. */
  readonly holder: unknown;
  /** What has to be done first. */
  readonly first: unknown;
}

/** An effect that a machine asks for. */
export interface DurableRequest {
  /** 1, 2, 3.. per run. */
  readonly effectId: number;
  /** Names the effect in the journal, whichever process runs it. */
  readonly replayKey: string;
  readonly command: { readonly kind: string };
}

/** A pure XState machine, and what the runner has to know of it. */
export interface DurableMachine<K extends RunTypes> {
  readonly machine: K["machine"];
  readonly version: { readonly machine: string; readonly version: number };
  /** Effects that were asked for and have no outcome: they are sent again after a restore. */
  open(snapshot: SnapshotFrom<K["machine"]>): readonly K["request"][];
  /** Tells the machine that an effect could not be run; its run goes on. */
  fault(request: K["request"], failure: { readonly code: string; readonly message: string }): K["event"];
  /** What the executor of an effect is told that its machine aborts. */
  aborted(): LashError;
  /** Tells the machine that its run is over and was not ended. */
  failed(failure: { readonly code: string; readonly message: string }): K["event"];
  /** Tells the machine that it only waits, that it does no longer, and that its run was parked. */
  readonly waits: { readonly parked: K["event"]; readonly resumed: K["event"]; readonly suspended: K["event"] };
}

/** What a machine says to its runner. Its actions send it to the actor that is registered as `RUNNER` (machines/effects.ts) in their system. */
export type RunnerMessage<K extends Pick<RunTypes, "request" | "phase">> =
  | { readonly type: "effect.requested"; readonly request: K["request"] }
  | { readonly type: "effect.aborted"; readonly effectId: number }
  /** A step of the machine that nothing is recorded of: it is done again after a restore. */
  | { readonly type: "phase.requested"; readonly phase: K["phase"] };

/** A lease that this runtime holds. It can outlive a run: commands come before it, a successor after it. */
export interface Held<Fence> {
  readonly fence: Fence;
  /** Aborts as soon as this runtime knows that the lease is gone. */
  readonly lost: AbortSignal;
  /** Before a write: renews the lease where too little of it is left. @throws LashError when it is lost. */
  ensureLive(): Promise<void>;
  /**
   * Before the write that ends a run: that write frees the lease, which a renewal beside it would take for a loss.
   * `goingOn` says that the write was refused.
   */
  ending(): void;
  goingOn(): void;
  /** `release` gives it back; `leave` lets it expire, because nobody knows what a write came to; `freed`: a write has freed it. Stops its timers. */
  letGo(how: "release" | "leave" | "freed"): Promise<void>;
}

export interface HeldClaim<K extends RunTypes> {
  readonly kind: "held";
  readonly held: Held<K["fence"]>;
  readonly start: K["start"];
  /** Of the last durable step; 0 where there is none. */
  readonly step: number;
  readonly journal: readonly JournalEntry[];
  /** Replay keys that a durable step has named and that had no outcome then. */
  readonly issued: readonly string[];
}

export type ClaimAnswer<K extends RunTypes> =
  | HeldClaim<K>
  /** It has ended before. */
  | { readonly kind: "over"; readonly result: K["result"] }
  | { readonly kind: "elsewhere"; readonly holder: K["holder"] }
  /** Something comes first: whoever asked decides, and asks again. */
  | { readonly kind: "notYet"; readonly first: K["first"] }
  /** It must not be driven as it was asked for: the run fails with this. */
  | { readonly kind: "refused"; readonly error: LashError };

/** What a durable step writes. */
export interface StepDraft<K extends RunTypes> {
  /** The stored step + 1. */
  readonly number: number;
  /** Outcomes that settled since the last step. */
  readonly settled: readonly JournalEntry[];
  /** Replay keys of everything that may run once the step is durable and has no outcome. */
  readonly issued: readonly string[];
  /** State of the machine after the macrostep that asked for this step; absent where only outcomes are written. */
  readonly snapshot?: MachineSnapshot;
  readonly facts: K["facts"];
  readonly extra: K["extra"] | undefined;
}

export type StepAnswer<K extends RunTypes> =
  | { readonly kind: "recorded"; readonly brought?: K["brought"] | undefined; readonly cancel?: K["cancel"] | undefined }
  /** It had ended, by another owner; nothing was written. */
  | { readonly kind: "over" };

export type EndAnswer<K extends RunTypes> =
  | { readonly kind: "ended"; readonly result: K["result"] }
  /** Nothing was written: the run goes on. */
  | { readonly kind: "refused"; readonly why: K["refusal"] };

/** What a parked run waits for. */
export interface ParkUntil {
  /** Ids of durable promises. Absent: something is awaited that the store hears nothing of, so that any sweep may take the run up. */
  readonly waits?: readonly string[];
  /** Epoch milliseconds of the earliest time that it waits for. */
  readonly dueAtMs?: number;
}

export type ParkAnswer<K extends RunTypes> =
  | { readonly kind: "parked" }
  /** Something that it would wait for is there, or it is to be cancelled: the lease is still held. */
  | { readonly kind: "answered"; readonly cancel?: K["cancel"] | undefined };

/** A write that is made for certain: where its answer was lost, `find` looks whether it was made and gives its answer then. */
export interface SureWrite<Answer> {
  write(): Promise<Answer>;
  find(): Promise<(() => Promise<Answer>) | undefined>;
}

/** Where a run is written. One for each kind of thing that is driven. */
export interface DurableRecord<K extends RunTypes> {
  /** Whether steps survive this process. Without it nothing is parked, and steps that ask for nothing are not made. */
  readonly isDurable: boolean;
  claim(): Promise<ClaimAnswer<K>>;
  step(fence: K["fence"], draft: StepDraft<K>): SureWrite<StepAnswer<K>>;
  /**
   * Records a step and releases the lease, in one write. It reads the awaited answers again; where one is there, only the step is
   * recorded, and whoever waits for it is told.
   */
  park(fence: K["fence"], draft: StepDraft<K>, until: ParkUntil): SureWrite<ParkAnswer<K>>;
  /** Frees the lease with it. */
  end(fence: K["fence"], ending: K["ending"]): SureWrite<EndAnswer<K>>;
}

/** How an executor's effect was run. */
export interface Attempt {
  /** A process that is gone had issued it, and its outcome was lost. */
  readonly interrupted: boolean;
}

export interface Journaled {
  readonly outcome: JournaledOutcome;
  readonly source: "run" | "journal";
}

/** Makes a write that a run may make; refuses it once the run is over. `look` finds a write whose answer was lost (sure-write.ts). */
export type RunWrite = <T>(write: () => Promise<T>, look?: () => Promise<(() => Promise<T>) | undefined>) => Promise<T>;

/** What a body waits for: an answer from outside (a durable promise) or a time. */
export type WaitingOn = { readonly kind: "answer"; /** As in `ParkUntil`. */ readonly waits?: readonly string[]; readonly dueAtMs?: number } | { readonly kind: "time"; readonly dueAtMs: number };

/**
 * What an executor gets. `cancel` asks it to end, and what it came to is recorded. `detach` says that this runtime drives the run no
 * longer: nothing more is recorded, and whoever goes on asks again.
 */
export interface RunScope<Extra = unknown, Brought = unknown> {
  readonly cancel: AbortSignal;
  readonly detach: AbortSignal;
  /** Whether the journal has an outcome under this key. */
  isRecorded(key: string): boolean;
  /** Whether a process that is gone had issued it, and its outcome was lost. */
  isInterrupted(key: string): boolean;
  /** Whether a durable step has named it. */
  isIssued(key: string): boolean;
  /** Names attempts in a durable step; when it resolves, they may run. */
  issue(keys: readonly string[]): Promise<void>;
  /** Makes everything durable that led to this effect. No write where it is. */
  settled(): Promise<void>;
  /**
   * Answers from the journal, or runs and records. The outcome becomes durable with the next step, or with the end.
   *
   * In a body, `run` begins once a durable step has named `key`. For an effect of its own, it begins once everything is durable that
   * led to it.
   *
   * @param operation - identifies what is done; asked for once, and only where something is recorded.
   * @throws LashError `journaled_effect_replay_hash_conflict` - under this key another operation is recorded.
   */
  journal(key: string, operation: () => object, run: (attempt: Attempt) => Promise<JournaledOutcome>): Promise<Journaled>;
  /** The same for an outcome that is known without acting: nothing is issued or made durable before it. */
  note(key: string, operation: () => object, outcome: () => JournaledOutcome | Promise<JournaledOutcome>): Promise<Journaled>;
  /** Makes the outcomes durable that are not. No write where there are none. */
  save(): Promise<void>;
  /** One durable step, with what the record is asked to do in it. */
  step(extra?: Extra): Promise<Brought | undefined>;
  /** Says that nothing goes on here but a wait; undefined: something does again. */
  waiting(on: WaitingOn | undefined): void;
  /** Something that can wait on its own: the run parks only once all its bodies wait. */
  body<T>(run: (scope: RunScope<Extra, Brought>) => Promise<T>): Promise<T>;
  /** A write to another facet of the store, asked for by what runs here. */
  readonly write: RunWrite;
}

/** The scope of an effect or a phase of the machine itself: it can also end the run. */
export interface EffectScope<K extends RunTypes> extends RunScope<K["extra"], K["brought"]> {
  readonly context: K["context"];
  readonly fence: K["fence"];
  /**
   * Ends the run in one write, unless that is refused.
   *
   * @param ending - asked for when nothing else can come before the write.
   */
  end(ending: () => K["ending"]): Promise<EndAnswer<K>>;
}

type RequestOf<Request extends DurableRequest, Kind> = Request & { readonly command: { readonly kind: Kind } };

/**
 * Does an effect and gives the event that tells the machine of it; undefined where the machine need not be told. One that has nothing
 * to wait for gives it at once. What it throws is a fault of the boundary: of the store, it ends the run; else the machine is told.
 */
export type Executors<K extends RunTypes> = {
  readonly [Kind in K["request"]["command"]["kind"]]: (
    request: RequestOf<K["request"], Kind> & K["request"],
    scope: EffectScope<K>,
  ) => Promise<K["event"] | undefined> | K["event"] | undefined;
};

/** Does a phase; what it throws has failed the run. */
export type Phases<K extends RunTypes> = {
  readonly [Phase in K["phase"]]: (scope: EffectScope<K>) => Promise<K["event"] | undefined> | K["event"] | undefined;
};
