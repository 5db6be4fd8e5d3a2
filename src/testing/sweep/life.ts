// Life: one process of a sweep. It can be killed at a write or at an effect, and one of its writes can fail.
//
//   L1. After death nothing answers any more: engine calls, model calls, tools and timers stay pending for ever, as after SIGKILL.
//   L2. A write that had committed stays; one that had not is rolled back.
//   L3. What was running outside when the process died comes to rest before the next process begins: a tool cannot be stopped in the
//       middle, so it counts as one that was a little faster.

import type { Clock } from "../../domain/clock.ts";
import { storeError } from "../../domain/errors.ts";
import type { Body, Engine, WriteTransaction } from "../../stores/engine.ts";
import { sleepOn } from "../sleep-on.ts";
import type { VirtualTime } from "../virtual-time.ts";
import type { Kill, Mark } from "./kill.ts";

export class Life {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly died: Promise<void>;
  /** What happened so far, in order. */
  readonly marks: Mark[] = [];
  readonly #kill: Kill | null;
  readonly #time: VirtualTime;
  readonly #timers = new Set<() => void>();
  readonly #counts = { write: 0, effect: 0 };
  #announce: () => void = () => {};
  #isDead = false;
  #isStruck = false;

  constructor(disk: Engine, time: VirtualTime, kill: Kill | null) {
    this.#kill = kill;
    this.#time = time;
    this.died = new Promise((resolve) => (this.#announce = resolve));
    this.engine = this.#engineOn(disk);
    this.clock = this.#clockOn(time);
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  /** Whether the kill, or the failing write, was reached. */
  get isStruck(): boolean {
    return this.#isStruck;
  }

  /** Passes an effect boundary, or dies at it. Resolves only for the living. */
  async reach(name: string): Promise<void> {
    if (this.#isDead) return never();
    const isIt = this.#count("effect", { type: "effect", name }) === "killAtEffect";
    if (isIt) this.#die();
    return isIt ? never() : undefined;
  }

  /** @returns what is to be done here, if this is the place. */
  #count(type: Mark["type"], mark: Mark): Kill["kind"] | undefined {
    this.marks.push(mark);
    const n = ++this.#counts[type];
    const kill = this.#kill;
    const isIt = kill?.n === n && (kill.kind === "killAtEffect") === (type === "effect");
    if (isIt) this.#isStruck = true;
    return isIt ? kill.kind : undefined;
  }

  #die(): void {
    this.#isDead = true;
    for (const cancel of this.#timers) cancel();
    this.#announce();
  }

  #engineOn(disk: Engine): Engine {
    const living = async <T>(call: () => Promise<T>): Promise<T> => {
      if (this.#isDead) return never();
      try {
        const result = await this.#time.outside(call());
        return this.#isDead ? await never<T>() : result;
      } catch (error) {
        if (this.#isDead) return never();
        throw error;
      }
    };
    return {
      name: disk.name,
      // What it holds outlives every process of the run.
      durable: true,
      read: (body) => living(() => disk.read(body)),
      write: (body) => living(() => this.#write(disk, body)),
      close: () => Promise.resolve(),
    };
  }

  async #write<T>(disk: Engine, body: Body<WriteTransaction, T>): Promise<T> {
    const kind = this.#count("write", { type: "write" });
    if (kind === "failWrite") throw storeError("store_unavailable", "the store failed here on purpose (crashSweep)");
    const result = await disk.write(async (tx) => {
      const given = await body(tx);
      if (this.#isDead) throw storeError("store_unavailable", "the process is dead (crashSweep)");
      return given;
    });
    if (kind === "loseAnswer") throw storeError("store_outcome_unknown", "the answer of the store was lost on purpose (crashSweep)");
    if (kind === "loseAnswerAsError") throw new Error("connection reset on purpose (crashSweep)");
    if (kind === "killAfterWrite") this.#die();
    return result;
  }

  #clockOn({ clock }: VirtualTime): Clock {
    const setTimer = (dueInMs: number, fn: () => void): (() => void) => {
      if (this.#isDead) return () => {};
      const cancel = clock.setTimer(dueInMs, () => {
        this.#timers.delete(cancel);
        fn();
      });
      this.#timers.add(cancel);
      return () => {
        this.#timers.delete(cancel);
        cancel();
      };
    };
    return { now: () => clock.now(), monotonic: () => clock.monotonic(), setTimer, sleep: sleepOn(setTimer) };
  }
}

const never = <T = never>(): Promise<T> => new Promise<T>(() => {});
