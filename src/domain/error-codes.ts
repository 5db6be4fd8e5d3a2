// Every code this runtime gives to an error, a turn issue or a tool failure, by the part that owns it (ER-2): what can be raised, and
// what is reserved. docs/errors.md lists the first; what a test run has seen of them is in test/support/codes-seen.json.
// Types for the compiler and data for tests and docs/errors.md: no runtime file may import the table itself,
// so that bundlers drop it. What a program has to know about a code at run time is in error-traits.ts.

export const ERROR_CODES = {
  /** Thrown by turns, drains, waits and commands; the attempt committed nothing unless docs/errors.md says so. */
  runtime: [
    "session_execution_busy",
    "session_execution_lease_lost",
    "store_commit_failed",
    "missing_execution_scope_id",
    "execution_scope_turn_id_mismatch",
    "durable_store_required:attachment_store",
    "durable_effect_live_protocol_extension",
    "durable_effect_live_plugin_input",
    "plugin_prepare_turn",
    "plugin_checkpoint",
    "plugin_finalize_turn",
    "context_prepare_turn",
    "llm_provider",
    "live_replay",
    "session_command_idempotency_key",
    "session_command_claim",
    "session_command_refresh",
    "session_command_refresh_tools",
    "await_event_unknown_or_revoked",
    "session_closed",
    "lash_closed",
    "unknown_turn",
    "turn_suspended",
    "turn_recovery_exhausted",
    "turn_abandoned",
    "session_id_retired",
    "session_already_exists",
    "session_fact_pinned",
    "session_options_failed",
    "machine_version_unsupported",
    "limit_exceeded",
    "invalid_argument",
    "unsupported_media",
    "json_invalid",
  ],
  /** Faults at the effect boundary; E-7 decides between throw and outcome. Journals add `EffectReplayCode`. */
  effect: [
    "runtime_effect_controller",
    "runtime_effect_wrong_outcome",
    "runtime_effect_tool_batch_id",
    "durable_effects_unavailable_in_tool_attempt",
  ],
  /** Raised by open, refresh and import; no durable change. */
  session: [
    "provider_mismatch",
    "provider_unconfigured",
    "code_execution_unavailable",
  ],
  /** Raised by stores and engines; a rejected operation leaves the store unchanged, except `store_outcome_unknown`. */
  store: [
    "session_binding_mismatch",
    "head_revision_conflict",
    "runtime_turn_commit_conflict",
    "queued_work_claim_superseded",
    "turn_input_claim_superseded",
    "pending_turn_input_source_key_conflict",
    "session_execution_lease_expired",
    "missing_record_schema_version",
    "invalid_record_schema_version",
    "unsupported_record_schema_version",
    "stored_row_invalid",
    "store_foreign",
    "store_log_missing",
    "store_version_unsupported",
    "store_full",
    "store_unavailable",
    "store_outcome_unknown",
    "store_backend",
    "turn_step_conflict",
  ],
  /** Raised by createLash, openSession, park, close and delete: what was wired does not fit what was asked. */
  wiring: [
    "missing_model_spec",
    "missing_attachment_store",
    "missing_child_sessions",
    "session_still_in_use",
    "lease_timings_invalid",
    "tool_schema_missing",
    "duplicate_tool_name",
    "protocol_turn_options",
  ],
  plugin: [
    "plugin_registration",
    "plugin_missing",
    "plugin_snapshot",
    "plugin_invoke",
    "plugin_session",
    "plugin_operation_unknown",
    "plugin_operation_failed",
  ],
  /** Never thrown to a host: codes of turn issues around the model call. */
  provider: [
    "output_limit",
    "context_overflow",
    "content_filter",
    "provider_error",
    "empty_response",
    "output_token_cap_exceeds_model_capacity",
    "attachment_resolution_failed",
    "plugin_assistant_stream",
    "plugin_assistant_response",
    "unsupported_image_format",
    "invalid_structured_output",
  ],
  /** Never thrown to a host: codes of the other turn issues (errors.md section 2). */
  issue: [
    "cancelled",
    "max_turns",
    "token_budget",
    "turn_timeout",
    "invalid_turn_input",
    "reconfigure_failed",
    "before_llm_call_failed",
    "missing_done",
    "assistant_output_recovered_from_state",
  ],
  /** Failures of tool calls are data for the model; only `tool_reconfigure_*` is thrown. */
  tool: [
    "tool_unavailable",
    "tool_missing",
    "invalid_tool_args",
    "before_tool_call_failed",
    "after_tool_call_failed",
    "plugin_session_create_failed",
    "tool_denied",
    "tool_interrupted",
    "tool_completion_timeout",
    "tool_timeout",
    "tool_result_unknown",
    "pending_tool_missing_completion_key",
    "pending_tool_completion_failed",
    "pending_tool_short_circuit",
    "tool_reconfigure_validation",
    "tool_reconfigure_unknown_source",
    "tool_reconfigure_generation_mismatch",
  ],
  /** Registry calls throw these; end states of a process carry them as values. */
  process: [
    "process_failed",
    "process_payload_invalid",
    "process_module_artifact_missing",
    "process_module_artifact_load_failed",
    "process_host_requirements_mismatch",
    "process_ref_mismatch",
    "process_host_environment_incompatible",
    "process_compile_failed",
    "process_runtime_error",
  ],
  /** Cursors and live replay; a host sees the replay ones as `live_replay`. */
  observation: [
    "session_cursor_malformed",
    "session_cursor_wrong_session",
    "live_replay_store",
    "live_replay_lagged",
    "live_replay_closed",
  ],
  attachment: [
    "attachment_not_found",
    "attachment_damaged",
  ],
  trace: ["trace_flush"],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/**
 * Codes of parts that are still to come, kept so that a program, a log and a newer version mean the same by them. Nothing raises them
 * and docs/errors.md does not list them; the code that raises one first moves it to the table above.
 */
export const RESERVED_ERROR_CODES = {
  runtime: [
    "missing_process_execution_id",
    "runtime",
    "queued_work",
    "protocol_before_llm_call",
    "durable_store_required:process_env_store",
    "durable_store_required:session_store",
    "durable_store_required:process_registry",
    "durable_store_required:trigger_store",
    "plugin_session_manager",
    "protocol_turn_extension",
    "protocol_restore_session",
    "turn_stream_join",
    "empty_agent_frame_run",
    "checkpoint_messages",
    "session_command_reset",
    "session_head_refresh",
    "session_tool_registry",
    "await_event_unsupported",
    "await_event_cancel_unsupported",
    "await_event_key_hash",
    "await_event_key_sign",
    "await_event_registry_poisoned",
    "invalid_await_event_wait_identity",
  ],
  effect: [
    "runtime_effect_local_executor_mismatch",
    "runtime_effect_local_executor_unavailable",
    "runtime_effect_invocation_subject",
    "runtime_effect_invocation_kind",
    "runtime_effect_replay_required",
    "runtime_effect_envelope_hash",
    "runtime_effect_sleep_cancelled",
    "runtime_effect_durable_step_id",
    "runtime_effect_tool_attempt_call_id",
    "runtime_effect_tool_attempt_index",
    "runtime_effect_tool_batch_empty",
    "runtime_effect_tool_batch_call_id",
    "runtime_effect_tool_batch_call_replay",
    "runtime_effect_attachment_store",
    "runtime_effect_attachment_media_type",
    "runtime_effect_attachment_missing_reference",
    "runtime_store",
    "tool_catalog_resolution_failed",
    "tool_batch_missing_result",
    "tool_batch_result_count_mismatch",
    "process_signal_wait_timeout",
    "process_signal_wait_cancelled",
    "durable_effects_unavailable",
    "durable_effects_missing_call_id",
    "durable_effect_empty_step_id",
    "durable_effect_duplicate_step_id",
    "durable_effect_empty_event_key",
    "durable_effect_event_timeout",
    "durable_effect_event_cancelled",
    "durable_effect_process_event_unavailable",
    "tool_attempt_retry_sleep_unavailable",
    "restate_effect_hash_mismatch",
    "restate_effect_host_requires_handler_scope",
    "restate_await_event_requires_handler",
    "restate_await_event_cancel_by_session_unsupported",
    "restate_process_runner_failed",
  ],
  session: [
    "provider_unavailable",
    "code_execution_runtime_stopped",
    "session_io",
    "session_json",
    "session_protocol",
    "persistent_store_required",
    "session",
  ],
  store: [
    "unsupported_read_scope",
  ],
  wiring: [
    "missing_protocol_plugin",
    "missing_effect_host",
    "missing_process_env_store",
    "missing_process_worker_store_factory",
    "missing_process_registry",
    "missing_session_store_factory",
    "missing_plugin_turn_input",
    "store_factory",
    "store_session_mismatch",
    "durable_store_peer_required",
    "durable_process_registry_requires_store_factory",
    "process_registry_requires_store_factory",
    "durable_effect_host_requires_handler_context",
    "static_turn_stream_requires_static_effect_host",
    "session_delete_process",
    "decode_protocol_turn_options",
    "control",
  ],
  plugin: [
    "plugin_operation_unknown_session",
    "plugin_operation_missing_session",
    "plugin_operation_unexpected_session",
    "plugin_operation_session_registry_poisoned",
    "plugin",
  ],
  provider: [
    "task_join_failed",
    "provider_binding_mismatch",
    "provider_panicked",
  ],
  issue: [
    "invalid_turn_options",
    "invalid_driver_state",
  ],
  tool: [
    "tool_contract_unavailable",
    "tool_error",
    "prepared_tool_id_mismatch",
    "granted_tool_id_mismatch",
    "tool_attempt_failed",
    "tool_retry_sleep_failed",
    "tool_retry_loop_failed",
    "tool_retry_exhaustion_failed",
    "tool_panicked",
    "tool_completion_key_missing_call_id",
  ],
  process: [
    "process_unknown",
    "process_not_visible",
    "process_already_terminal",
    "process_registration_conflict",
    "process_event_replay_conflict",
    "process_event_type_undeclared",
    "process_event_payload_invalid",
    "process_execution_env_missing",
    "process_engine_missing",
    "process_externally_owned",
    "process_lease_expired",
    "processes_unavailable",
    "process_recovery_failed",
    "process_abandoned",
    "process_tool_failed",
    "external_process_not_executable",
    "process_tool_catalog_failed",
    "process_host_environment_invalid",
    "process_run_context_failed",
    "process_session_create_failed",
    "process_session_turn_failed",
    "process_session_turn_scope_failed",
  ],
  trigger: [
    "trigger_source_type_missing",
    "trigger_source_type_unknown",
    "trigger_source_key_missing",
    "trigger_idempotency_key_missing",
    "trigger_idempotency_conflict",
    "trigger_occurrence_unknown",
    "trigger_payload_invalid",
    "trigger_target_not_engine_process",
    "trigger_target_mismatch",
    "trigger_input_invalid",
    "trigger_process_registry_missing",
    "trigger_store_unavailable",
  ],
  attachment: [
    "attachment_io",
    "attachment_missing_meta",
    "attachment_metadata_decode",
    "attachment_manifest_record_failed",
    "attachment_backend",
  ],
  remote: [
    "remote_version_unsupported",
    "remote_version_mismatch",
    "remote_field_missing",
    "remote_envelope_invalid",
    "remote_image_blob_invalid",
    "remote_attachment_reference_invalid",
    "remote_input_not_remote_safe",
    "remote_tool_binding_missing",
    "remote_tool_grant_invalid",
    "remote_call_path_duplicate",
    "remote_registry_reopen_mismatch",
    "remote_protocol",
  ],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** The part of the runtime that owns a code; an error that is passed on has the family of who passed it on. */
export type ErrorFamily = keyof typeof ERROR_CODES | keyof typeof RESERVED_ERROR_CODES;

type CodesOf<Family extends keyof typeof ERROR_CODES> = (typeof ERROR_CODES)[Family][number];

/** A code of a part that is still to come: known, and raised by nothing. */
export type ReservedErrorCode = { [Family in keyof typeof RESERVED_ERROR_CODES]: (typeof RESERVED_ERROR_CODES)[Family][number] }[keyof typeof RESERVED_ERROR_CODES];

/** What a replay journal can find wrong with a row. */
export type EffectReplayFault =
  | "key_missing"
  | "missing"
  | "hash_conflict"
  | "lease_lost"
  | "encode"
  | "decode"
  | "corrupt_row"
  | "store";

/** `journaled_effect_replay_hash_conflict` and its like: the backend names itself. */
export type EffectReplayCode = `${string}_effect_replay_${EffectReplayFault}`;

export type RuntimeErrorCode = CodesOf<"runtime">;
export type EffectErrorCode = CodesOf<"effect"> | EffectReplayCode;
export type SessionErrorCode = CodesOf<"session">;
export type StoreErrorCode = CodesOf<"store">;
export type WiringErrorCode = CodesOf<"wiring">;
export type PluginErrorCode = CodesOf<"plugin">;
export type ProviderErrorCode = CodesOf<"provider">;
export type ToolErrorCode = CodesOf<"tool">;
export type ProcessErrorCode = CodesOf<"process">;
export type ObservationErrorCode = CodesOf<"observation">;
export type AttachmentErrorCode = CodesOf<"attachment">;

/** Every code this version knows. */
export type KnownErrorCode = CodesOf<keyof typeof ERROR_CODES> | ReservedErrorCode | EffectReplayCode;

/** A wire code: one this version knows, or any other string, kept as it came. */
export type ErrorCode = KnownErrorCode | (string & {});
