// What a program may conclude from a code and its details. Predicates read nothing else, so an error that crossed a wire
// or a journal answers as the original did.
import type { ErrorFamily, KnownErrorCode } from "./error-codes.ts";
import type { JsonObject } from "./json.ts";

/** ER-17: the attempt changed nothing and may be repeated as it is, unless its details say that a turn was accepted (ME-25). */
const RETRYABLE: ReadonlySet<string> = new Set<KnownErrorCode>(["session_execution_busy", "session_execution_lease_lost"]);

/** Whether these may be repeated depends on `details.accepted` alone, as it does for every error of a store (ME-25). */
const OF_A_TURN: ReadonlySet<string> = new Set<KnownErrorCode>([
  "session_execution_busy",
  "session_execution_lease_lost",
  "store_commit_failed",
  "lash_closed",
  "turn_suspended",
]);

/** The id belongs to other content: repeating gives the same answer for ever. */
const TAKEN: ReadonlySet<string> = new Set<KnownErrorCode>(["runtime_turn_commit_conflict", "pending_turn_input_source_key_conflict"]);

/** ER-18: repeating cannot help before somebody changes the wiring or the call. Unknown facets stay out (ER-3, ER-19). */
const TERMINAL: ReadonlySet<string> = new Set<KnownErrorCode>([
  "missing_execution_scope_id",
  "execution_scope_turn_id_mismatch",
  "missing_process_execution_id",
  "durable_store_required:attachment_store",
  "durable_store_required:process_env_store",
  "durable_store_required:session_store",
  "durable_store_required:process_registry",
  "durable_store_required:trigger_store",
  "durable_effect_live_protocol_extension",
  "durable_effect_live_plugin_input",
  "persistent_store_required",
  "provider_mismatch",
  "provider_unconfigured",
  "provider_unavailable",
  "code_execution_unavailable",
  // Column T of errors.md section 5.
  "missing_protocol_plugin",
  "missing_model_spec",
  "missing_effect_host",
  "missing_attachment_store",
  "missing_process_env_store",
  "missing_process_worker_store_factory",
  "missing_process_registry",
  "missing_session_store_factory",
  "missing_child_sessions",
  "missing_plugin_turn_input",
  "store_session_mismatch",
  "durable_store_peer_required",
  "durable_process_registry_requires_store_factory",
  "process_registry_requires_store_factory",
  "durable_effect_host_requires_handler_context",
  "static_turn_stream_requires_static_effect_host",
  // OP-18.
  "session_id_retired",
  "session_fact_pinned",
  "machine_version_unsupported",
  "stored_row_invalid",
  "store_foreign",
  "store_log_missing",
  "store_version_unsupported",
]);

/** @returns whether the error is about a turn, or may be: then its details name the turn and say whether it was accepted. */
export const isOfTurn = (code: string): boolean => OF_A_TURN.has(code) || familyOf(code) === "store";

/** @returns whether the same call may be repeated with backoff and says nothing twice; false means "no typed signal". */
export function isRetryable(code: string, { accepted, causeCode = "" }: JsonObject = {}): boolean {
  if (typeof accepted !== "boolean" || !isOfTurn(code)) return RETRYABLE.has(code);
  const isHopeless = [code, String(causeCode)].some((each) => isTerminalCode(each) || TAKEN.has(each));
  return !accepted && !isHopeless;
}

/** @returns whether repeating is pointless before something is changed; never true together with `isRetryable`. */
export const isTerminalCode = (code: string): boolean => TERMINAL.has(code);

/** First match wins; a test holds these against the table in error-codes.ts. */
const FAMILY_RULES: readonly (readonly [ErrorFamily, RegExp])[] = [
  ["runtime", /^(durable_store_required:|durable_effect_live_|missing_(execution|process_execution)_)/],
  [
    "effect",
    /^(runtime_effect_|runtime_store$|restate_|durable_effects?_(?!host_)|process_signal_wait_|tool_(catalog_res|batch_|attempt_retry))|_effect_replay_/,
  ],
  ["session", /^(session(_io|_json|_protocol)?|provider_(mismatch|un\w+)|code_execution_\w+|persistent_store_required)$/],
  [
    "store",
    /^(stored?_(row_|foreign|log_|version_|full|un|backend|outcome_)|session_binding_|unsupported_re|head_revision_|runtime_turn_commit_|session_execution_lease_expired|(missing|invalid)_record_|turn_step_)|_(claim_superseded|source_key_conflict)$/,
  ],
  [
    "wiring",
    /^(missing_(?!done)|store_(factory|session)|durable_|process_registry_req|static_turn_|session_(delete_|still_)|lease_timings_|tool_schema_|duplicate_tool_|control$|(decode_)?protocol_turn_options)/,
  ],
  ["plugin", /^plugin(_registration|_missing|_snapshot|_invoke|_session|_operation_\w+)?$/],
  [
    "provider",
    /^(output_(limit|token)|context_overflow|content_filter|empty_response|attachment_resolution|plugin_assistant_|task_join_|provider_|unsupported_image|invalid_structured)/,
  ],
  ["issue", /^(cancelled$|max_turns$|token_budget$|turn_timeout$|invalid_(turn|driver)_|reconfigure_|before_llm_|missing_done|assistant_output_)/],
  ["tool", /^(tool_|invalid_tool_|(prepared|granted|before|after|pending)_tool_|plugin_session_create_)/],
  ["process", /^(process(es)?_|external_process_)/],
  ["trigger", /^trigger_/],
  ["observation", /^(session_cursor_|live_replay_)/],
  ["attachment", /^attachment_/],
  ["remote", /^remote_/],
  ["trace", /^trace_/],
];

/** @returns the family that owns `code`; codes nobody claims are the runtime's (ER-2 reads them as its `other`). */
export const familyOf = (code: string): ErrorFamily => FAMILY_RULES.find(([, rule]) => rule.test(code))?.[0] ?? "runtime";
