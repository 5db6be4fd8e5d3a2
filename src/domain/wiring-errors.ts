// Wiring mistakes: each message names the part, its data and every way out in our option names (ER-23).
// The option names stand here and nowhere else, so that a rename is one edit.
import type { DurableFacet } from "./error-codes.ts";
import { errorText } from "./error-mapping.ts";
import { type LashError, runtimeError, sessionError, wiringError } from "./errors.ts";

/** The facets of errors.md section 5; an engine is named by its kind. */
export type PeerFacet =
  | "attachment store"
  | "process execution environment store"
  | "session store factory"
  | "process registry"
  | "trigger store";

const OPTION: Readonly<Record<PeerFacet, string>> = {
  "attachment store": "stores.attachments",
  "process execution environment store": "stores.environments",
  "session store factory": "stores.sessions",
  "process registry": "stores.processes",
  "trigger store": "stores.triggers",
};

const PEER_OF: Readonly<Record<DurableFacet, PeerFacet>> = {
  attachment_store: "attachment store",
  process_env_store: "process execution environment store",
  session_store: "session store factory",
  process_registry: "process registry",
  trigger_store: "trigger store",
};

/** "or" before the last way out; every message ends with it. */
const waysOut = (...ways: readonly string[]): string => ways.join(", or ");
const OMIT = (option: string): string => `leave \`${option}\` out to get the one of \`store\``;
const NAME_DURABLE = (option: string): string => `name a durable one in \`${option}\``;

export const missingProtocolPlugin = (): LashError =>
  wiringError(
    "missing_protocol_plugin",
    `no protocol: ${waysOut("leave `protocol` out for the standard one", "name one, such as `protocol: rlm()`")}`,
  );

/** @param providerId - the provider that names no model of its own, where there is one. */
export const missingModelSpec = (providerId?: string): LashError =>
  wiringError(
    "missing_model_spec",
    `no model${providerId === undefined ? "" : ` for provider ${providerId}`}: ${waysOut('pass `model: { id: "…" }`', "use a provider that names its model, such as `aiSdk(model)`")}`,
    providerId === undefined ? {} : { details: { providerId } },
  );

export const missingChildSessions = (): LashError =>
  wiringError("missing_child_sessions", "no child sessions: pass `children: childSessions()` of `lash-runtime/children` to createLash");

export const missingEffectHost = (): LashError =>
  wiringError(
    "missing_effect_host",
    `no effect host: ${waysOut("leave `effectHost` out to let `store` decide", "name `inline()`", "name `journaled(store)`")}`,
  );

export const missingAttachmentStore = (): LashError =>
  wiringError("missing_attachment_store", `no attachment store: ${waysOut(OMIT("stores.attachments"), "name one there")}`);

export const missingProcessEnvStore = (): LashError =>
  wiringError(
    "missing_process_env_store",
    `no process execution environment store: ${waysOut(OMIT("stores.environments"), "name one there")}`,
  );

export const missingProcessWorkerStoreFactory = (): LashError =>
  wiringError(
    "missing_process_worker_store_factory",
    `a process worker needs session stores: ${waysOut("pass `store`", "name `stores.sessions`")}`,
  );

/** @param operation - the process call that needs the registry. */
export const missingProcessRegistry = (operation: string): LashError =>
  wiringError("missing_process_registry", `${operation} needs a process registry: ${waysOut("pass `store`", "name `stores.processes`")}`, {
    details: { operation },
  });

export const missingSessionStoreFactory = (sessionId: string): LashError =>
  wiringError(
    "missing_session_store_factory",
    `session ${sessionId} cannot be deleted without session stores: ${waysOut("pass `store`", "name `stores.sessions`")}`,
    { details: { sessionId } },
  );

export const missingPluginTurnInput = (pluginId: string): LashError =>
  wiringError(
    "missing_plugin_turn_input",
    `plugin ${pluginId} needs an input in every turn: ${waysOut("pass it in `pluginInputs`", "open the session without that plugin")}`,
    { details: { pluginId } },
  );

/** Creating or deleting a session's store failed; neither retryable nor terminal (ER-22). */
export const storeFactoryFailed = (sessionId: string, cause: unknown): LashError =>
  wiringError("store_factory", `the store of session ${sessionId} cannot be created or deleted: ${errorText(cause)}`, {
    details: { sessionId },
    cause,
  });

