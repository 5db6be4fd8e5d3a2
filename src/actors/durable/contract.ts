// Durable runs: what the runner asks of a machine, of a record and of executors, and what it gives them.
//
// Nothing here knows what is driven. A turn, a process attempt or a mailbox is a machine, a record and a table of executors.

import type { AnyStateMachine, EventObject, SnapshotFrom } from "xstate";
import type { JournalEntry, JournaledOutcome, MachineSnapshot } from "../../stores/contract.ts";

/** An effect that a machine asks for. */
export interface DurableRequest {
  /** 1, 2, 3.. per run. */
  readonly effectId: number;
  /** Names the effect in the journal, whichever process runs it. */
  readonly replayKey: string;
  readonly command: { readonly kind: string };
}

/** A pure XState machine, and what the runner has to know of it. */
export interface DurableMachine<Machine extends AnyStateMachine, Request extends DurableRequest> {
  readonly machine: Machine;
  readonly version: { readonly machine: string; readonly version: number };
  /** @throws LashError `machine_version_unsupported`, `stored_row_invalid`. */
  restore(stored: MachineSnapshot): SnapshotFrom<Machine>;
  /** Effects that were asked for and have no outcome: they are sent again after a restore. */
  open(snapshot: SnapshotFrom<Machine>): readonly Request[];
}

/** What a machine says to its runner. */
export type RunnerMessage<Request extends DurableRequest> =
  | { readonly type: "effect.requested"; readonly request: Request }
  | { readonly type: "effect.aborted"; readonly effectId: number }
  /** A step of the machine that nothing is recorded of: it is done again after a restore. */
  | { readonly type: "phase.requested"; readonly phase: string };

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

/** What a durable step writes. */
export interface StepDraft {
  /** Outcomes that settled since the last step. */
  readonly settled: readonly JournalEntry[];
  /** Replay keys of everything that may run once the step is durable and has no outcome. */
  readonly issued: readonly string[];
  /** State of the machine after the macrostep that asked for this step; absent where only outcomes are written. */
  readonly snapshot?: MachineSnapshot;
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
export type WaitingOn = { readonly kind: "answer"; readonly dueAtMs?: number } | { readonly kind: "time"; readonly dueAtMs: number };

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
  /** The same for an outcome that is known without doing anything: nothing is issued before it. */
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

/** By kind of effect and by phase: does it, and gives the event that tells the machine. An executor that has nothing to wait for gives it at once. */
export type Executor<Asked, Event extends EventObject, Scope> = (asked: Asked, scope: Scope) => Event | Promise<Event>;
