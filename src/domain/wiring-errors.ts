// Wiring mistakes: each message names the part, its data and every way out in our option names (ER-23).
// The option names stand here and nowhere else, so that a rename is one edit.
import { errorText } from "./error-mapping.ts";
import { type LashError, runtimeError, wiringError } from "./errors.ts";

/** "or" before the last way out; every message ends with it. */
const waysOut = (...ways: readonly string[]): string => ways.join(", or ");

/** @param providerId - the provider that names no model of its own, where there is one. */
export const missingModelSpec = (providerId?: string): LashError =>
  wiringError(
    "missing_model_spec",
    `no model${providerId === undefined ? "" : ` for provider ${providerId}`}: ${waysOut('pass `model: { id: "…" }`', "use a provider that names its model, such as `aiSdk(model)`")}`,
    providerId === undefined ? {} : { details: { providerId } },
  );

export const missingChildSessions = (): LashError =>
  wiringError("missing_child_sessions", "no child sessions: pass `children: childSessions()` of `lash-runtime/children` to createLash");

/** Explicit wiring that leaves the bytes of attachments without a place. */
export const missingAttachmentStore = (): LashError =>
  wiringError(
    "missing_attachment_store",
    `no place for the bytes of attachments: ${waysOut("leave `attachments` out, so that the store keeps them itself", "give them a home, such as `directory(path)`")}`,
  );

/** @param operation - `park` or `close`. */
export const sessionStillInUse = (sessionId: string, operation: string): LashError =>
  wiringError(
    "session_still_in_use",
    `session ${sessionId} cannot ${operation} while it is in use: drop its other handles, and finish or cancel its turns`,
    { details: { sessionId, operation } },
  );

/** Lease timings: TTL at least three renewals, both at least 1 ms (PR-80). */
export const leaseTimingsInvalid = (ttlMs: number, renewMs: number): LashError =>
  wiringError("lease_timings_invalid", `lease of ${ttlMs} ms renewed every ${renewMs} ms: \`ttlMs\` must be at least 3 x \`renewMs\`, both at least 1`, {
    details: { ttlMs, renewMs },
  });

/** Turn options that are no JSON, refused before anything is accepted. */
export const protocolTurnOptionsInvalid = (cause: unknown): LashError =>
  wiringError("protocol_turn_options", `\`protocolTurnOptions\` must be JSON: ${errorText(cause)}`, { cause });

/** A durable effect host keeps its turns beside attachments that a crash would take. */
export const durableAttachmentsRequired = (): LashError =>
  runtimeError(
    "durable_store_required:attachment_store",
    `journaled effects need attachments that survive a crash: ${waysOut("leave `attachments` of the store out, so that it keeps their bytes itself", "give it a durable home, such as `directory(path)`", 'keep nothing in flight with `effects: "inline"`')}`,
    { details: { facet: "attachment_store" } },
  );
