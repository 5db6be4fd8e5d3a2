// WalSync: makes commits durable, many with one fdatasync (docs/decisions/0002-sqlite-durability.md).
//
//   W1. A sync covers the commits that finished before it started; one that finishes meanwhile waits for the next.
//   W2. At most one sync runs at a time, so commits that come in during a slow one share the one that follows.
//   W3. After a failed sync nothing can be promised any more: Linux reports a lost page once and then forgets it. Every
//       commit that waited is rejected, and so is everything later.

import { storeError } from "../../domain/errors.ts";

interface Group {
  readonly done: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class WalSync {
  readonly #name: string;
  readonly #sync: () => Promise<void>;
  #running = false;
  #next: Group | null = null;
  #failure: Error | null = null;

  /** @param sync - flushes the write-ahead log to the disk. */
  constructor(name: string, sync: () => Promise<void>) {
    this.#name = name;
    this.#sync = sync;
  }

  /** Why nothing can be written any more, or null. */
  get failure(): Error | null {
    return this.#failure;
  }

  /** Resolves when everything committed so far is on the disk. */
  flush(): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    this.#next ??= newGroup();
    const { done } = this.#next;
    if (!this.#running) void this.#run();
    return done;
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (let group = this.#take(); group !== null; group = this.#take()) {
      try {
        await this.#sync();
        group.resolve();
      } catch (cause) {
        this.#failure = storeError(
          "store_unavailable",
          `${this.#name}: the disk did not confirm a write, which may or may not survive; open the store again to go on`,
          { cause, details: { store: this.#name } },
        );
        group.reject(this.#failure);
        this.#take()?.reject(this.#failure);
      }
    }
    this.#running = false;
  }

  #take(): Group | null {
    const group = this.#next;
    this.#next = null;
    return group;
  }
}

function newGroup(): Group {
  let settle: Omit<Group, "done"> = { resolve: () => {}, reject: () => {} };
  const done = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject };
  });
  return { done, ...settle };
}
