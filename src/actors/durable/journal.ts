// Journal of a run: outcomes by replay key, and what a durable step has named.
//
//   J1. What is recorded is answered from the record, if it is the same operation; nothing is run for it again.
//   J2. Every step names all that may run and has no outcome, begun or not: a later step never forgets what an earlier one named.
//   J3. What a process named and left without an outcome is interrupted for whoever goes on (E-27).

import { effectError } from "../../domain/errors.ts";
import { canonicalJson, type Json } from "../../domain/json.ts";
import { sha256Hex } from "../../domain/sha256.ts";
import type { JournalEntry, JournaledOutcome } from "../../stores/contract.ts";

/** An operation that has no outcome yet, or has one. */
export interface OpenEntry {
  readonly recorded: JournaledOutcome | undefined;
  readonly interrupted: boolean;
  settle(outcome: JournaledOutcome): void;
}

export interface Journal {
  /** @throws LashError `journaled_effect_replay_hash_conflict` */
  open(key: string, operation: () => object): OpenEntry;
  isRecorded(key: string): boolean;
  isInterrupted(key: string): boolean;
  isIssued(key: string): boolean;
  /** Whether an outcome waits for a step. */
  readonly hasUnsaved: boolean;
  /** Has the next step name these. */
  name(keys: readonly string[]): void;
  /** What the next step writes; counts as written from now on. */
  takeStep(): { readonly settled: readonly JournalEntry[]; readonly issued: readonly string[] };
  /** That step is durable. */
  wrote(issued: readonly string[]): void;
  /** The run has ended: nothing of it is asked for any more. */
  ended(): void;
}

/** SHA-256 of the canonical JSON of an operation. */
export const operationHash = (operation: object): string => sha256Hex(canonicalJson(operation as Json));

export class DurableJournal implements Journal {
  readonly #entries: Map<string, JournalEntry>;
  readonly #interrupted: ReadonlySet<string>;
  /** Named, and without an outcome. */
  readonly #open: Set<string>;
  readonly #issued: Set<string>;
  #unsaved: JournalEntry[] = [];

  constructor(journal: readonly JournalEntry[], issued: readonly string[]) {
    this.#entries = new Map(journal.map((entry) => [entry.replayKey, entry]));
    this.#interrupted = new Set(issued.filter((key) => !this.#entries.has(key)));
    this.#open = new Set(this.#interrupted);
    this.#issued = new Set(issued);
  }

  get hasUnsaved(): boolean {
    return this.#unsaved.length > 0;
  }

  isRecorded(key: string): boolean {
    return this.#entries.has(key);
  }

  isInterrupted(key: string): boolean {
    return this.#interrupted.has(key) && !this.#entries.has(key);
  }

  isIssued(key: string): boolean {
    return this.#issued.has(key);
  }

  open(replayKey: string, operation: () => object): OpenEntry {
    const hash = operationHash(operation());
    const recorded = this.#entries.get(replayKey);
    if (recorded && recorded.hash !== hash) throw hashConflict(replayKey);
    return {
      recorded: recorded?.outcome,
      interrupted: this.#interrupted.has(replayKey),
      settle: (outcome) => {
        const entry = { replayKey, hash, outcome };
        this.#entries.set(replayKey, entry);
        this.#open.delete(replayKey);
        this.#unsaved.push(entry);
      },
    };
  }

  name(keys: readonly string[]): void {
    for (const key of keys) if (!this.#entries.has(key)) this.#open.add(key);
  }

  takeStep(): { readonly settled: readonly JournalEntry[]; readonly issued: readonly string[] } {
    const settled = this.#unsaved;
    this.#unsaved = [];
    return { settled, issued: [...this.#open] };
  }

  wrote(issued: readonly string[]): void {
    for (const key of issued) this.#issued.add(key);
  }

  /** Its rows were deleted by the write that ended it. */
  ended(): void {}
}

const hashConflict = (replayKey: string): Error =>
  effectError(
    "journaled_effect_replay_hash_conflict",
    "a recorded effect belongs to another operation; nothing was run again. Go on with the tools and options that this was accepted with",
    { details: { replayKey } },
  );
