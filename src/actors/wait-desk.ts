// Wait desk: hands out keys of durable waits, resolves them, and waits for them (E-18..E-23).

import { onAbort } from "../domain/abort.ts";
import type { Clock } from "../domain/clock.ts";
import { readWaitKey, signWait, type Resolution, type ResolveOutcome, type WaitName } from "../domain/waits.ts";
import type { WaitFacet } from "../stores/upkeep-contract.ts";
import type { ChangeHub } from "./change-hub.ts";
import type { RunWrite } from "./durable/contract.ts";

export interface WaitLimits {
  /** Epoch milliseconds after which the wait is recorded as timed out; null waits for ever. */
  readonly dueAtMs: number | null;
  /** Aborting it records the wait as cancelled. */
  readonly cancel: AbortSignal;
  /** Aborting it stops waiting and records nothing: the wait goes on in another process. */
  readonly detach: AbortSignal;
  /** Told once it is sure that there is something to wait for: neither answered nor due. */
  readonly onWaiting: () => void;
  /** Makes what has to be written for the turn that waits. */
  readonly write: RunWrite;
}

export class WaitDesk {
  readonly #waits: WaitFacet;
  readonly #hub: ChangeHub;
  readonly #clock: Clock;
  readonly #makeSecret: () => string;
  readonly #onLeft: (name: WaitName, dueAtMs: number) => void;
  #secret: Promise<string> | undefined;

  /**
   * @param makeSecret - 32 random bytes as hex; used once in the life of a store.
   * @param onLeft - told of a wait that nobody waits for any more here, and when its time runs out.
   */
  constructor(waits: WaitFacet, hub: ChangeHub, clock: Clock, makeSecret: () => string, onLeft: (name: WaitName, dueAtMs: number) => void) {
    this.#waits = waits;
    this.#hub = hub;
    this.#clock = clock;
    this.#makeSecret = makeSecret;
    this.#onLeft = onLeft;
  }

  async keyFor(name: WaitName): Promise<string> {
    return signWait(name, await this.#theSecret());
  }

  /** First resolution wins; one that comes before anybody waits is kept. */
  async resolve(key: string, resolution: Resolution): Promise<ResolveOutcome & { readonly name?: WaitName }> {
    const name = readWaitKey(key, await this.#theSecret());
    if (!name) return { status: "unknown_or_revoked" };
    return { ...(await this.#record(name, resolution)), name };
  }

  /** The same for who may answer without its key. @param keyId - of the wait's name. */
  async resolveAt(sessionId: string, keyId: string, resolution: Resolution): Promise<ResolveOutcome> {
    const outcome = await this.#waits.resolve(sessionId, keyId, resolution);
    this.#hub.notify(`wait:${keyId}`);
    return outcome;
  }

  async wait(name: WaitName, { dueAtMs, cancel, detach, onWaiting, write }: WaitLimits): Promise<Resolution | "revoked"> {
    const { session_id: sessionId } = name.scope;
    await write(() => this.#waits.open(sessionId, name.key_id));
    const there = await this.#look(name);
    if (there !== undefined) return there;
    // Due while no process ran: it must not be left to the next one once more (E-27).
    if (dueAtMs !== null && dueAtMs <= this.#clock.now()) return this.#close(name, "timeout", write);
    onWaiting();
    const stop = new AbortController();
    const onStop = (): void => stop.abort(detach.reason);
    const cancelTimer = dueAtMs === null ? () => undefined : this.#clock.setTimer(dueAtMs - this.#clock.now(), onStop);
    const unlisten = [cancel, detach].map((signal) => onAbort(signal, onStop));
    try {
      return await this.#hub.until(topicOf(name), () => this.#look(name), stop.signal);
    } catch (error) {
      if (detach.aborted && dueAtMs !== null) this.#onLeft(name, dueAtMs);
      if (detach.aborted || !stop.signal.aborted) throw error;
      return await this.#close(name, cancel.aborted ? "cancelled" : "timeout", write);
    } finally {
      cancelTimer();
      for (const stopListening of unlisten) stopListening();
    }
  }

  /** Whoever waits for one of these looks at once: somebody has come across an answer. */
  look(keyIds: readonly string[]): void {
    for (const keyId of keyIds) this.#hub.notify(`wait:${keyId}`);
  }

  /** The answer, if there is one by now; nobody begins to wait for it. */
  async answerTo(name: WaitName): Promise<Resolution | undefined> {
    const found = await this.#look(name);
    return found === "revoked" ? undefined : found;
  }

  /** Resolves the waits of a session that are open now as cancelled; later ones are not affected. */
  async cancelOutstanding(sessionId: string): Promise<number> {
    const cancelled = await this.#waits.cancelOutstanding(sessionId);
    for (const keyId of cancelled) this.#hub.notify(`wait:${keyId}`);
    return cancelled.length;
  }

  /** Cancelled or due: whoever was first is what counts. */
  async #close(name: WaitName, status: "cancelled" | "timeout", write: RunWrite): Promise<Resolution | "revoked"> {
    const outcome = await write(() => this.#record(name, { status }));
    if (outcome.status === "already_resolved") return outcome.terminal;
    return outcome.status === "accepted" ? { status } : "revoked";
  }

  async #look(name: WaitName): Promise<Resolution | "revoked" | undefined> {
    const found = await this.#waits.peek(name.scope.session_id, name.key_id);
    if (found.state === "revoked") return "revoked";
    return found.state === "resolved" ? found.resolution : undefined;
  }

  #record(name: WaitName, resolution: Resolution): Promise<ResolveOutcome> {
    return this.resolveAt(name.scope.session_id, name.key_id, resolution);
  }

  #theSecret(): Promise<string> {
    this.#secret ??= this.#waits.secret(this.#makeSecret());
    this.#secret.catch(() => (this.#secret = undefined));
    return this.#secret;
  }
}

const topicOf = (name: WaitName): string => `wait:${name.key_id}`;
