// Values as text: what `to_string`, `format`, `+` and `print`ed text give (`LL-26`).
import type { Meter } from "./bounds.ts";
import { materialize } from "./materialize.ts";
import { numberText } from "./number-text.ts";
import { Projected } from "./projected.ts";
import { toJson } from "./to-json.ts";
import { compareText } from "./unicode.ts";
import { List, Rec, Tuple, type Value, recGet, recordOf, weigh } from "./value.ts";

export function display(value: Value, meter: Meter): string {
  if (typeof value === "string") return value;
  if (typeof value === "number") return numberText(value);
  if (value instanceof Projected) {
    const answer = value.source.ask?.({ kind: "Render" });
    return typeof answer === "string" ? answer : display(materialize(value, meter), meter);
  }
  if (value instanceof Tuple) {
    chargeWalk(value, meter);
    return tupleText(value, meter);
  }
  if (value === null || typeof value === "boolean") return String(value);
  chargeWalk(value, meter);
  return jsonText(value, meter);
}

/** A walk over the whole value: its weight stands for its size, and its text may be of that size. */
function chargeWalk(value: Value, meter: Meter): void {
  const weight = weigh(value);
  meter.charge(weight >>> 4);
  meter.admit(weight, 0);
}

function tupleText(tuple: Tuple, meter: Meter): string {
  const items = tuple.items.map((item) => {
    if (typeof item === "string") return JSON.stringify(item);
    return item instanceof Tuple ? tupleText(item, meter) : display(item, meter);
  });
  return items.length === 1 ? `(${items[0]},)` : `(${items.join(", ")})`;
}

/**
 * Compact JSON with keys in ascending order, or as they were inserted; numbers as the language spells them, non-finite ones
 * null. In ascending order an image leaves out what it does not know.
 */
export function jsonText(raw: Value, meter: Meter, keys: "sorted" | "inserted" = "sorted"): string {
  const value = materialize(raw, meter);
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number") return Number.isFinite(value) ? numberText(value) : "null";
  if (value === null || typeof value === "boolean") return String(value);
  if (value instanceof List || value instanceof Tuple) {
    return `[${value.items.map((item) => jsonText(item, meter, keys)).join(",")}]`;
  }
  if (value instanceof Rec) {
    const names = keys === "sorted" ? [...value.shape.names].sort(compareText) : value.shape.names;
    return `{${names.map((name) => `${JSON.stringify(name)}:${jsonText(recGet(value, name) as Value, meter, keys)}`).join(",")}}`;
  }
  const fields = toJson(value);
  if (keys === "inserted") return JSON.stringify(fields);
  const known = Object.entries(fields as { readonly [name: string]: string | number | null }).filter(([, field]) => field !== null);
  return jsonText(recordOf(known, meter), meter);
}
