// Emits what moves values into slots and picks where to go on.
import { truthy } from "../values/compare.ts";
import type { Eval, Frame } from "../vm/frame.ts";
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
