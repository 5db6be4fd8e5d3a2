// Measuring on a machine that does other things, too. Contenders take turns in short blocks, so that a noisy moment hits all
// of them; what is said about them:
//   N1. A time is the best of the medians of its blocks: noise only ever adds.
//   N2. A ratio is that of two such times. Ratios within a round would flatter the slower side: waiting for a busy disk or
//       processor adds about the same to both.

import { readFileSync } from "node:fs";

/** Times of one block in milliseconds. */
export type Block = readonly number[];

export const quantile = (values: readonly number[], q: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))] ?? Number.NaN;

export const median = (values: readonly number[]): number => quantile(values, 0.5);

export interface Timing {
  /** Best of the blocks' medians, in ms (N1). */
  readonly p50: number;
  /** Over all blocks, in ms: the noise of the machine is in it. */
  readonly p95: number;
}

export const timing = (blocks: readonly Block[]): Timing => ({ p50: Math.min(...blocks.map(median)), p95: quantile(blocks.flat(), 0.95) });

/** How many times the floor's time something takes (N2). */
export const ratio = (blocks: readonly Block[], floor: readonly Block[]): number => timing(blocks).p50 / timing(floor).p50;

export type Contender = (round: number) => Promise<Block>;

/** Runs a block of every contender per round; every other round in reverse, so that none always follows the same one. */
export async function interleave<Name extends string>(
  contenders: Readonly<Record<Name, Contender>>,
  rounds: { readonly warmUp: number; readonly measured: number },
): Promise<Readonly<Record<Name, readonly Block[]>>> {
  const names = Object.keys(contenders) as Name[];
  const blocks = Object.fromEntries(names.map((name) => [name, [] as Block[]])) as Record<Name, Block[]>;
  for (let round = 0; round < rounds.warmUp + rounds.measured; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const block = await contenders[name](round);
      if (round >= rounds.warmUp) blocks[name].push(block);
    }
  }
  return blocks;
}

/** Times `count` runs of `run`, one after another. */
export async function timed(count: number, run: () => Promise<unknown>): Promise<Block> {
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    await run();
    times.push(performance.now() - start);
  }
  return times;
}

export interface WrittenBytes {
  /** Handed to the file system by this process, all threads. */
  readonly handed: number;
  /** Of pages that the file system has to bring to the disk for it: whole 4 KiB pages. */
  readonly pages: number;
}

/** Since the process started; NaN where the system does not say. */
export function writtenBytes(): WrittenBytes {
  let text = "";
  try {
    text = readFileSync("/proc/self/io", "utf8");
  } catch {
    // Not Linux.
  }
  const field = (name: string): number => Number(new RegExp(`^${name}: (\\d+)`, "m").exec(text)?.[1]);
  return { handed: field("wchar"), pages: field("write_bytes") };
}

/** Bytes in use after a full collection. */
export function heapInUse(): number {
  if (globalThis.gc === undefined) throw new Error("run it through npm, which passes --expose-gc");
  // The first pass runs finalizers, whose garbage the second one takes.
  globalThis.gc();
  globalThis.gc();
  return process.memoryUsage().heapUsed;
}
