// Projected values: read-only views of something the host keeps, asked for piece by piece (`LL-88`).
// A source is synchronous: only host effects suspend a program (`LL-98`). What it answers must equal what the same
// question to its materialized value gives; a question it does not answer is put to the materialized value.
import type { Json } from "./json-value.ts";

export type ProjectionQuestion =
  | { readonly kind: "Len" | "Empty" | "Truthy" | "Keys" | "Values" | "Trim" | "ToNumber" | "JsonParse" | "Render" }
  | { readonly kind: "Field"; readonly name: string }
  | { readonly kind: "Index"; readonly index: Json }
  | { readonly kind: "Contains" | "StartsWith" | "EndsWith" | "GrepText" | "Push"; readonly argument: Json }
  | { readonly kind: "Find"; readonly needle: Json; readonly start: Json }
  | { readonly kind: "Split" | "Join"; readonly separator: Json }
  | { readonly kind: "Slice"; readonly from: Json; readonly to: Json };

/** Where a projection comes from, so that a restored program finds it again. */
export interface ProjectionRef {
  readonly kind: string;
  readonly key: string;
}

/**
 * A host's read-only value. It must not change while a program that sees it runs.
 * Throwing from any method ends the program with the error's message.
 */
export interface ProjectionSource {
  /** What messages call its type: one of the language's type names, or the host's own word. */
  readonly typeName: string;
  /** Set when the source can be found again after a restart; a nested source may carry its own. */
  readonly ref?: ProjectionRef;
  /** The whole value. */
  materialize(): Json;
  /** The answer, or undefined for "ask the materialized value". */
  ask?(question: ProjectionQuestion): Json | undefined;
  /** The projection behind `.name` or `[index]`, or undefined for "look into the materialized value". */
  child?(step: string | number): ProjectionSource | undefined;
}

/** A program's view of a source under the path it was reached by, for example `items[1]`. */
export class Projected {
  readonly name: string;
  readonly source: ProjectionSource;
  constructor(name: string, source: ProjectionSource) {
    this.name = name;
    this.source = source;
  }
}

/** A source that holds its value already. */
export function inlineProjection(value: Json, ref?: ProjectionRef): ProjectionSource {
  const source: ProjectionSource = { typeName: jsonTypeName(value), materialize: () => value };
  return ref === undefined ? source : { ...source, ref };
}

/** What a nested projection becomes when a snapshot is restored without its source. */
export function unavailableProjection(name: string, typeName: string, ref?: ProjectionRef): ProjectionSource {
  const source: ProjectionSource = {
    typeName,
    materialize: () => `<projected \`${name}\` (${typeName}) unavailable after snapshot restore>`,
  };
  return ref === undefined ? source : { ...source, ref };
}

function jsonTypeName(value: Json): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "list";
  if (typeof value === "object") return "record";
  return typeof value === "boolean" ? "bool" : typeof value;
}
