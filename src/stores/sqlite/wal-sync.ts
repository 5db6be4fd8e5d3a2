// WalSync: makes commits durable, many with one fdatasync (docs/decisions/0002-sqlite-durability.md).
//
//   W1. A sync covers the commits that finished before it started; one that finishes meanwhile waits for the next.
//   W2. At most one sync runs at a time, so commits that come in during a slow one share the one that follows.
//   W3. A commit that nobody could share with may be synced in place, if the disk is fast (SyncPace).
//   W4. After a failed sync nothing can be promised any more: Linux reports a lost page once and then forgets it. Every
//       commit that waited is rejected, and so is everything later.

import { storeError } from "../../domain/errors.ts";
import { SyncPace } from "./sync-pace.ts";

/** Flushing the write-ahead log to the disk, and a clock in milliseconds. */
export interface LogDisk {
  sync(): Promise<void>;
  /** Returns when the log is on the disk, blocking the event loop. */
  syncInPlace(): void;
  now(): number;
}

interface Group {
  readonly done: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class WalSync {
  readonly #name: string;
  readonly #disk: LogDisk;
  readonly #pace = new SyncPace();
  #running = false;
  #next: Group | null = null;
  #failure: Error | null = null;

  constructor(name: string, disk: LogDisk) {
    this.#name = name;
    this.#disk = disk;
  }

  /** Why nothing can be written any more, or null (W4). */
  get failure(): Error | null {
    return this.#failure;
  }

  /**
   * Resolves when everything committed so far is on the disk.
   *
   * @param alone - no other commit is about to come that could share the sync.
   * @returns undefined where it is there already.
   */
  flush(alone: boolean): Promise<void> | undefined {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (alone && !this.#running && this.#pace.isTrusted) {
      this.#runInPlace();
      return undefined;
    }
    this.#next ??= newGroup();
    const { done } = this.#next;
    if (!this.#running) void this.#run();
    return done;
  }

  #runInPlace(): void {
    const start = this.#disk.now();
    try {
      this.#disk.syncInPlace();
    } catch (cause) {
      throw this.#fail(cause);
    }
    this.#pace.note(this.#disk.now() - start, true);
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (let group = this.#take(); group !== null; group = this.#take()) {
      const start = this.#disk.now();
      try {
        await this.#disk.sync();
        group.resolve();
      } catch (cause) {
        const failure = this.#fail(cause);
        group.reject(failure);
        this.#take()?.reject(failure);
      }
      this.#pace.note(this.#disk.now() - start, false);
    }
    this.#running = false;
  }

  #take(): Group | null {
    const group = this.#next;
    this.#next = null;
    return group;
  }

  #fail(cause: unknown): Error {
    this.#failure = storeError(
      "store_unavailable",
      `${this.#name}: the disk did not confirm a write, which may or may not survive; open the store again to go on`,
      { cause, details: { store: this.#name, unsynced: true } },
    );
    return this.#failure;
  }
}

function newGroup(): Group {
  let settle: Omit<Group, "done"> = { resolve: () => {}, reject: () => {} };
  const done = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject };
  });
  return { done, ...settle };
}
