// Values of the language (section 5). A program sees only these classes and JavaScript primitives.
//   W1. `weight` (logical bytes) and `depth` are functions of the contents: a restored value has the same ones.
//   W2. A list or record that `isOwned` is referred to from exactly one place, which may change it in place; whoever
//       stores a second reference sets `shared`, which is never cleared, and a writer copies first (LL-22).
//   W3. Tuples, images and resources are never changed.
import type { Meter } from "./bounds.ts";
import { Shape } from "./shape.ts";
import type { Projected } from "./projected.ts";

export type Value = null | boolean | number | string | List | Tuple | Rec | Image | Resource | Projected;

/** About what an engine spends on an empty list. */
const CONTAINER_WEIGHT = 96;
/** What a record weighs more than that: its keys may be in no other record. */
const SHAPE_WEIGHT = 96;
const SCALAR_WEIGHT = 8;

export class List {
  readonly items: Value[];
  weight: number;
  depth: number;
  shared = false;
  /** Loops that walk it now; it is theirs as well until they end. */
  walkers = 0;
  constructor(items: Value[], weight: number, depth: number) {
    this.items = items;
    this.weight = weight;
    this.depth = depth;
  }
  /** True if nothing else can see a change made in place. */
  get isOwned(): boolean {
    return !this.shared && this.walkers === 0;
  }
}

export class Tuple {
  readonly items: readonly Value[];
  readonly weight: number;
  readonly depth: number;
  constructor(items: readonly Value[], weight: number, depth: number) {
    this.items = items;
    this.weight = weight;
    this.depth = depth;
  }
}

/** A record: insertion-ordered string keys. `values[i]` belongs to `shape.names[i]`. */
export class Rec {
  shape: Shape;
  readonly values: Value[];
  weight: number;
  depth: number;
  shared = false;
  constructor(shape: Shape, values: Value[], weight: number, depth: number) {
    this.shape = shape;
    this.values = values;
    this.weight = weight;
    this.depth = depth;
  }
  get isOwned(): boolean {
    return !this.shared;
  }
}

/** An image by reference; its bytes are the host's. */
export class Image {
  readonly fields: ImageFields;
  constructor(fields: ImageFields) {
    this.fields = fields;
  }
}

/** What a program reads of an image, and the JSON it comes and goes as. */
export interface ImageFields {
  readonly type: "image";
  readonly id: string;
  readonly label: string;
  readonly size: number;
  readonly width: number | null;
  readonly height: number | null;
}

/** A module authority: the right to call the operations of one module instance. */
export class Resource {
  readonly resourceType: string;
  readonly alias: string;
  constructor(resourceType: string, alias: string) {
    this.resourceType = resourceType;
    this.alias = alias;
  }
}

/** Logical bytes of a value where it is referred to; an unbound slot weighs as much as a number. */
export function weigh(value: Value | undefined): number {
  if (typeof value === "string") return 16 + 2 * value.length;
  if (typeof value === "object" && value !== null) {
    if (value instanceof List || value instanceof Rec || value instanceof Tuple) return value.weight;
    return 2 * CONTAINER_WEIGHT;
  }
  return SCALAR_WEIGHT;
}

export function depthOf(value: Value): number {
  return value instanceof List || value instanceof Rec || value instanceof Tuple ? value.depth : 0;
}

/** Says that a second place now refers to `value` (W2). */
export function markShared(value: Value): void {
  if (value instanceof List || value instanceof Rec) value.shared = true;
}

const measure = { weight: 0, depth: 0 };

function measureItems(items: readonly Value[]): void {
  let weight = CONTAINER_WEIGHT;
  let depth = 0;
  for (let i = 0; i < items.length; i += 1) {
    const item = items[i] as Value;
    if (typeof item === "number") weight += SCALAR_WEIGHT;
    else {
      weight += weigh(item);
      const below = depthOf(item);
      if (below > depth) depth = below;
    }
  }
  measure.weight = weight;
  measure.depth = depth + 1;
}

/** Takes ownership of `items`. */
export function makeList(items: Value[], meter: Meter): List {
  measureItems(items);
  meter.admit(measure.weight, measure.depth);
  return new List(items, measure.weight, measure.depth);
}

/** Takes ownership of `items`. */
export function makeTuple(items: readonly Value[], meter: Meter): Tuple {
  measureItems(items);
  meter.admit(measure.weight, measure.depth);
  return new Tuple(items, measure.weight, measure.depth);
}

/** Takes ownership of `values`; `shape` must be one that no other record appends to (`Shape.fork`). */
export function makeRec(shape: Shape, values: Value[], meter: Meter): Rec {
  measureItems(values);
  const weight = measure.weight + SHAPE_WEIGHT + shape.keyWeight;
  meter.admit(weight, measure.depth);
  return new Rec(shape, values, weight, measure.depth);
}

/** A record from entries; a repeated key keeps its first place and takes the last value. */
export function recordOf(entries: Iterable<readonly [string, Value]>, meter: Meter): Rec {
  let shape = Shape.empty();
  const values: Value[] = [];
  for (const [key, value] of entries) {
    const at = shape.at(key);
    if (at === undefined) {
      shape = shape.with(key);
      values.push(value);
    } else values[at] = value;
  }
  return makeRec(shape, values, meter);
}

/** The value of `key`, or undefined when the record has no such key. */
export function recGet(record: Rec, key: string): Value | undefined {
  const at = record.shape.at(key);
  return at === undefined ? undefined : record.values[at];
}

/** Type names as messages spell them. */
export function typeName(value: Value): string {
  switch (typeof value) {
    case "string":
      return "string";
    case "number":
      return "number";
    case "boolean":
      return "bool";
    default:
  }
  if (value === null) return "null";
  if (value instanceof List) return "list";
  if (value instanceof Rec) return "record";
  if (value instanceof Tuple) return "tuple";
  if (value instanceof Image) return "image";
  if (value instanceof Resource) return "resource";
  return value.source.typeName;
}
