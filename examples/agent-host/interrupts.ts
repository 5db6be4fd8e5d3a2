// Ctrl-C: the first one cancels the turn, a second one leaves. Without a turn, the second one within a moment leaves.

import type { Interface } from "node:readline";

const MOMENT_MS = 2000;

export class Interrupts {
  readonly #armed: (isBusy: boolean) => void;
  readonly #leave: () => void;
  #running: AbortController | undefined;
  #lastMs = 0;

  constructor(terminal: Interface, { armed, leave }: { readonly armed: (isBusy: boolean) => void; readonly leave: () => void }) {
    this.#armed = armed;
    this.#leave = leave;
    // On a terminal readline takes Ctrl-C for itself; elsewhere it comes as a signal.
    terminal.on("SIGINT", () => this.#onInterrupt());
    process.on("SIGINT", () => this.#onInterrupt());
  }

  /** A turn begins; its signal aborts at the first Ctrl-C. */
  begin(): AbortController {
    this.#running = new AbortController();
    return this.#running;
  }

  end(): void {
    this.#running = undefined;
    this.#lastMs = 0;
  }

  #onInterrupt(): void {
    const now = Date.now();
    const isSecond = this.#running ? this.#running.signal.aborted : now - this.#lastMs < MOMENT_MS;
    if (isSecond) return this.#leave();
    this.#lastMs = now;
    this.#armed(this.#running !== undefined);
    this.#running?.abort();
  }
}
