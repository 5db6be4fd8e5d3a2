// An engine from what its author has written: what a storage knows of itself beyond reading and writing, or what stands for it.

import type { Body, DefinedEngine, Engine, ReadTransaction, Scope, Topics, WriteTransaction } from "./engine.ts";
import { Lifetime } from "./lifetime.ts";
import { opaqueLiveness, type Liveness } from "./liveness.ts";
import { ScopeLanes } from "./scope-lanes.ts";

/** What a storage knows of itself. Whatever is left out is filled in. */
export interface EngineFacts {
  /**
   * `lanes`: writes whose scopes meet are handed over one after another, in the order in which they were asked for, so that a
   * storage with many connections keeps E6 and no connection waits for a lock of its own process. Default: handed over at once.
   */
  readonly scope?: "lanes";
  /** Time of the storage in epoch milliseconds, as last heard of. Default: it has none of its own. */
  readonly now?: () => number | undefined;
  /** Default: nobody is told, and whoever waits looks again. */
  readonly topics?: Topics;
  /** Default: nothing is known, and leases have to expire. */
  readonly liveness?: Liveness;
  /** Default: does nothing. */
  readonly erase?: () => Promise<void>;
}

/** Makes a whole engine of what was written for a storage. */
export function defineEngine(core: Engine, facts: EngineFacts = {}): DefinedEngine {
  return new WholeEngine(core, facts);
}

/** The engine itself where it is whole. */
export const wholeEngine = (engine: Engine): DefinedEngine => (isDefined(engine) ? engine : defineEngine(engine));

const isDefined = (engine: Engine): engine is DefinedEngine => "topics" in engine && "liveness" in engine && "erase" in engine && "now" in engine;

class WholeEngine implements DefinedEngine {
  readonly name: string;
  readonly durable: boolean;
  readonly topics: Topics;
  readonly liveness: Liveness;
  readonly #core: Engine;
  readonly #facts: EngineFacts;
  readonly #lanes: ScopeLanes | undefined;
  readonly #lifetime: Lifetime;

  constructor(core: Engine, facts: EngineFacts) {
    this.name = core.name;
    this.durable = core.durable;
    this.topics = facts.topics ?? silentTopics;
    this.liveness = facts.liveness ?? opaqueLiveness;
    this.#core = core;
    this.#facts = facts;
    this.#lanes = facts.scope === "lanes" ? new ScopeLanes() : undefined;
    this.#lifetime = new Lifetime(core.name);
  }

  read<T>(body: Body<ReadTransaction, T>): Promise<T> {
    return this.#core.read(body);
  }

  write<T>(body: Body<WriteTransaction, T>, scope?: Scope): Promise<T> {
    const lanes = this.#lanes;
    return lanes ? this.#lifetime.during(() => lanes.run(scope, () => this.#core.write(body, scope))) : this.#core.write(body, scope);
  }

  erase(): Promise<void> {
    return this.#facts.erase?.() ?? Promise.resolve();
  }

  now(): number | undefined {
    return this.#facts.now?.();
  }

  close(): Promise<void> {
    // What waits in a lane was asked for before.
    return this.#lanes ? this.#lifetime.close(() => this.#core.close()) : this.#core.close();
  }
}

const silentTopics: Topics = { post: () => undefined, listen: () => () => undefined };

/** An engine that does what `engine` does, but for what `over` does instead. */
export function wrapEngine(engine: Engine, over: Partial<Pick<DefinedEngine, "name" | "durable" | "read" | "write" | "close" | "erase">>): DefinedEngine {
  const whole = wholeEngine(engine);
  return {
    name: over.name ?? whole.name,
    durable: over.durable ?? whole.durable,
    read: over.read ?? ((body) => whole.read(body)),
    write: over.write ?? ((body, scope) => whole.write(body, scope)),
    erase: over.erase ?? (() => whole.erase()),
    close: over.close ?? (() => whole.close()),
    now: () => whole.now(),
    topics: whole.topics,
    liveness: whole.liveness,
  };
}
