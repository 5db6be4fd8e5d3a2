// What `sleep` accepts (`LL-57`).
import type { Meter } from "./bounds.ts";
import { display } from "./display.ts";
import { valueError } from "./errors.ts";
import { materialize } from "./materialize.ts";
import type { Value } from "./value.ts";

const DURATION = /^(\d+(?:\.\d*)?|\.\d+)\s*(ms|s|m|h)?$/;
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const RFC3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)$/;
/** Longer texts are no duration and no time, whatever they say. */
const MAX_UNITS = 100;

/** Milliseconds to sleep. */
export function sleepFor(raw: Value, meter: Meter): number {
  const value = materialize(raw, meter);
  if (typeof value === "number" && Number.isFinite(value) && value >= 0) return Math.round(value);
  if (typeof value === "string") {
    const match = value.length > MAX_UNITS ? null : DURATION.exec(value.trim());
    if (match === null) {
      throw valueError(`sleep failed: \`sleep for\` got an invalid duration \`${value.slice(0, MAX_UNITS)}\``);
    }
    return Math.round(Number(match[1]) * (UNITS[match[2] ?? "ms"] ?? 1));
  }
  throw valueError(
    `sleep failed: \`sleep for\` expects a non-negative millisecond number or duration string, got ${display(value, meter)}`,
  );
}

/** Epoch milliseconds to sleep until. */
export function sleepUntil(raw: Value, meter: Meter): number {
  const value = materialize(raw, meter);
  if (typeof value === "number" && Number.isFinite(value)) return Math.round(value);
  if (typeof value === "string" && value.length <= MAX_UNITS && RFC3339.test(value)) {
    const time = Date.parse(value.replace(" ", "T").toUpperCase());
    if (!Number.isNaN(time)) return time;
  }
  throw valueError(
    `sleep failed: \`sleep until\` expects RFC3339 text or Unix epoch milliseconds, got ${display(value, meter)}`,
  );
}
