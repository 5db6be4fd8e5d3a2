// Context of records: what the host says of all of them, then session, turn, iteration and call; the inner one wins (TR-5).

import type { TraceContext } from "../actors/trace-port.ts";
import { invalidArgument, refuseUnknown } from "../domain/invalid-argument.ts";
import { isJson, isPlainObject, type JsonObject } from "../domain/json.ts";
import { redact } from "../domain/redact.ts";

const TEXTS: readonly string[] = [
  "run_id", "experiment_id", "candidate_id", "candidate_parent_id", "example_id", "split",
  "session_id", "turn_id", "graph_node_id", "parent_graph_node_id", "effect_id", "llm_call_id",
];
const NUMBERS: readonly string[] = ["turn_index", "protocol_iteration"];
const MAX_LENGTH = 16_384;

/** Layers from the outermost to the innermost. */
export function layered(outer: TraceContext, inner: TraceContext): TraceContext {
  const context = { ...outer, ...inner };
  return outer.metadata && inner.metadata ? { ...context, metadata: { ...outer.metadata, ...inner.metadata } } : context;
}

/** @throws LashError `invalid_argument` - naming the field that is wrong. */
export function hostContext(context: unknown): TraceContext {
  if (context === undefined) return {};
  refuseUnknown(context, [...TEXTS, ...NUMBERS, "metadata"], "trace.context");
  const given = Object.entries(context as Readonly<Record<string, unknown>>).filter(([, value]) => value !== undefined);
  for (const [key, value] of given) {
    if (TEXTS.includes(key) && typeof value !== "string") throw invalidArgument(`trace.context.${key}`, "a text");
    if (NUMBERS.includes(key) && !Number.isSafeInteger(value)) throw invalidArgument(`trace.context.${key}`, "a whole number");
    if (key === "metadata" && !(isPlainObject(value) && isJson(value))) throw invalidArgument("trace.context.metadata", "an object of JSON values");
  }
  if (JSON.stringify(Object.fromEntries(given)).length > MAX_LENGTH) throw invalidArgument("trace.context", `at most ${MAX_LENGTH} characters of JSON: it is part of every record`);
  return redact(Object.fromEntries(given), { maxTextLength: MAX_LENGTH }) as JsonObject;
}
