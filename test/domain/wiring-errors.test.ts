import { expect, test } from "vitest";
import type { LashError } from "../../src/domain/errors.ts";
import * as wiring from "../../src/domain/wiring-errors.ts";

const CAUSE = new Error("EACCES");

/** ER-23: each factory, its code, the data it names, and the ways out by option name. */
const CASES: readonly (readonly [LashError, string, Readonly<Record<string, unknown>>, readonly string[]])[] = [
  [wiring.missingProtocolPlugin(), "missing_protocol_plugin", {}, ["`protocol`"]],
  [wiring.missingModelSpec("acme"), "missing_model_spec", { providerId: "acme" }, ["`model:", "`aiSdk(model)`", "acme"]],
  [wiring.missingModelSpec(), "missing_model_spec", {}, ["`model:"]],
  [wiring.missingChildSessions(), "missing_child_sessions", {}, ["`children: childSessions()`"]],
  [wiring.missingEffectHost(), "missing_effect_host", {}, ["`effectHost`", "`inline()`", "`journaled(store)`"]],
  [wiring.missingAttachmentStore(), "missing_attachment_store", {}, ["`stores.attachments`"]],
  [wiring.missingProcessEnvStore(), "missing_process_env_store", {}, ["`stores.environments`"]],
  [wiring.missingProcessWorkerStoreFactory(), "missing_process_worker_store_factory", {}, ["`store`", "`stores.sessions`"]],
  [wiring.missingProcessRegistry("processes.start"), "missing_process_registry", { operation: "processes.start" }, ["`stores.processes`"]],
  [wiring.missingSessionStoreFactory("s1"), "missing_session_store_factory", { sessionId: "s1" }, ["s1", "`store`"]],
  [wiring.missingPluginTurnInput("plan"), "missing_plugin_turn_input", { pluginId: "plan" }, ["plan", "`pluginInputs`"]],
  [wiring.storeFactoryFailed("s1", CAUSE), "store_factory", { sessionId: "s1" }, ["s1", "EACCES"]],
  [wiring.storeSessionMismatch("a", "b"), "store_session_mismatch", { loaded: "a", requested: "b" }, ["session a", "session b", "`store`"]],
  [
    wiring.durableStorePeerRequired("trigger store"),
    "durable_store_peer_required",
    { facet: "trigger store" },
    ["trigger store", "`stores.triggers`", "`store: memory()`"],
  ],
  [wiring.durableStorePeerRequired("lashlang"), "durable_store_peer_required", { facet: "lashlang" }, ["lashlang", "`processEngines`"]],
  [wiring.durableProcessRegistryRequiresStoreFactory(), "durable_process_registry_requires_store_factory", {}, ["`stores.sessions`"]],
  [
    wiring.processRegistryRequiresStoreFactory(),
    "process_registry_requires_store_factory",
    {},
    ["`store: memory()`", "durable `store`", "`processWorkDriver`"],
  ],
  [wiring.sessionDeleteProcessFailed("s1", CAUSE), "session_delete_process", { sessionId: "s1" }, ["s1", "EACCES", "`deleteSession`"]],
  [wiring.sessionStillInUse("s1", "park"), "session_still_in_use", { sessionId: "s1", operation: "park" }, ["handles", "cancel its turns"]],
  [
    wiring.durableEffectHostRequiresHandlerContext("queued turn"),
    "durable_effect_host_requires_handler_context",
    { operation: "queued turn" },
    ["queued turn", "`effects`", "`turnId`"],
  ],
  [wiring.staticTurnStreamRequiresStaticEffectHost(), "static_turn_stream_requires_static_effect_host", {}, ["onActivity"]],
  [wiring.leaseTimingsInvalid(1000, 500), "lease_timings_invalid", { ttlMs: 1000, renewMs: 500 }, ["`ttlMs`", "`renewMs`"]],
  [wiring.protocolTurnOptionsInvalid(CAUSE), "protocol_turn_options", {}, ["`protocolTurnOptions`"]],
  [wiring.protocolTurnOptionsUndecodable(CAUSE), "decode_protocol_turn_options", {}, ["turn options"]],
  [
    wiring.durableStoreRequired("process_env_store"),
    "durable_store_required:process_env_store",
    { facet: "process_env_store" },
    ["require a durable process execution environment store", "`stores.environments`", "`effectHost: inline()`"],
  ],
  [wiring.persistentStoreRequired("park"), "persistent_store_required", { operation: "park" }, ["park", "`store`"]],
];

test.each(CASES)("ER-23 %s", (error, code, details, texts) => {
  expect(error.code).toBe(code);
  expect(error.details).toEqual(details);
  for (const text of texts) expect(error.message).toContain(text);
});

test("every factory of the file is checked", () => {
  const checked = new Set(CASES.map(([error]) => error.code.replace(/:.*/, "")));
  expect(checked.size).toBe(Object.keys(wiring).length);
});

test("ER-21 a factory that repeats a failure keeps it as cause", () => {
  expect(wiring.storeFactoryFailed("s1", CAUSE).cause).toBe(CAUSE);
  expect(wiring.sessionDeleteProcessFailed("s1", CAUSE).cause).toBe(CAUSE);
  expect(wiring.protocolTurnOptionsInvalid(CAUSE).cause).toBe(CAUSE);
});