export const storeSessionMismatch = (loaded: string, requested: string): LashError =>
  wiringError(
    "store_session_mismatch",
    `the store given for session ${requested} holds session ${loaded}: ${waysOut(`open session ${loaded}`, "pass another `store`")}`,
    { details: { loaded, requested } },
  );

/** @param facet - the ephemeral peer of a durable part; any other string is the kind of a process engine. */
export function durableStorePeerRequired(facet: PeerFacet | (string & {})): LashError {
  const option = Object.hasOwn(OPTION, facet) ? OPTION[facet as PeerFacet] : "processEngines";
  return wiringError(
    "durable_store_peer_required",
    `a durable part is wired beside an ephemeral ${facet}: ${waysOut(OMIT(option), NAME_DURABLE(option), "make every part ephemeral with `store: memory()`")}`,
    { details: { facet } },
  );
}

export const durableProcessRegistryRequiresStoreFactory = (): LashError =>
  wiringError(
    "durable_process_registry_requires_store_factory",
    `a durable process registry needs durable session stores: ${waysOut("pass a durable `store`", NAME_DURABLE("stores.sessions"))}`,
  );

export const processRegistryRequiresStoreFactory = (): LashError =>
  wiringError(
    "process_registry_requires_store_factory",
    `processes run in this host, which has no session stores: ${waysOut("pass `store: memory()`", "pass a durable `store`", "name an external `processWorkDriver`")}`,
  );

/** Cleanup of processes, triggers or waits failed; the session's store is still there, so the call may be repeated. */
export const sessionDeleteProcessFailed = (sessionId: string, cause: unknown): LashError =>
  wiringError(
    "session_delete_process",
    `session ${sessionId} still exists, its processes, triggers or waits could not be removed: ${errorText(cause)}; call \`deleteSession\` again`,
    { details: { sessionId }, cause },
  );

/** @param operation - `park` or `close`. */
export const sessionStillInUse = (sessionId: string, operation: string): LashError =>
  wiringError(
    "session_still_in_use",
    `session ${sessionId} cannot ${operation} while it is in use: drop its other handles, and finish or cancel its turns`,
    { details: { sessionId, operation } },
  );

/** @param operation - `turn`, `turn stream` or `queued turn`. */
export const durableEffectHostRequiresHandlerContext = (operation: string): LashError =>
  wiringError(
    "durable_effect_host_requires_handler_context",
    `${operation} runs on an engine's effect host: pass \`effects\` of the current handler together with an explicit \`turnId\``,
    { details: { operation } },
  );

export const staticTurnStreamRequiresStaticEffectHost = (): LashError =>
  wiringError(
    "static_turn_stream_requires_static_effect_host",
    "a turn on an engine's effect host cannot be pulled: use the pushed form, `session.run(input, { effects, onActivity })`",
  );

/** Lease timings: TTL at least three renewals, both at least 1 ms (PR-80). */
export const leaseTimingsInvalid = (ttlMs: number, renewMs: number): LashError =>
  wiringError("lease_timings_invalid", `lease of ${ttlMs} ms renewed every ${renewMs} ms: \`ttlMs\` must be at least 3 x \`renewMs\`, both at least 1`, {
    details: { ttlMs, renewMs },
  });

/** Turn options that are no JSON, refused before anything is accepted (ER-24). */
export const protocolTurnOptionsInvalid = (cause: unknown): LashError =>
  wiringError("protocol_turn_options", `\`protocolTurnOptions\` must be JSON: ${errorText(cause)}`, { cause });

/** Stored turn options that do not fit the type they are read as (ER-24). */
export const protocolTurnOptionsUndecodable = (cause: unknown): LashError =>
  wiringError("decode_protocol_turn_options", `the stored protocol turn options do not fit: ${errorText(cause)}`, { cause });

/** E-34: thrown at turn start and by workers, in the order of `DurableFacet`. */
export function durableStoreRequired(facet: DurableFacet): LashError {
  const peer = PEER_OF[facet];
  const option = OPTION[peer];
  return runtimeError(
    `durable_store_required:${facet}`,
    `durable effect hosts require a durable ${peer}: ${waysOut(OMIT(option), NAME_DURABLE(option), "use `effectHost: inline()`")}`,
    { details: { facet } },
  );
}

/** S-88: a call that needs a store where none is wired. */
export const persistentStoreRequired = (operation: string): LashError =>
  sessionError("persistent_store_required", `${operation} needs a store: pass \`store\`, such as \`sqlite(path)\` or \`indexedDb(name)\``, {
    details: { operation },
  });
