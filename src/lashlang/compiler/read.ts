// Closures that read slots.
import { unknownName } from "../values/errors.ts";
import { markShared } from "../values/value.ts";
import type { Eval } from "../vm/frame.ts";

export const readVariable =
  (slot: number, name: string): Eval =>
  (s) => {
    const value = s[slot];
    if (value === undefined) throw unknownName(name);
    return value;
  };

/** Reads a temporary for the only time. */
export const takeTemp =
  (slot: number): Eval =>
  (_, f) =>
    f.take(slot);

/** Marks what it reads as having two owners from now on (W2). */
export const shared =
  (read: Eval): Eval =>
  (s, f) => {
    const value = read(s, f);
    if (typeof value === "object") markShared(value);
    return value;
  };
