// Change hub: tells who waits for a row that somebody may have written it. A notice is a hint, the row is the truth (OP-9).

import type { Clock } from "../domain/clock.ts";
import type { Topics } from "../stores/engine.ts";
import type { PeerChannel } from "../stores/store.ts";
import { asJson, readPeerMessage } from "./peer-message.ts";

const FIRST_LOOK_MS = 25;
const LAST_LOOK_MS = 1000;

export class ChangeHub {
  readonly #clock: Clock;
  readonly #peers: PeerChannel | undefined;
  readonly #topics: Topics | undefined;
  readonly #unlisten: (() => void) | undefined;
  readonly #waiting = new Map<string, Set<() => void>>();

  /** @param peers - tabs hear of each other's writes at once, as processes do whose store carries notices; others find them by looking. */
  constructor(clock: Clock, peers?: PeerChannel, topics?: Topics) {
    this.#clock = clock;
    this.#peers = peers;
    this.#topics = topics;
    this.#unlisten = topics?.listen((topic) => this.#wake(topic));
    peers?.listen((data) => {
      const message = readPeerMessage(data);
      if (message?.type === "changed") this.#wake(message.topic);
    });
  }

  notify(topic: string): void {
    this.#wake(topic);
    this.#peers?.post(asJson({ lash: 1, type: "changed", topic }));
    this.#topics?.post(topic, null);
  }

  /** Hears of nothing any more. */
  close(): void {
    this.#unlisten?.();
  }

  #wake(topic: string): void {
    for (const wake of this.#waiting.get(topic) ?? []) wake();
  }

  /** Calls `wake` after every notice of the topic. @returns what takes it back. */
  listen(topic: string, wake: () => void): () => void {
    const listeners = this.#waiting.get(topic) ?? new Set();
    this.#waiting.set(topic, listeners.add(wake));
    return () => {
      listeners.delete(wake);
      if (listeners.size === 0 && this.#waiting.get(topic) === listeners) this.#waiting.delete(topic);
    };
  }

  /**
   * Looks again and again until `look` finds something: at once after a notice in this process or another tab, and every 25 ms doubling
   * to 1 s for what other processes write.
   *
   * @param longestPauseMs - between two looks, where that is not 1 s.
   * @throws the signal's reason when it aborts.
   */
  async until<T>(topic: string, look: () => Promise<T | undefined>, signal: AbortSignal, longestPauseMs = LAST_LOOK_MS): Promise<T> {
    for (let pause = FIRST_LOOK_MS; ; pause = Math.min(pause * 2, longestPauseMs)) {
      // Listening starts before looking, so that what is written in between is not missed.
      const change = this.#change(topic, pause, signal);
      const found = await look();
      if (found !== undefined) {
        change.stop();
        return found;
      }
      await change.promise;
      signal.throwIfAborted();
    }
  }

  #change(topic: string, pause: number, signal: AbortSignal): { readonly promise: Promise<void>; readonly stop: () => void } {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancelTimer = this.#clock.setTimer(pause, () => stop());
    const stop = (): void => {
      cancelTimer();
      signal.removeEventListener("abort", stop);
      unlisten();
      resolve();
    };
    const unlisten = this.listen(topic, stop);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
    return { promise, stop };
  }
}
