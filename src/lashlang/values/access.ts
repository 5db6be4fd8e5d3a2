// Reading into values: `.field` and `[index]` (`LL-35`, `LL-36`, `LL-89`).
import type { Meter } from "./bounds.ts";
import { toNumber, toText } from "./coerce.ts";
import { typeError } from "./errors.ts";
import { materialize } from "./materialize.ts";
import { Projected, inlineProjection } from "./projected.ts";
import { toJson } from "./to-json.ts";
import { charAt, charLength, scanCost } from "./unicode.ts";
import { Image, type ImageFields, List, Rec, Tuple, type Value, recGet, typeName } from "./value.ts";

const IDENTIFIER = /^[A-Za-z_]\w*$/;

export function readField(value: Value, field: string, meter: Meter): Value {
  if (value instanceof Rec) return recGet(value, field) ?? null;
  if (value === null) return null;
  if (value instanceof Image) return Object.hasOwn(value.fields, field) ? value.fields[field as keyof ImageFields] : null;
  if (value instanceof Projected) {
    return projectedChild(value, field, IDENTIFIER.test(field) ? `.${field}` : `[${JSON.stringify(field)}]`, meter);
  }
  throw typeError(`can't read \`.${field}\` from ${typeName(value)}`);
}

export function readIndex(value: Value, index: Value, meter: Meter): Value {
  if (index instanceof Projected) return readIndex(value, materialize(index, meter), meter);
  if (value instanceof List || value instanceof Tuple) {
    const at = integerIndex(index, value.items.length);
    return value.items[at] ?? null;
  }
  if (value instanceof Rec) return recGet(value, toText(index)) ?? null;
  if (typeof value === "string") {
    meter.charge(scanCost(value));
    const at = integerIndex(index, charLength(value));
    return at < 0 ? null : (charAt(value, at) ?? null);
  }
  if (value === null) return null;
  if (value instanceof Projected) {
    if (typeof index === "number" || typeof index === "string") return projectedChild(value, index, `[${JSON.stringify(index)}]`, meter);
    return readIndex(materialize(value, meter), index, meter);
  }
  throw typeError(`can't index ${typeName(value)}`);
}

/** Position from the start for an index that may count from the end; negative when before the start. */
function integerIndex(index: Value, length: number): number {
  const at = typeof index === "number" ? index : toNumber(index);
  if (!Number.isInteger(at)) throw typeError("index must be an integer");
  return at < 0 ? at + length : at;
}

/** Stays projected, under the longer name. Null and absent are null: they have nothing to project. */
function projectedChild(value: Projected, step: string | number, suffix: string, meter: Meter): Value {
  const name = value.name + suffix;
  const child = value.source.child?.(step);
  if (child !== undefined) return new Projected(name, child);
  const answer =
    typeof step === "string"
      ? value.source.ask?.({ kind: "Field", name: step })
      : value.source.ask?.({ kind: "Index", index: step });
  if (answer !== undefined) return answer === null ? null : new Projected(name, inlineProjection(answer));
  const whole = materialize(value, meter);
  const part = suffix.startsWith(".") ? readField(whole, String(step), meter) : readIndex(whole, step, meter);
  return part === null ? null : new Projected(name, inlineProjection(toJson(part)));
}

const STEP = /\.([A-Za-z_]\w*)|\[(-?\d+)\]|\[("(?:[^"\\]|\\.)*")\]/y;

/** The projection that `name` is the path of, for example `doc.items[1]`, from the bindings it may start at. */
export function projectionAt(
  bindings: ReadonlyMap<string, Projected>,
  name: string,
  meter: Meter,
): Projected["source"] | undefined {
  const root = /^[A-Za-z_]\w*/.exec(name)?.[0] ?? "";
  let at: Value | undefined = bindings.get(root);
  STEP.lastIndex = root.length;
  while (at instanceof Projected && STEP.lastIndex < name.length) {
    const match = STEP.exec(name);
    if (match === null) return undefined;
    const [, field, index, key] = match;
    if (field !== undefined) at = readField(at, field, meter);
    else at = readIndex(at, index === undefined ? (JSON.parse(key ?? '""') as string) : Number(index), meter);
  }
  return at instanceof Projected ? at.source : undefined;
}
