// Emits what moves values into slots and picks where to go on.
import { truthy } from "../values/compare.ts";
import type { Eval, Frame, Slots } from "../vm/frame.ts";
import type { Label } from "./assembler.ts";
import type { Context } from "./context.ts";

/** Emits `slot = value`. */
export function storeTemp(c: Context, slot: number, value: Eval): void {
  c.code.emit((next) => (s, f) => {
    f.store(slot, value(s, f));
    return next;
  });
}

/** Emits a jump to `target` unless `condition` holds; `chosen` is told which way it went. */
export function jumpUnless(
  c: Context,
  condition: Eval,
  target: Label,
  chosen?: (f: Frame, holds: boolean) => void,
): void {
  c.code.emit((next) => {
    const otherwise = target.at;
    if (chosen === undefined) {
      return (s, f) => {
        const value = condition(s, f);
        return value === true || (value !== false && truthy(value, f)) ? next : otherwise;
      };
    }
    return (s, f) => {
      const value = condition(s, f);
      const holds = value === true || (value !== false && truthy(value, f));
      chosen(f, holds);
      return holds ? next : otherwise;
    };
  });
}

/** One round of a loop: false when the loop is over. */
export type Round = (s: Slots, f: Frame) => boolean;

/**
 * Emits an instruction that repeats `round` while there is fuel, one unit per round, and is come back to when there is none
 * left. What it spends is the same however the work is sliced (V3).
 */
export function simpleLoop(c: Context, exit: Label, round: Round): void {
  c.code.emit((next) => {
    const again = next - 1;
    const out = exit.at;
    return (s, f) => {
      while (round(s, f)) {
        if (f.fuel <= 1) return again;
        f.fuel -= 1;
      }
      return out;
    };
  });
}
