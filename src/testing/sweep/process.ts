// SweepProcess: what a user's scenario is given of the process that it runs in, and how the options of its lash are wired to that.

import type { Clock } from "../../domain/clock.ts";
import type { LashOptions, SessionOptions } from "../../lash-options.ts";
import type { Plugin, PluginContributions } from "../../plugins/contract.ts";
import type { Provider } from "../../providers/contract.ts";
import { opaqueLiveness } from "../../stores/store.ts";
import type { Tool, ToolCall } from "../../tools/contract.ts";
import { toolWith, providerWith } from "../watched.ts";
import type { VirtualTime } from "../virtual-time.ts";
import type { Life } from "./life.ts";

/** One start of a tool, in whichever process of the run. */
export interface ToolRun {
  readonly toolName: string;
  readonly args: unknown;
  readonly sessionId: string;
  readonly turnId: string;
  readonly callId: string;
  readonly attempt: number;
  readonly idempotencyKey: string;
  /** What the tool was told: an earlier start of this attempt has no recorded outcome. */
  readonly interrupted: boolean;
  /** 1 for the process that is disturbed, 2 for the one behind it. */
  readonly process: number;
  /** It returned or threw; false for one that a kill cut off. */
  readonly ended: boolean;
  /** What the tool declares for a call that a crash cut off; `probe`: a function decides. */
  readonly onInterrupted: "retry" | "report" | "probe";
}

/** The process that a scenario runs in. */
export interface SweepProcess<World> {
  /** What `world()` made for this run: the outside world, which no crash takes back. */
  readonly world: World;
  /** Virtual time of this process. It moves to the next timer whenever nothing else can happen. */
  readonly clock: Clock;
  /** 1 for the process that is disturbed, 2 for the one that comes after a kill. */
  readonly number: number;
  /**
   * Options for `openSession`, with their provider, tools and plugins watched. What `make` returns is watched already; what a job gives
   * to `openSession` itself is not, unless it goes through here.
   */
  watch<Options extends Watchable>(options: Options): Options;
  /** Virtual time stands still until the promise settles: for real input and output. */
  outside<T>(promise: Promise<T>): Promise<T>;
}

export type Watchable = Pick<SessionOptions, "provider" | "tools" | "plugins">;

/** What the processes of one run have seen, together. */
export interface Seen {
  readonly toolRuns: ToolRun[];
  readonly sessionIds: Set<string>;
  modelCalls: number;
}

/** Frame that a model call names where it is no part of a session's conversation. */
const DIRECT_FRAME = "direct";
const WAIT_SECRET = "0".repeat(64);

/** Ids are given per process. */
const processOf = (id: string): number => Number(/^p(\d+)-/.exec(id)?.[1]);

export class WatchedProcess<World> implements SweepProcess<World> {
  readonly world: World;
  readonly number: number;
  readonly life: Life;
  readonly #time: VirtualTime;
  readonly #seen: Seen;
  readonly #isDead: (process: number) => boolean;
  /** One watched provider for each, so that what the runtime keeps by provider stays one. */
  readonly #providers = new Map<Provider, Provider>();
  #ids = 0;
  #calls = 0;

  constructor({ world, number, life, time, seen, isDead }: { world: World; number: number; life: Life; time: VirtualTime; seen: Seen; isDead: (process: number) => boolean }) {
    this.world = world;
    this.number = number;
    this.life = life;
    this.#time = time;
    this.#seen = seen;
    this.#isDead = isDead;
  }

  get clock(): Clock {
    return this.life.clock;
  }

  outside<T>(promise: Promise<T>): Promise<T> {
    return this.#time.outside(promise);
  }

  watch<Options extends Watchable>(options: Options): Options {
    const { provider, tools, plugins } = options;
    return {
      ...options,
      ...(provider && { provider: this.#provider(provider) }),
      ...(tools && { tools: tools.map((each) => this.#tool(each)) }),
      ...(plugins && { plugins: plugins.map((each) => this.#plugin(each)) }),
    };
  }

  /** The user's options, with store, clock and ids of this process in place of theirs. */
  wire(options: LashOptions): LashOptions {
    const { sessionOptions } = options;
    return {
      logger: () => {},
      ...this.watch(options),
      store: { engine: this.life.engine, liveness: { ...opaqueLiveness, isDead: ({ incarnationId }) => Promise.resolve(this.#isDead(processOf(incarnationId))) } },
      clock: this.life.clock,
      // The same in every run, and never the same in two processes of one.
      newId: () => `p${this.number}-${++this.#ids}`,
      waitSecret: WAIT_SECRET,
      sessionOptions: async (sessionId) => {
        this.#seen.sessionIds.add(sessionId);
        const own = await sessionOptions?.(sessionId);
        return own === undefined ? {} : this.watch(own);
      },
    };
  }

  #provider(inner: Provider): Provider {
    const known = this.#providers.get(inner);
    if (known) return known;
    const watched = providerWith(inner, async (request, call) => {
      const name = `model call ${++this.#calls}`;
      await this.life.reach(`${name} begins`);
      this.#seen.modelCalls += 1;
      // A child is made without anybody being asked for its options; questions of tools belong to no session.
      if (request.scope.agentFrameId !== DIRECT_FRAME) this.#seen.sessionIds.add(request.scope.sessionId);
      try {
        return await inner.complete(request, call);
      } finally {
        await this.life.reach(`${name} has ended`);
      }
    });
    this.#providers.set(inner, watched);
    return watched;
  }

  #tool(inner: Tool): Tool {
    return toolWith(inner, async (args, call) => {
      await this.life.reach(`tool ${inner.name} begins`);
      const run = { ...runOf(inner, args, call), process: this.number, ended: false };
      this.#seen.toolRuns.push(run);
      try {
        return await inner.run(args, call);
      } finally {
        // Whoever is dead does not come back from here.
        run.ended = !this.life.isDead;
        await this.life.reach(`tool ${inner.name} has ended`);
      }
    });
  }

  #plugin(inner: Plugin): Plugin {
    return {
      ...inner,
      build: (session) => {
        const given = inner.build(session);
        if (!given?.tools) return given;
        // Hooks may be methods of a class.
        const copy: PluginContributions = Object.create(Object.getPrototypeOf(given) as object | null, Object.getOwnPropertyDescriptors(given));
        return Object.defineProperty(copy, "tools", { enumerable: true, value: given.tools.map((each) => this.#tool(each)) });
      },
    };
  }
}

const runOf = ({ name, onInterrupted }: Tool, args: unknown, { sessionId, turnId, callId, attempt, idempotencyKey, interrupted }: ToolCall): Omit<ToolRun, "process" | "ended"> => ({
  toolName: name,
  args,
  sessionId,
  turnId,
  callId,
  attempt,
  idempotencyKey,
  interrupted,
  onInterrupted: typeof onInterrupted === "function" ? "probe" : onInterrupted,
});
