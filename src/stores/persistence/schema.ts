// Rows are parsed where they come from disk (P-5, C-44): a bad one is a typed error that names its key, never skipped.

import * as z from "zod/mini";
import { storeError } from "../../domain/errors.ts";
import { isPlainObject, type Json } from "../../domain/json.ts";
import { type Message, needsVersion2 } from "../../domain/messages.ts";
import type { Key, Value } from "../engine.ts";
import { describeKey } from "../keys.ts";

// Zod otherwise compiles checkers with `new Function`, which pages with a strict CSP forbid and report.
z.config({ jitless: true });

/** Of every record that carries one, unless it holds something that version 1 does not know. */
export const SCHEMA_VERSION = 1;

/** Of records with messages that version 1 would misread: an older reader refuses them and names both versions. */
export const CONTENT_VERSION = 2;

/** Of turns in flight that have parked: rows of theirs lie where older builds do not look. */
export const PARKED_VERSION = 3;

/** Schema field of a record that carries its version; `checkVersion` has looked at it before. */
export const schemaVersion = z.literal(SCHEMA_VERSION);

/** The same of a record that holds messages. */
export const contentVersion = z.union([z.literal(SCHEMA_VERSION), z.literal(CONTENT_VERSION)]);

/** The version that a record with these messages is written with. */
export const versionFor = (messages: readonly Message[]): typeof SCHEMA_VERSION | typeof CONTENT_VERSION =>
  messages.some(needsVersion2) ? CONTENT_VERSION : SCHEMA_VERSION;

/** JSON that only its owner understands: the engine already guarantees that it is JSON. */
export const opaque = z.custom<Json>((value) => value !== undefined);
export const count = z.int().check(z.nonnegative());

/** @throws LashError `stored_row_invalid`, with the key and what is wrong, without the content. */
export function invalidRow(recordKind: string, key: Key, problem: string): Error {
  return storeError("stored_row_invalid", `stored row ${describeKey(key)} is no valid ${recordKind}: ${problem}`, {
    details: { recordKind, key: [...key], problem },
  });
}

/** What rows of this process were found or made to fit. */
const fits = new WeakMap<object, z.ZodMiniType>();

/**
 * Remembers that a row which is about to be set fits its schema: an engine that hands out the very value again, frozen as all
 * values are (E5), spares parsing it. A row that was ever text is another value, and is parsed.
 */
export function fitting<Schema extends z.ZodMiniType, Row extends z.output<Schema> & object>(schema: Schema, row: Row): Row {
  fits.set(row, schema);
  return row;
}

/**
 * Parses a stored row.
 *
 * @throws LashError `stored_row_invalid` - it does not fit `schema`.
 */
export function parseRow<Schema extends z.ZodMiniType>(schema: Schema, recordKind: string, key: Key, value: Value): z.output<Schema> {
  if (typeof value === "object" && value !== null && fits.get(value) === schema) return value as z.output<Schema>;
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = issue === undefined || issue.path.length === 0 ? "the row" : issue.path.map(String).join(".");
  throw invalidRow(recordKind, key, `${path} (${issue?.code ?? "unknown"})`);
}

/**
 * Parses a record with a version: the version is judged before the content.
 *
 * @throws LashError `missing_record_schema_version`, `invalid_record_schema_version`, `unsupported_record_schema_version`.
 */
export function parseRecord<Schema extends z.ZodMiniType>(schema: Schema, recordKind: string, key: Key, value: Value, newest: number = SCHEMA_VERSION): z.output<Schema> {
  checkVersion(recordKind, key, value, newest);
  return parseRow(schema, recordKind, key, value);
}

/** Of rows that carry a version only where it is not the first one. @throws as `parseRecord`. */
export function parseVersioned<Schema extends z.ZodMiniType>(schema: Schema, recordKind: string, key: Key, value: Value): z.output<Schema> {
  if (isPlainObject(value) && value["schemaVersion"] !== undefined) checkVersion(recordKind, key, value, CONTENT_VERSION);
  return parseRow(schema, recordKind, key, value);
}

/** @param newest - highest version that is read of this kind of record. */
export function checkVersion(recordKind: string, key: Key, value: Value, newest: number = SCHEMA_VERSION): void {
  if (!isPlainObject(value)) throw invalidRow(recordKind, key, "the row is no object");
  const actual = value["schemaVersion"];
  if (actual === SCHEMA_VERSION || (typeof actual === "number" && Number.isSafeInteger(actual) && actual > SCHEMA_VERSION && actual <= newest)) return;
  const details = { recordKind, key: [...key], expected: newest };
  const row = `stored row ${describeKey(key)} (${recordKind})`;
  if (actual === undefined) throw storeError("missing_record_schema_version", `${row} has no schemaVersion`, { details });
  if (typeof actual !== "number" || !Number.isSafeInteger(actual)) {
    throw storeError("invalid_record_schema_version", `${row} has a schemaVersion that is no whole number`, { details });
  }
  throw storeError("unsupported_record_schema_version", `${row} has schemaVersion ${actual}; this version reads ${newest}; open it with a newer version of lash-runtime`, {
    details: { ...details, actual },
  });
}
