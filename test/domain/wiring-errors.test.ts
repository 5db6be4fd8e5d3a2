import { expect, test } from "vitest";
import type { LashError } from "../../src/domain/errors.ts";
import * as wiring from "../../src/domain/wiring-errors.ts";

const CAUSE = new Error("EACCES");

/** ER-23: each factory, its code, the data it names, and the ways out by option name. */
const CASES: readonly (readonly [LashError, string, Readonly<Record<string, unknown>>, readonly string[]])[] = [
  [wiring.missingModelSpec("acme"), "missing_model_spec", { providerId: "acme" }, ["`model:", "`aiSdk(model)`", "acme"]],
  [wiring.missingModelSpec(), "missing_model_spec", {}, ["`model:"]],
  [wiring.missingAttachmentStore(), "missing_attachment_store", {}, ["`attachments`", "`directory(path)`"]],
  [wiring.missingChildSessions(), "missing_child_sessions", {}, ["`children: childSessions()`"]],
  [wiring.sessionStillInUse("s1", "park"), "session_still_in_use", { sessionId: "s1", operation: "park" }, ["handles", "cancel its turns"]],
  [wiring.leaseTimingsInvalid(1000, 500), "lease_timings_invalid", { ttlMs: 1000, renewMs: 500 }, ["`ttlMs`", "`renewMs`"]],
  [wiring.protocolTurnOptionsInvalid(CAUSE), "protocol_turn_options", {}, ["`protocolTurnOptions`"]],
  [wiring.durableAttachmentsRequired(), "durable_store_required:attachment_store", { facet: "attachment_store" }, ["`attachments`", "`directory(path)`", '`effects: "inline"`']],
];

test.each(CASES)("ER-23 %s", (error, code, details, texts) => {
  expect(error.code).toBe(code);
  expect(error.details).toEqual(details);
  for (const text of texts) expect(error.message).toContain(text);
});

test("every factory of the file is checked", () => {
  const checked = new Set(CASES.map(([error]) => error.code));
  expect(checked.size).toBe(Object.keys(wiring).length);
});

test("ER-21 a factory that repeats a failure keeps it as cause", () => {
  expect(wiring.protocolTurnOptionsInvalid(CAUSE).cause).toBe(CAUSE);
});
