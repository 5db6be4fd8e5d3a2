// Turn writes: all that a run of a turn writes, and those that do something for it: steps, the end, waits, attachments, children.
//
//   TW1. Once one of them has certainly failed, or the run is over for another reason, nothing more is written: not what is queued
//        behind it, and nothing of tools that still run (ME-24). Only the lease is released, which is none of these writes.
//   TW2. The run hears of a failed write at once, and not when whoever asked for it gets round to it.

import { LashError } from "../domain/errors.ts";
import { type Look, writeSurely } from "./sure-write.ts";

/** Makes a write that a run may make; refuses it once the run is over. */
export type WriteForTurn = <T>(write: () => Promise<T>, look?: Look<T>) => Promise<T>;

export class TurnWrites {
  readonly #onFailure: (error: unknown) => void;
  #over: { readonly reason: unknown } | undefined;

  constructor(onFailure: (error: unknown) => void) {
    this.#onFailure = onFailure;
  }

  /** Nothing is written from here on. @param reason - what those get that try; the first one stays. */
  end(reason: unknown): void {
    this.#over ??= { reason };
  }

  /** @throws the reason why nothing is written any more. */
  assertGoingOn(): void {
    if (this.#over) throw this.#over.reason;
  }

  /** A write of the turn's own record: without it the turn cannot go on, whatever the reason. */
  async record<T>(write: () => Promise<T>, look?: Look<T>): Promise<T> {
    this.assertGoingOn();
    try {
      return await writeSurely(write, look);
    } catch (error) {
      throw this.#failed(error);
    }
  }

  /** A write of something that a tool asks for. What the store could not take ends the run; what the tool asked wrongly does not. */
  readonly forTool: WriteForTurn = async (write, look) => {
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
      this.#onFailure(error);
    }
    return error;
  }
}

const isOfStore = (error: unknown): boolean => !LashError.is(error) || error.family === "store";
