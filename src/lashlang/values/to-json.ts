// JSON out (`LL-27`): what tools, hosts and outcomes see of a value.
import type { Json } from "./json-value.ts";
import { Projected } from "./projected.ts";
import { Image, List, Rec, Tuple, type Value } from "./value.ts";

/** Non-finite numbers become null, `-0` zero, tuples arrays; projected values are given whole. Each call copies. */
export function toJson(value: Value): Json {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) ? value + 0 : null;
    default:
  }
  if (value === null) return null;
  if (value instanceof List || value instanceof Tuple) return value.items.map((item) => toJson(item));
  if (value instanceof Rec) {
    const { names } = value.shape;
    // Makes a key `__proto__` an own property like any other.
    return Object.fromEntries(value.values.map((item, i) => [names[i] as string, toJson(item)] as const));
  }
  if (value instanceof Projected) return value.source.materialize();
  return value instanceof Image ? { ...value.fields } : { __resource__: true, type: value.resourceType, alias: value.alias };
}
