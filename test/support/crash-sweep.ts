// Does a job, kills it at every engine call - before, inside and after it - and lets a check look at what each death left.

import { setImmediate } from "node:timers/promises";
import type { Engine } from "../../src/stores/engine.ts";
import { type CrashPoint, crashPoints } from "../../src/testing/faulty-engine.ts";
import { manualClock, type ManualClock } from "../../src/testing/index.ts";
import { Mortal } from "./mortal.ts";

export interface Sweep<World> {
  readonly open: () => Engine;
  readonly world: () => World;
  /** Puts the disk into the state from which the job starts; nobody dies here. */
  readonly prepare?: (disk: Engine, clock: ManualClock) => Promise<void>;
  /** What dies somewhere. */
  readonly job: (process: Mortal, clock: ManualClock, world: World) => Promise<void>;
  /** Which deaths are worth it; default: all. What dies inside a transaction leaves what dies before it, as the engine suite shows. */
  readonly points?: (all: readonly CrashPoint[]) => readonly CrashPoint[];
  /** Looks at the disk after the death, as the next process; the dead one's lease has expired. */
  readonly check: (disk: Engine, clock: ManualClock, world: World) => Promise<void>;
}

/** @returns how many deaths were looked at. */
export async function crashEverywhere<World>({ open, world, prepare, job, check, points: chosen = (all) => all }: Sweep<World>): Promise<number> {
  const begin = async () => {
    const [disk, clock] = [open(), manualClock(1_000)];
    await prepare?.(disk, clock);
    return { disk, clock, seen: world() };
  };
  const rehearsal = await begin();
  const process = new Mortal(rehearsal.disk);
  await job(process, rehearsal.clock, rehearsal.seen);
  await check(rehearsal.disk, rehearsal.clock, rehearsal.seen);
  await rehearsal.disk.close();
  const points = chosen(crashPoints(process.engineCalls));
  for (const crash of points) {
    const { disk, clock, seen } = await begin();
    const dying = new Mortal(disk, { kind: "engine", crash });
    await Promise.race([job(dying, clock, seen), dying.died]);
    await setImmediate();
    await clock.advance(31_000);
    try {
      await check(disk, clock, seen);
    } catch (error) {
      throw new Error(`crash ${JSON.stringify(crash)}: ${String(error)}`, { cause: error });
    }
    await disk.close();
  }
  return points.length;
}
