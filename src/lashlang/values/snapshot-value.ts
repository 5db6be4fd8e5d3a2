// Values in snapshots (`LL-90`, `LL-91`, `LL-99`): JSON that reads back as the same value.
//   N1. Plain data is itself. What JSON cannot say (tuples, images, resources, projections, NaN) is a marked object.
//   N2. A record is marked too when a plain object would lose it: keys that engines reorder, or keys that look like marks.
//   N3. Projected values are named, not materialized.
import type { Meter } from "./bounds.ts";
import type { Json } from "./json-value.ts";
import { Projected, type ProjectionRef, type ProjectionSource, unavailableProjection } from "./projected.ts";
import { Image, type ImageFields, List, Rec, Tuple, type Value, makeList, makeTuple, recordOf, Resource } from "./value.ts";

const MARK = "__lashlang_snapshot_";
const INTEGER_LIKE = /^(?:0|[1-9]\d*)$/;

/** Finds a projection again after a restart; undefined when it is gone. */
export type Rehydrate = (name: string, ref: ProjectionRef | undefined) => ProjectionSource | undefined;

export function encodeValue(value: Value): Json {
  if (typeof value === "number") {
    return Number.isFinite(value) && !Object.is(value, -0) ? value : marked("number", { text: numberName(value) });
  }
  if (value === null || typeof value !== "object") return value;
  if (value instanceof List) return value.items.map(encodeValue);
  if (value instanceof Rec) return encodeRecord(value);
  if (value instanceof Tuple) return marked("tuple", { items: value.items.map(encodeValue) });
  if (value instanceof Projected) return encodeProjected(value);
  if (value instanceof Image) return marked("image", { ...value.fields });
  return marked("resource", { type: value.resourceType, alias: value.alias });
}

const marked = (kind: string, fields: { [key: string]: Json }): Json => ({ [`${MARK}${kind}__`]: true, ...fields });

const numberName = (value: number): string => (Object.is(value, -0) ? "-0" : String(value));

function encodeRecord(record: Rec): Json {
  const { names } = record.shape;
  const plain = names.every((name) => !INTEGER_LIKE.test(name) && !name.startsWith(MARK) && name !== "__proto__");
  if (!plain) return marked("record", { entries: record.values.map((value, i) => [names[i] as string, encodeValue(value)]) });
  const object: { [key: string]: Json } = {};
  record.values.forEach((value, i) => {
    object[names[i] as string] = encodeValue(value);
  });
  return object;
}

export function encodeProjected(value: Projected): Json {
  const { typeName, ref } = value.source;
  const fields = { name: value.name, type_name: typeName };
  return marked("projected", ref === undefined ? fields : { ...fields, projection_ref: { ...ref } });
}

/**
 * The value that `encodeValue` wrote.
 * @throws TypeError when `json` is nothing it could have written.
 */
export function decodeValue(json: Json, meter: Meter, rehydrate: Rehydrate): Value {
  if (json === null || typeof json !== "object") return json;
  if (Array.isArray(json)) return makeList(json.map((item: Json) => decodeValue(item, meter, rehydrate)), meter);
  const object = json as { readonly [key: string]: Json };
  const keys = Object.keys(object);
  const mark = keys.find((key) => key.startsWith(MARK));
  if (mark !== undefined) return decodeMarked(mark.slice(MARK.length, -2), object, meter, rehydrate);
  return recordOf(
    keys.map((key) => [key, decodeValue(object[key] ?? null, meter, rehydrate)] as const),
    meter,
  );
}

function decodeMarked(
  kind: string,
  fields: { readonly [key: string]: Json },
  meter: Meter,
  rehydrate: Rehydrate,
): Value {
  const listed = (json: Json | undefined): readonly Json[] => (Array.isArray(json) ? (json as readonly Json[]) : []);
  const decode = (item: Json = null): Value => decodeValue(item, meter, rehydrate);
  switch (kind) {
    case "number":
      return Number(fields["text"]);
    case "tuple":
      return makeTuple(listed(fields["items"]).map(decode), meter);
    case "record":
      return recordOf(
        listed(fields["entries"]).map((entry) => {
          const [key, item] = listed(entry);
          if (typeof key !== "string") throw new TypeError("snapshot holds a record entry without a key");
          return [key, decode(item)];
        }),
        meter,
      );
    case "image": {
      const { id, label, size, width, height } = fields as unknown as ImageFields;
      return new Image({ type: "image", id, label, size, width, height });
    }
    case "resource":
      return new Resource(String(fields["type"]), String(fields["alias"]));
    case "projected":
      return decodeProjected(fields, rehydrate);
    default:
      throw new TypeError(`snapshot holds a value of unknown kind \`${kind}\``);
  }
}

function decodeProjected(fields: { readonly [key: string]: Json }, rehydrate: Rehydrate): Projected {
  const name = String(fields["name"]);
  const ref = fields["projection_ref"] as ProjectionRef | undefined;
  const source = rehydrate(name, ref) ?? unavailableProjection(name, String(fields["type_name"]), ref);
  return new Projected(name, source);
}
