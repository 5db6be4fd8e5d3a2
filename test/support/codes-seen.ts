// codes-seen.json says of each code that can be raised which test file makes the runtime raise it.

import { ERROR_CODES, RESERVED_ERROR_CODES } from "../../src/domain/error-codes.ts";

const codesOf = (table: Readonly<Record<string, readonly string[]>>): ReadonlySet<string> => new Set(Object.values(table).flat());

/** What docs/errors.md lists. */
export const DOCUMENTED_CODES = new Set([...codesOf(ERROR_CODES), "journaled_effect_replay_hash_conflict"]);
export const RESERVED_CODES = codesOf(RESERVED_ERROR_CODES);

/** Folder below the root where test files leave what they saw. */
export const CODES_CACHE = "node_modules/.cache/lash-codes";

/** Codes that tests reach in a way that the watch of test files cannot see, and why. */
export const UNSEEN_CODES: Readonly<Record<string, string>> = {};

/** @returns the codes that this test file answers for. */
export const codesSeenIn = (file: string, json: string): readonly string[] =>
  Object.entries(JSON.parse(json) as Readonly<Record<string, string>>).flatMap(([code, seenIn]) => (seenIn === file ? [code] : []));
