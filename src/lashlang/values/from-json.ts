// JSON in (`LL-27`): host data becomes the program's own values; nothing of the host's objects stays reachable.
import { type Meter, fixedMeter } from "./bounds.ts";
import { typeError } from "./errors.ts";
import type { Json } from "./json-value.ts";
import { Shape } from "./shape.ts";
import { compareText } from "./unicode.ts";
import { Image, Resource, type Value, makeList, makeRec, weigh } from "./value.ts";

/**
 * Copies `json` into values. Keys come in ascending order; objects shaped exactly like an image descriptor or a resource
 * become those. What JSON cannot hold is treated as `JSON.stringify` would treat it, functions and bigints are refused.
 *
 * @throws ProgramError when the value breaks the depth or heap bound, which also ends a cyclic object.
 */
export function fromJson(json: Json, meter: Meter = fixedMeter()): Value {
  return convert(json, meter, 0);
}

function convert(json: unknown, meter: Meter, level: number): Value {
  switch (typeof json) {
    case "string":
      return json.toWellFormed();
    case "number":
    case "boolean":
      return json;
    case "undefined":
      return null;
    case "object":
      break;
    default:
      throw typeError(`host value is not JSON: ${typeof json}`);
  }
  if (json === null) return null;
  meter.admit(0, level + 1);
  if (Array.isArray(json)) {
    const items: Value[] = [];
    let weight = 0;
    for (let i = 0; i < json.length; i += 1) {
      const item = convert(json[i], meter, level + 1);
      weight += weigh(item);
      meter.admit(weight, 0);
      items.push(item);
    }
    return makeList(items, meter);
  }
  return convertObject(json as Record<string, unknown>, meter, level);
}

function convertObject(object: Record<string, unknown>, meter: Meter, level: number): Value {
  const special = asImage(object) ?? asResource(object);
  if (special !== undefined) return special;
  const keys = Object.keys(object).sort(compareText);
  let shape = Shape.empty();
  const values: Value[] = [];
  for (const key of keys) {
    const value = object[key];
    if (value === undefined) continue;
    const name = key.toWellFormed();
    const at = shape.at(name);
    if (at === undefined) shape = shape.with(name);
    values[at ?? values.length] = convert(value, meter, level + 1);
  }
  return makeRec(shape, values, meter);
}

const IMAGE_KEYS: ReadonlySet<string> = new Set(["type", "id", "label", "size", "width", "height"]);

function asImage(object: Record<string, unknown>): Image | undefined {
  if (!Object.hasOwn(object, "type") || object["type"] !== "image") return undefined;
  if (!Object.keys(object).every((key) => IMAGE_KEYS.has(key))) return undefined;
  const { id, label, size, width = null, height = null } = object as Record<string, unknown>;
  if (typeof id !== "string" || typeof label !== "string" || typeof size !== "number") return undefined;
  if (!isSide(width) || !isSide(height)) return undefined;
  return new Image({ type: "image", id, label, size, width, height });
}

const isSide = (side: unknown): side is number | null => side === null || typeof side === "number";

function asResource(object: Record<string, unknown>): Resource | undefined {
  if (!Object.hasOwn(object, "__resource__") || object["__resource__"] !== true) return undefined;
  const { type, alias } = object;
  if (typeof type !== "string" || typeof alias !== "string" || Object.keys(object).length !== 3) return undefined;
  return new Resource(type, alias);
}
