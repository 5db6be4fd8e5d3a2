// Writes of a run: its own steps and its end, and what its executors write to other parts of the store.
//
//   W1. Once one of them has certainly failed, or the run is over for another reason, nothing more is written: not what is queued
//       behind it, and nothing of executors that still run (ME-24). Only the lease is released, which is none of these writes.
//   W2. The run hears of a failed write at once, and not when whoever asked for it gets round to it.

import { LashError } from "../../domain/errors.ts";
import type { RunWrite, SureWrite } from "./contract.ts";
import { writeSurely } from "./sure-write.ts";

export interface WritesListener {
  failed(error: unknown): void;
  /** The store could not say what a write came to: the run looks. @returns what says that it knows. */
  resolving(): () => void;
}

export class RunWrites {
  readonly #listener: WritesListener;
  #over: { readonly reason: unknown } | undefined;

  constructor(listener: WritesListener) {
    this.#listener = listener;
  }

  /** Nothing is written from here on. @param reason - what those get that try; the first one stays. */
  end(reason: unknown): void {
    this.#over ??= { reason };
  }

  /** @throws the reason why nothing is written any more. */
  assertGoingOn(): void {
    if (this.#over) throw this.#over.reason;
  }

  /** A write of the run's own record: without it the run cannot go on, whatever the reason. */
  async record<Answer>({ write, find }: SureWrite<Answer>): Promise<Answer> {
    this.assertGoingOn();
    try {
      return await writeSurely(write, async () => {
        const known = this.#listener.resolving();
        return find().finally(known);
      });
    } catch (error) {
      throw this.#failed(error);
    }
  }

  /** A write that an executor asks for. What the store could not take ends the run; what was asked wrongly does not. */
  readonly aside: RunWrite = async (write, look) => {
    this.assertGoingOn();
    try {
      return await writeSurely(write, look);
    } catch (error) {
      throw isOfStore(error) ? this.#failed(error) : error;
    }
  };

  #failed(error: unknown): unknown {
    if (!this.#over) {
      this.end(error);
      this.#listener.failed(error);
    }
    return error;
  }
}

const isOfStore = (error: unknown): boolean => !LashError.is(error) || error.family === "store";
