// One run of a scenario: the process that is disturbed, and the one that comes after it if it dies.
//
//   RO1. In a run that is killed, a new process recovers and does the job again, as a host does. In a run whose write fails, the same
//        process does so if the job fails: what may be done again after a kill may be done again after an error.

import { createLash, type Lash } from "../../lash.ts";
import type { LashOptions } from "../../lash-options.ts";
import type { Engine } from "../../stores/engine.ts";
import { memoryEngine } from "../../stores/memory/index.ts";
import { rest, VirtualTime } from "../virtual-time.ts";
import { drive, type Patience } from "./drive.ts";
import type { Kill, Mark } from "./kill.ts";
import { Life } from "./life.ts";
import { type Seen, type SweepProcess, WatchedProcess } from "./process.ts";

/** What a sweep runs. */
export interface SweepScenario<Result, World> {
  /**
   * Options of the lash of one process, made anew for each process: what they hold in memory dies with it. The sweep replaces `store`,
   * `clock`, `newId` and `waitSecret` by its own. A new process asks the model again, so the provider has to answer by the request,
   * not by the number of calls: `scriptedProvider` with a function, or `replayProvider`.
   */
  make(process: SweepProcess<World>): LashOptions | Promise<LashOptions>;
  /**
   * The scenario. After a kill a new process does it again, and after a failed write the same one does if the job failed. So name its
   * sessions and its turns (`{ turnId }`): then nothing is said twice. It need not close the lash.
   */
  job(lash: Lash, process: SweepProcess<World>): Promise<Result>;
  /** What the new process does after a kill. Default: `lash.recover()`, then `job`. */
  resume?(lash: Lash, process: SweepProcess<World>): Promise<Result>;
  /** The world outside, made anew for each run: what tools did there stays when a process dies. */
  world?(): World;
  /** Storage of one run, empty; closed after it. Default: in memory. */
  engine?(): Engine;
}

/** What one run came to. */
export interface Ran<Result, World> {
  readonly outcome: { readonly result: Result } | { readonly failure: unknown };
  /** What the process that was disturbed did, in order. */
  readonly marks: readonly Mark[];
  /** Whether the run came as far as the place where it was to be disturbed. */
  readonly isStruck: boolean;
  readonly seen: Seen;
  readonly world: World;
  readonly time: VirtualTime;
  /** Starts one more process. */
  readonly start: () => Promise<Started<World>>;
  readonly closeDisk: () => Promise<void>;
}

export interface Started<World> {
  readonly lash: Lash;
  readonly process: WatchedProcess<World>;
  /** How long a lease of it lives. */
  readonly leaseMs: number;
}

const START_MS = 1_700_000_000_000;
const DEFAULT_LEASE_MS = 30_000;
/** A host gives up some time. */
const TRIES = 3;

export async function runOnce<Result, World>(scenario: SweepScenario<Result, World>, kill: Kill | null, patience: Patience): Promise<Ran<Result, World>> {
  const disk = (scenario.engine ?? memoryEngine)();
  const time = new VirtualTime(START_MS);
  const seen: Seen = { toolRuns: [], sessionIds: new Set(), modelCalls: 0 };
  const world = scenario.world?.() as World;
  const lives: Life[] = [];
  const start = async (disturbance: Kill | null = null): Promise<Started<World>> => {
    const life = new Life(disk, time, disturbance);
    const process = new WatchedProcess({ world, number: lives.push(life), life, time, seen, isDead: (number) => lives[number - 1]?.isDead === true });
    const options = process.wire(await scenario.make(process));
    return { lash: createLash(options), process, leaseMs: options.lease?.ttlMs ?? DEFAULT_LEASE_MS };
  };
  const first = await start(kill);
  const { life } = first.process;
  const outcome = await lived(scenario, first, time, patience)
    .then((ended) => (ended === "died" ? succeeded(scenario, first, start, time) : ended))
    .catch((failure: unknown) => ({ failure }));
  return { outcome, marks: life.marks, isStruck: life.isStruck, seen, world, time, start: () => start(), closeDisk: () => disk.close() };
}

/** The job in the process that is disturbed, until its lash is closed. */
function lived<Result, World>(scenario: SweepScenario<Result, World>, started: Started<World>, time: VirtualTime, patience: Patience): Promise<{ readonly result: Result } | "died"> {
  const { lash, process } = started;
  const living = asHost(lash, process.life, () => scenario.job(lash, process)).then(async (result) => {
    await lash.close();
    return { result };
  });
  return drive(Promise.race([living, process.life.died.then(() => "died" as const)]), time, patience);
}

/** The process that comes after a dead one. */
async function succeeded<Result, World>(scenario: SweepScenario<Result, World>, dead: Started<World>, start: () => Promise<Started<World>>, time: VirtualTime): Promise<{ readonly result: Result }> {
  await rest();
  // Its death is proved, as on one machine; elsewhere a successor waits for so long, so that what is due by then is due.
  await time.clock.advance(dead.leaseMs + 1_000);
  const { lash, process } = await start();
  const ask = async (): Promise<Result> => {
    if (scenario.resume) return scenario.resume(lash, process);
    await lash.recover();
    return scenario.job(lash, process);
  };
  const result = await drive(ask(), time);
  await drive(lash.close(), time);
  return { result };
}

/** Does the job again where its failure is the disturbance's (RO1). */
async function asHost<Result>(lash: Lash, life: Life, ask: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries++) {
    try {
      return await ask();
    } catch (error) {
      if (!life.isStruck || tries === TRIES) throw error;
      await lash.recover().catch(() => undefined);
    }
  }
}
