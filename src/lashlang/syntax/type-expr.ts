// Type expressions: what follows `:` in params, signals and `Type { ... }`, and what a host says about its operations.
// Shared by syntax, linker and host catalogs; JSON data. Stable: the compiler reads these shapes.
import type { Span } from "./span.ts";

export type TypeExpr =
  | ScalarType
  | EnumType
  | ListType
  | ObjectType
  | RefType
  | ProcessType
  | TriggerHandleType
  | UnionType;

export type ScalarTypeKind = "Any" | "Str" | "Int" | "Float" | "Bool" | "Dict" | "Null";

/** What JSON Schema calls them; in source both this and the kind in lower case is understood, and the latter printed. */
export const JSON_TYPE_NAMES: Readonly<Record<Exclude<ScalarTypeKind, "Any">, string>> = {
  Str: "string",
  Int: "integer",
  Float: "number",
  Bool: "boolean",
  Dict: "object",
  Null: "null",
};

export interface ScalarType {
  readonly kind: ScalarTypeKind;
  readonly span?: Span;
}

/** One of a fixed set of strings; a lone string literal is an enum of one value. */
export interface EnumType {
  readonly kind: "Enum";
  readonly values: readonly string[];
  readonly span?: Span;
}

export interface ListType {
  readonly kind: "List";
  readonly item: TypeExpr;
  readonly span?: Span;
}

export interface ObjectType {
  readonly kind: "Object";
  readonly fields: readonly TypeField[];
  readonly span?: Span;
}

export interface TypeField {
  readonly name: string;
  readonly type: TypeExpr;
  readonly optional: boolean;
}

/** A name: a `type` declaration, a host's named data type or resource type; in a `Type` literal, a variable. */
export interface RefType {
  readonly kind: "Ref";
  /** Dotted as written, for example `timer.Tick`. */
  readonly name: string;
  readonly span?: Span;
}

/** A process that can be started. `input` is an object of its params, or what the source wrote. */
export interface ProcessType {
  readonly kind: "Process";
  readonly input: TypeExpr;
  readonly output: TypeExpr;
  readonly inputCount: number;
  readonly span?: Span;
}

export interface TriggerHandleType {
  readonly kind: "TriggerHandle";
  readonly event: TypeExpr;
  readonly span?: Span;
}

/** At least two members, none of them a union. */
export interface UnionType {
  readonly kind: "Union";
  readonly members: readonly TypeExpr[];
  readonly span?: Span;
}
