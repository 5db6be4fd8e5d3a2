// Journal of runs that nothing durable is written of.
//
//   MJ1. As long as a run has not ended, this process remembers what its effects came to, so that a run whose store failed in the
//        middle can be taken up here: what has finished is not done again, what was cut off is interrupted (ME-24).

import type { JournaledOutcome } from "../../stores/contract.ts";
import { type Journal, type OpenEntry, operationHash } from "./journal.ts";

interface Remembered {
  readonly operation: () => object;
  readonly outcome?: JournaledOutcome;
}

type Memory = Map<string, Remembered>;

/** The runs of one runtime, by name. */
export class MemoryJournals {
  readonly #runs = new Map<string, Memory>();

  of(run: string): Journal {
    const memory: Memory = this.#runs.get(run) ?? new Map<string, Remembered>();
    this.#runs.set(run, memory);
    return new MemoryJournal(memory, () => this.#runs.delete(run));
  }
}

class MemoryJournal implements Journal {
  readonly hasUnsaved = false;
  readonly ended: () => void;
  readonly #memory: Memory;
  /** Of an earlier run. */
  readonly #before: ReadonlyMap<string, Remembered>;

  constructor(memory: Memory, ended: () => void) {
    this.#memory = memory;
    this.#before = memory.size === 0 ? NOTHING : new Map(memory);
    this.ended = ended;
  }

  isRecorded(key: string): boolean {
    return this.#memory.get(key)?.outcome !== undefined;
  }

  /** Nobody was told of it by a durable step; `open` finds out whether it is the same operation. */
  isInterrupted(): boolean {
    return false;
  }

  /** There is no step to wait for. */
  isIssued(): boolean {
    return true;
  }

  open(key: string, operation: () => object): OpenEntry {
    const known = this.#before.get(key);
    // Input that came since the earlier run makes another operation of it.
    const before = known && operationHash(known.operation()) === operationHash(operation()) ? known : undefined;
    if (!before?.outcome) this.#memory.set(key, { operation });
    return {
      recorded: before?.outcome,
      interrupted: before !== undefined,
      settle: (outcome) => this.#memory.set(key, { operation, outcome }),
    };
  }

  name(): void {}

  takeStep(): { readonly settled: []; readonly issued: [] } {
    return { settled: [], issued: [] };
  }

  wrote(): void {}
}

const NOTHING: ReadonlyMap<string, Remembered> = new Map();
