// A running attempt at a call, as what the tool asks for sees it: questions to a model, child sessions, waits.
//
//   CT1. An attempt that has ended asks for nothing more: what its tool still does comes too late.
//   CT2. What the store could not take is no failure of the tool, whatever the tool makes of it: its turn stays in flight (E-6).

import { effectError } from "../../../domain/errors.ts";
import { sha256Hex } from "../../../domain/sha256.ts";
import type { RunScope } from "../../durable/contract.ts";
import type { BatchInput } from "./batch-input.ts";
import type { LaunchedCall } from "./plan.ts";

export class CallingTool {
  readonly batch: BatchInput;
  readonly scope: RunScope;
  readonly call: LaunchedCall;
  /** Aborts when the turn is cancelled or the time of the attempt is over. */
  readonly signal: AbortSignal;
  readonly #cleanUps: (() => void)[] = [];
  #hasEnded = false;
  #isParked = false;
  #unsaved: Promise<void> | undefined;

  constructor(batch: BatchInput, scope: RunScope, call: LaunchedCall, signal: AbortSignal) {
    this.batch = batch;
    this.scope = scope;
    this.call = call;
    this.signal = signal;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** The same for every attempt of the call. */
  get idempotencyKey(): string {
    return sha256Hex(this.call.key);
  }

  /** @param waitFor - what the tool should have waited for. @throws LashError `durable_effects_unavailable_in_tool_attempt`. */
  assertRunning(waitFor: string): void {
    if (this.#hasEnded) throw effectError("durable_effects_unavailable_in_tool_attempt", `the tool call has ended; wait for ${waitFor} before the tool returns`);
  }

  /** Called once the attempt has ended, whatever the tool still does; at once where it has. */
  onEnd(cleanUp: () => void): void {
    if (this.#hasEnded) cleanUp();
    else this.#cleanUps.push(cleanUp);
  }

  /** Makes what is recorded durable. */
  async save(): Promise<void> {
    const saved = this.scope.save();
    saved.catch(() => {
      this.#unsaved ??= saved;
    });
    await saved;
  }

  /**
   * Says whether the attempt is blocked only on something that waits for an answer from outside. Only a call that may be run again
   * may be left in flight meanwhile (OP-8).
   */
  park(parked: boolean): void {
    if (this.call.tool.onInterrupted !== "retry" || parked === this.#isParked || this.#hasEnded) return;
    this.#isParked = parked;
    this.scope.waiting(parked ? { kind: "answer" } : undefined);
  }

  /** @throws what the store could not take for it. */
  async end(): Promise<void> {
    this.park(false);
    this.#hasEnded = true;
    for (const cleanUp of this.#cleanUps) cleanUp();
    await this.#unsaved;
  }
}
