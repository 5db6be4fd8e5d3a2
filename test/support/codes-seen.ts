// codes-seen.json says of each code that can be raised which test file makes the runtime raise it.

import { ERROR_CODES, RESERVED_ERROR_CODES } from "../../src/domain/error-codes.ts";

const codesOf = (table: Readonly<Record<string, readonly string[]>>): ReadonlySet<string> => new Set(Object.values(table).flat());

/** What docs/errors.md lists. */
export const DOCUMENTED_CODES = new Set([...codesOf(ERROR_CODES), "journaled_effect_replay_hash_conflict"]);
export const RESERVED_CODES = codesOf(RESERVED_ERROR_CODES);

/** Folder below the root where test files leave what they saw. */
export const CODES_CACHE = "node_modules/.cache/lash-codes";

/** Codes that tests reach in a way that the watch of test files cannot see, and why. */
export const UNSEEN_CODES: Readonly<Record<string, string>> = {
  await_event_unknown_or_revoked: "said in the message of a failed call, whose code is pending_tool_completion_failed; test/runtime/waits.test.ts",
  runtime_effect_controller: "an executor throws what no part expects; test/machines/turn-pipeline.test.ts says what becomes of it",
  runtime_effect_wrong_outcome: "an effect host answers something else than it was asked; test/machines/turn-pipeline.test.ts",
  missing_done: "a protocol ends a turn without an outcome, which the standard one never does; test/machines",
  runtime_effect_tool_batch_id: "an invariant of the turn's log",
  code_execution_unavailable: "the standard protocol runs no code; test/protocols/standard.test.ts asks it to",
  output_token_cap_exceeds_model_capacity: "a failure of a provider's options, before any turn; test/providers/options.test.ts",
  unsupported_image_format: "a failure of a provider's attachments, before any turn; test/providers/options.test.ts",
  ...Object.fromEntries(
    ["failed", "payload_invalid", "module_artifact_missing", "module_artifact_load_failed", "host_requirements_mismatch", "ref_mismatch", "host_environment_incompatible", "compile_failed", "runtime_error"].map((code) => [
      `process_${code}`,
      "a value that a worker of one's own gets from `lash-runtime/lashlang/durable`; test/lashlang/vm/process-input.test.ts",
    ]),
  ),
};

/** @returns the codes that this test file answers for. */
export const codesSeenIn = (file: string, json: string): readonly string[] =>
  Object.entries(JSON.parse(json) as Readonly<Record<string, string>>).flatMap(([code, seenIn]) => (seenIn === file ? [code] : []));
