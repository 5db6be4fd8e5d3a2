// Projected values turned into plain ones, where a program needs the whole (`LL-40`, `LL-89`).
import type { Meter } from "./bounds.ts";
import { fromJson } from "./from-json.ts";
import { Projected } from "./projected.ts";
import type { Value } from "./value.ts";

/** The value itself, or what a projected one stands for. Values nested in lists and records may stay projected. */
export function materialize(value: Value, meter: Meter): Value {
  if (!(value instanceof Projected)) return value;
  return fromJson(value.source.materialize(), meter);
}
