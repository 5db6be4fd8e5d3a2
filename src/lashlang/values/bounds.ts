// Bounds that every execution has: how much work, how large its values, how much it says (`LL-101`).
//   B1. Every charge is a function of the program and its values alone, so a restored or re-executed run spends the same.
import { ProgramError } from "./errors.ts";

/** Each bound is a number or `"unbounded"`; `depth` must be a number, because walks over values recurse. */
export interface Bounds {
  /** VM instructions; builtins charge for the size of their input. */
  readonly instructions: number | "unbounded";
  /** Logical bytes of everything the program holds, shared parts counted once per reference. */
  readonly heap: number | "unbounded";
  /** Levels of lists, tuples and records inside one value; at most 1000. */
  readonly depth: number;
  /** Logical bytes of everything printed. */
  readonly output: number | "unbounded";
}

export const DEFAULT_BOUNDS: Bounds = {
  instructions: 100_000_000,
  heap: 128 * 1024 * 1024,
  depth: 200,
  output: 16 * 1024 * 1024,
};

export const MAX_VALUE_DEPTH = 1000;
/** Texts beyond this are refused whatever the heap bound says: engines cannot hold them. */
export const MAX_TEXT_UNITS = 1 << 28;

export const boundExhausted = (bound: keyof Bounds | "active time", limit: number | string): ProgramError =>
  new ProgramError("BoundExhausted", `execution bound exhausted: ${bound} (limit ${limit})`);

export const limitOf = (bound: number | "unbounded"): number => (bound === "unbounded" ? Infinity : bound);

/**
 * What values and builtins see of the execution they run in.
 * `charge` spends instructions; the others throw when the value about to exist would break a bound.
 */
export interface Meter {
  charge(units: number): void;
  /** Checks a value of `weight` logical bytes and `depth` levels. */
  admit(weight: number, depth: number): void;
}

/** A meter with limits and no account: for values made outside a running program. */
export const fixedMeter = (bounds: Pick<Bounds, "heap" | "depth"> = DEFAULT_BOUNDS): Meter => {
  const heap = limitOf(bounds.heap);
  return {
    charge: () => {},
    admit(weight, depth) {
      if (weight > heap) throw boundExhausted("heap", heap);
      if (depth > bounds.depth) throw boundExhausted("depth", bounds.depth);
    },
  };
};
