// A process that a test can kill at any boundary it passes: everything it would have done afterwards does not happen.
//
//   K1. Boundaries are numbered in the order in which they are passed; a rehearsal lists them, then each is a point to die at.
//   K2. After death nothing answers any more: engine calls, model calls and tools stay pending for ever, as after SIGKILL.
//   K3. What the engine had committed stays, what it had not is rolled back (faulty-engine.ts, F2).

import type { Inspect } from "../../src/actors/ports.ts";
import type { Provider } from "../../src/providers/contract.ts";
import type { AttachmentHome } from "../../src/stores/attachment-home.ts";
import type { LeaseOwner } from "../../src/stores/contract.ts";
import type { Engine, WriteTransaction } from "../../src/stores/engine.ts";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import { type CrashPoint, type EngineCall, faultyEngine } from "../../src/testing/faulty-engine.ts";
import { manualClock } from "../../src/testing/manual-clock.ts";

export type DeathPoint =
  | { readonly kind: "engine"; readonly crash: CrashPoint }
  /** At the n-th boundary of that channel, counted from 1. */
  | { readonly kind: "boundary"; readonly channel: Channel; readonly nth: number }
  | { readonly kind: "never" };

/** `effect`: model calls, tools and calls of a home of bytes, as they begin and end. `message`: what reaches the effects actor. */
export type Channel = "effect" | "message";

/** Who wrote a lease, by incarnation. */
const writers = new Map<string, Mortal>();

/** Proof that a process which a test killed is gone, as an operating system gives it. */
export const isKilled = ({ incarnationId }: LeaseOwner): boolean => buried.has(incarnationId) || writers.get(incarnationId)?.isDead === true;

const buried = new Set<string>();

/** From now on whoever holds the lease of a session, if somebody does, counts as proved dead. */
export async function bury(engine: Engine, sessionId = "s"): Promise<void> {
  const lease = await createPersistence(engine, { clock: manualClock() }).leases.current(sessionId);
  if (lease) buried.add(lease.owner.incarnationId);
}

export class Mortal {
  readonly engine: Engine;
  readonly passed: Readonly<Record<Channel, string[]>> = { effect: [], message: [] };
  readonly died: Promise<void>;
  readonly #faulty: ReturnType<typeof faultyEngine>;
  readonly #death: DeathPoint;
  #announce: () => void = () => {};
  #killed = false;

  constructor(disk: Engine, death: DeathPoint = { kind: "never" }) {
    this.#death = death;
    this.#faulty = faultyEngine(disk, death.kind === "engine" ? death.crash : undefined);
    this.engine = this.#mortal(this.#faulty);
    const killed = new Promise<void>((resolve) => (this.#announce = resolve));
    this.died = Promise.race([killed, this.#faulty.crashed]);
  }

  get isDead(): boolean {
    return this.#killed || this.#faulty.isCrashed;
  }

  get engineCalls(): readonly EngineCall[] {
    return this.#faulty.calls;
  }

  kill(): void {
    this.#killed = true;
    this.#announce();
  }

  /** Passes a boundary, or dies at it. Resolves only for the living. */
  reach(channel: Channel, name: string): Promise<void> {
    this.mark(channel, name);
    return this.isDead ? never() : Promise.resolve();
  }

  mark(channel: Channel, name: string): void {
    if (this.isDead) return;
    const nth = this.passed[channel].push(name);
    if (this.#death.kind === "boundary" && this.#death.channel === channel && this.#death.nth === nth) this.kill();
  }

  /** Counts what reaches the effects actor of any session. */
  readonly inspect: Inspect = (event) => {
    if (event.type === "@xstate.event" && "id" in event.actorRef && String(event.actorRef.id).startsWith("runner:")) this.mark("message", event.event.type);
  };

  /** A home of attachment bytes that this process uses; each call is a boundary before and after it. */
  home(inner: AttachmentHome): AttachmentHome {
    const passing = async <T>(name: string, call: () => Promise<T>): Promise<T> => {
      await this.reach("effect", `${name} begins`);
      const given = await call();
      await this.reach("effect", `${name} ends`);
      return given;
    };
    return {
      name: inner.name,
      durable: inner.durable,
      put: (key, bytes) => passing("put", () => inner.put(key, bytes)),
      get: (key) => passing("get", () => inner.get(key)),
      delete: (key) => passing("delete", () => inner.delete(key)),
    };
  }

  provider(inner: Provider, onCall: (index: number) => void): Provider {
    let calls = 0;
    return {
      ...inner,
      complete: async (request, call) => {
        const index = ++calls;
        await this.reach("effect", `model ${index} begins`);
        onCall(index);
        const response = await inner.complete(request, call);
        await this.reach("effect", `model ${index} ends`);
        return response;
      },
    };
  }

  #mortal(engine: Engine): Engine {
    const living = async <T>(call: () => Promise<T>): Promise<T> => {
      if (this.isDead) return never();
      try {
        const result = await call();
        return this.isDead ? await never<T>() : result;
      } catch (error) {
        if (this.isDead) return never();
        throw error;
      }
    };
    return {
      name: engine.name,
      durable: engine.durable,
      read: (body) => living(() => engine.read(body)),
      write: (body) => living(() => engine.write((tx) => body(this.#signing(tx)))),
      close: () => engine.close(),
    };
  }

  /** Notes under which incarnations this process holds leases. */
  #signing(tx: WriteTransaction): WriteTransaction {
    return {
      ...tx,
      get: (key) => tx.get(key),
      range: (...asked) => tx.range(...asked),
      delete: (key) => tx.delete(key),
      set: (key, value) => {
        const { holder } = key.at(-1) === "lease" ? (value as { readonly holder?: { readonly owner: LeaseOwner } }) : {};
        if (holder) writers.set(holder.owner.incarnationId, this);
        tx.set(key, value);
      },
    };
  }
}

const never = <T = never>(): Promise<T> => new Promise<T>(() => {});
