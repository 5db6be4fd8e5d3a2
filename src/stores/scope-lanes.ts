// Lanes of scopes: writes whose scopes meet run one after another, in the order in which they were asked for (E6); others do not
// wait for each other.

import type { Scope } from "./engine.ts";

export class ScopeLanes {
  /** By session: settles when the last write asked for is through. */
  readonly #last = new Map<string, Promise<void>>();
  /** The last write without a scope: everything after it waits for it. */
  #lastOfAll: Promise<void> | undefined;

  run<T>(scope: Scope | undefined, write: () => Promise<T>): Promise<T> {
    const before = this.#before(scope);
    const result = before.length === 0 ? write() : Promise.all(before).then(write);
    const through = result.then(nothing, nothing);
    this.#enter(scope, through);
    void through.then(() => this.#leave(scope, through));
    return result;
  }

  #before(scope: Scope | undefined): readonly Promise<void>[] {
    const all = this.#lastOfAll === undefined ? [] : [this.#lastOfAll];
    if (scope === undefined) return [...all, ...this.#last.values()];
    return [...all, ...lanesOf(scope).flatMap((lane) => this.#last.get(lane) ?? [])];
  }

  #enter(scope: Scope | undefined, through: Promise<void>): void {
    if (scope === undefined) this.#lastOfAll = through;
    else for (const lane of lanesOf(scope)) this.#last.set(lane, through);
  }

  #leave(scope: Scope | undefined, through: Promise<void>): void {
    if (scope === undefined) {
      if (this.#lastOfAll === through) this.#lastOfAll = undefined;
      return;
    }
    for (const lane of lanesOf(scope)) if (this.#last.get(lane) === through) this.#last.delete(lane);
  }
}

/** Writes that only add content meet nobody by it. */
const lanesOf = ({ sessions, content }: Scope): readonly string[] => [...sessions.map((id) => `s:${id}`), ...(content === "change" || sessions.length === 0 ? ["content"] : [])];

const nothing = (): void => undefined;
