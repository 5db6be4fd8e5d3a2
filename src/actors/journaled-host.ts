// Journaled host: journal, turn log and machine snapshot live in the store, one transaction per step (design 2B).

import { effectError, runtimeError } from "../domain/errors.ts";
import type { InputCollection, JournalEntry, JournaledOutcome, Persistence, TurnRecord, TurnStep } from "../stores/contract.ts";
import { type Collected, type EffectController, type EffectHost, type Executed, type Execution, type StepDraft, type TurnScope } from "./effect-host.ts";
import { envelopeHash, type Envelope } from "./envelope.ts";
import { findStep, makeStep, rowsOfClaims } from "./journaled-step.ts";

/** The default wherever the store is durable. */
export const journaled = (persistence: Persistence): EffectHost => ({
  tier: "durable",
  scoped: (scope) => new JournaledController(persistence, scope),
});

class JournaledController implements EffectController {
  readonly tier = "durable";
  readonly #persistence: Persistence;
  readonly #scope: TurnScope;
  readonly #journal: Map<string, JournalEntry>;
  /** Issued by a process that is gone; each is asked about once. */
  readonly #orphaned: ReadonlySet<string>;
  #unsaved: JournalEntry[] = [];
  #step: number;
  #lastStep: Promise<unknown> = Promise.resolve();

  constructor(persistence: Persistence, scope: TurnScope) {
    this.#persistence = persistence;
    this.#scope = scope;
    this.#journal = new Map(scope.turn.journal.map((entry) => [entry.replayKey, entry]));
    this.#orphaned = orphansOf(scope.turn);
    this.#step = scope.turn.step;
  }

  get hasUnsaved(): boolean {
    return this.#unsaved.length > 0;
  }

  has(replayKey: string): boolean {
    return this.#journal.has(replayKey);
  }

  /** Its journal was deleted by the write that ended it. */
  ended(): void {}

  async step(draft: StepDraft): Promise<void> {
    await this.#write(draft);
  }

  async collect(collection: InputCollection, draft: StepDraft): Promise<Collected | undefined> {
    const claims = this.#scope.turn.claims.filter((claim) => claim.replayKey === collection.replayKey);
    if (claims.length === 0) return this.#write(draft, collection);
    return { ...(await rowsOfClaims(this.#persistence, claims)), source: "journal" };
  }

  /** Steps are numbered, so they are written one after another. @returns what a checkpoint has claimed with its step. */
  #write(draft: StepDraft, collect?: InputCollection): Promise<Collected | undefined> {
    const written = this.#lastStep.then(() => this.#record(draft, collect));
    this.#lastStep = written.catch(() => undefined);
    return written;
  }

  async #record(draft: StepDraft, collect: InputCollection | undefined): Promise<Collected | undefined> {
    const { fence, turn, ensureLive, onCancelRequest, writes } = this.#scope;
    // What stands behind a write that failed is not written any more, and no lease is renewed for it.
    writes.assertGoingOn();
    const settled = this.#unsaved;
    this.#unsaved = [];
    await ensureLive();
    const { sessionId, turnId } = turn;
    const step: TurnStep = { ...draft, fence, turnId, step: this.#step + 1, settled, ...(collect && { collect }) };
    const made = await writes.record(() => makeStep(this.#persistence, step), () => findStep(this.#persistence, step));
    // Somebody else took this turn over and ended it; its result is asked for by its id (OP-1).
    if (made.kind === "settled") throw runtimeError("session_execution_lease_lost", `turn ${turnId} of session ${sessionId} has been ended by another owner`);
    this.#step += 1;
    if (made.cancellation) onCancelRequest(made.cancellation);
    return made.collected;
  }

  async execute(replayKey: string, envelope: () => Envelope, run: (execution: Execution) => Promise<JournaledOutcome>): Promise<Executed> {
    const { writes } = this.#scope;
    writes.assertGoingOn();
    const hash = envelopeHash(envelope());
    const recorded = this.#journal.get(replayKey);
    if (recorded) {
      if (recorded.hash !== hash) throw hashConflict(replayKey);
      return { outcome: recorded.outcome, source: "journal" };
    }
    const outcome = await run({ interrupted: this.#orphaned.has(replayKey) });
    writes.assertGoingOn();
    const entry: JournalEntry = { replayKey, hash, outcome };
    this.#journal.set(replayKey, entry);
    this.#unsaved.push(entry);
    return { outcome, source: "run" };
  }
}

function orphansOf(turn: TurnRecord): ReadonlySet<string> {
  const finished = new Set(turn.journal.map((entry) => entry.replayKey));
  return new Set(turn.issued.filter((key) => !finished.has(key)));
}

const hashConflict = (replayKey: string): Error =>
  effectError(
    "journaled_effect_replay_hash_conflict",
    "a recorded effect of this turn belongs to another operation; nothing was run again. Resume the turn with the tools and options it was accepted with",
    { details: { replayKey } },
  );
