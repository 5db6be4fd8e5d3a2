// Values as text: what `to_string`, `format`, `+` and `print`ed text give (`LL-26`).
import type { Meter } from "./bounds.ts";
import { materialize } from "./materialize.ts";
import { numberText } from "./number-text.ts";
import { Projected } from "./projected.ts";
import { compareText } from "./unicode.ts";
import { Image, List, Rec, Tuple, type Value, recGet, weigh } from "./value.ts";

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

/** Compact JSON with record keys in ascending order; numbers as the language spells them, non-finite ones null. */
export function jsonText(value: Value, meter: Meter): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number") return Number.isFinite(value) ? numberText(value) : "null";
  if (value === null || typeof value === "boolean") return String(value);
  if (value instanceof List || value instanceof Tuple) {
    return `[${value.items.map((item) => jsonText(item, meter)).join(",")}]`;
  }
  if (value instanceof Rec) {
    const keys = [...value.shape.names].sort(compareText);
    return `{${keys.map((key) => `${JSON.stringify(key)}:${jsonText(recGet(value, key) as Value, meter)}`).join(",")}}`;
  }
  if (value instanceof Projected) return jsonText(materialize(value, meter), meter);
  if (value instanceof Image) {
    const extra = `${value.height === null ? "" : `"height":${numberText(value.height)},`}`;
    const width = value.width === null ? "" : `,"width":${numberText(value.width)}`;
    return `{${extra}"id":${JSON.stringify(value.id)},"label":${JSON.stringify(value.label)},"size":${numberText(value.size)},"type":"image"${width}}`;
  }
  return `{"__resource__":true,"alias":${JSON.stringify(value.alias)},"type":${JSON.stringify(value.resourceType)}}`;
}
