// Values on their way to the host.
import type { Meter } from "../values/bounds.ts";
import { jsonText } from "../values/display.ts";
import type { Json } from "../values/json-value.ts";
import { Projected } from "../values/projected.ts";
import { toJson } from "../values/to-json.ts";
import { List, Rec, Tuple, type Value, weigh } from "../values/value.ts";
import { materialize } from "../values/materialize.ts";
import type { ProjectionUse } from "./effects.ts";

/** The JSON of a value, and where projected values stood in it. */
export interface Payload {
  readonly json: { readonly [key: string]: Json };
  readonly projections: readonly ProjectionUse[];
}

/** One record argument is the payload itself, anything else comes as `{ args: [...] }`. */
export function operationPayload(args: readonly Value[], meter: Meter): Payload {
  const [only = null] = args;
  const whole = args.length === 1 ? materialize(only, meter) : null;
  if (whole instanceof Rec) {
    return { json: hostJson(whole, meter) as { [key: string]: Json }, projections: usesIn(only, []) };
  }
  return {
    json: { args: args.map((arg) => hostJson(arg, meter)) },
    projections: args.flatMap((arg, i) => usesIn(arg, ["args", i])),
  };
}

/** JSON for the host; its making is charged to the program. */
export function hostJson(value: Value, meter: Meter): Json {
  meter.charge(weigh(value) >>> 6);
  return toJson(value);
}

function usesIn(value: Value, path: readonly (string | number)[]): ProjectionUse[] {
  if (value instanceof Projected) return [useOf(value, path)];
  if (value instanceof List || value instanceof Tuple) return value.items.flatMap((item, i) => usesIn(item, [...path, i]));
  if (value instanceof Rec) {
    return value.values.flatMap((item, i) => usesIn(item, [...path, value.shape.names[i] as string]));
  }
  return [];
}

function useOf(value: Projected, path: readonly (string | number)[]): ProjectionUse {
  const { ref } = value.source;
  return ref === undefined ? { path, name: value.name } : { path, name: value.name, ref };
}

/** What `print` shows: strings raw, all else compact JSON in insertion order. */
export function printText(value: Value, meter: Meter): string {
  if (typeof value === "string") return value;
  meter.charge(weigh(value) >>> 4);
  return jsonText(value, meter, "inserted");
}

/** An object of named values, as a process gets its arguments. */
export function namedJson(names: readonly string[], values: readonly Value[], meter: Meter): { [key: string]: Json } {
  return Object.fromEntries(names.map((name, i) => [name, hostJson(values[i] ?? null, meter)] as const));
}
