// The life of an opened engine: calls in flight are counted, `close` waits for them, later calls are refused.

import { storeError } from "../domain/errors.ts";

export class Lifetime {
  readonly #name: string;
  #calls = 0;
  #closing: Promise<void> | null = null;
  #idle: (() => void) | null = null;

  /** @param name - of the engine, for messages. */
  constructor(name: string) {
    this.#name = name;
  }

  /** @throws LashError `store_unavailable` - the engine is closed, or on its way there. */
  enter(): void {
    if (this.#closing !== null) throw storeError("store_unavailable", `${this.#name} is closed; open it again to use it`);
    this.#calls++;
  }

  leave(): void {
    this.#calls--;
    if (this.#calls === 0) this.#idle?.();
  }

  /** Counts `call` as a call in flight. */
  during<T>(call: () => T | Promise<T>): Promise<T> {
    let given: T | Promise<T>;
    try {
      this.enter();
    } catch (error) {
      return Promise.reject(error);
    }
    const leave = (): void => this.leave();
    try {
      given = call();
    } catch (error) {
      leave();
      return Promise.reject(error);
    }
    if (given instanceof Promise) {
      given.then(leave, leave);
      return given;
    }
    leave();
    return Promise.resolve(given);
  }

  /** Runs `release` once, when no call is in flight any more; every caller gets the same promise. */
  close(release: () => void | Promise<void>): Promise<void> {
    this.#closing ??= this.#whenIdle().then(release);
    return this.#closing;
  }

  #whenIdle(): Promise<void> {
    if (this.#calls === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle = resolve;
    });
  }
}
