// What hooks answer, checked: which directives each may give (PT section 4), and what is in them.

import { copyJson } from "../domain/copy-json.ts";
import { pluginError } from "../domain/errors.ts";
import { isPlainObject, type Json, type JsonObject } from "../domain/json.ts";
import type { TurnIssue } from "../domain/outcome.ts";
import type { PluginEvent, PluginMessage } from "../domain/plugin-message.ts";
import { failedOutput, type ToolCallOutput } from "../domain/tool-output.ts";
import { ToolPending } from "../domain/tool-pending.ts";
import type { AbortTurn, Answer, CreateSession, Directive, EmitTrace, EnqueueMessages, HookedSession } from "./contract.ts";
import type { Installed } from "./installed.ts";

export type Checked =
  | { readonly type: "abort_turn"; readonly code: string; readonly message: string }
  | { readonly type: "enqueue_messages"; readonly messages: readonly PluginMessage[] }
  | { readonly type: "replace_tool_args"; readonly args: Json }
  | { readonly type: "short_circuit_tool"; readonly output: ToolCallOutput }
  | Deed;

/** What is done at once, in whichever hook it was asked for. */
export type Deed =
  | { readonly type: "emit_runtime_events"; readonly events: readonly PluginEvent[] }
  | { readonly type: "create_session"; readonly request: HookedSession; readonly place: number }
  | EmitTrace;

const EVERYWHERE = ["create_session", "emit_runtime_events", "emit_trace"] as const satisfies readonly Deed["type"][];

/** Directives by the hook that may give them. */
export const ALLOWED = {
  beforeTurn: ["abort_turn", "enqueue_messages", ...EVERYWHERE],
  beforeToolCall: ["abort_turn", "replace_tool_args", "short_circuit_tool", ...EVERYWHERE],
  afterToolCall: ["abort_turn", "enqueue_messages", "short_circuit_tool", ...EVERYWHERE],
  atCheckpoint: ["abort_turn", "enqueue_messages", ...EVERYWHERE],
  afterTurn: ["enqueue_messages", ...EVERYWHERE],
} as const satisfies Record<string, readonly Directive["type"][]>;

/**
 * @param signal - a hook that is still at work when its turn is cancelled has said nothing: the turn does not wait for it.
 * @throws what the hook threw; LashError `plugin_invoke` - it answered what it may not, or something that cannot be read.
 */
export async function directivesOf<Given extends Directive>(plugin: Installed, hook: keyof typeof ALLOWED, answer: Answer<Given>, signal: AbortSignal): Promise<readonly Checked[]> {
  const given: unknown = answer instanceof Promise ? await Promise.race([answer, aborted(signal)]) : answer;
  if (given === undefined || given === null) return [];
  return (Array.isArray(given) ? given : [given]).map((directive: unknown, place) => check(plugin, hook, directive as Directive, place));
}

function aborted(signal: AbortSignal): Promise<undefined> {
  if (signal.aborted) return Promise.resolve(undefined);
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(undefined), { once: true }));
}

function check(plugin: Installed, hook: keyof typeof ALLOWED, directive: Directive, place: number): Checked {
  const type = directive?.type;
  if (!(ALLOWED[hook] as readonly string[]).includes(type)) refuse(`${hook} cannot answer ${JSON.stringify(type) ?? "without a type"}; it may give ${ALLOWED[hook].join(", ")}`);
  switch (directive.type) {
    case "abort_turn":
      return checkAbort(directive);
    case "enqueue_messages":
      return { type: "enqueue_messages", messages: messagesOf(plugin, directive) };
    case "replace_tool_args":
      return { type: "replace_tool_args", args: jsonOf(directive.args, "args") };
    case "short_circuit_tool":
      return { type: "short_circuit_tool", output: outputOf(directive.output) };
    case "emit_runtime_events":
      return { type: "emit_runtime_events", events: eventsOf(directive.events) };
    case "create_session":
      return { type: "create_session", request: requestOf(directive), place };
    case "emit_trace":
      return traceOf(directive);
  }
}

/** Its fields are checked by whoever makes the session. */
function requestOf({ request }: CreateSession): HookedSession {
  if (!isPlainObject(request)) refuse("create_session needs a `request`");
  if ("provider" in request || "tools" in request) refuse("a hook makes a session without `provider` and `tools`: whoever opens it gives them");
  const { id, key } = request;
  if (id !== undefined && typeof id !== "string") refuse("the `id` of create_session is a text");
  if (key !== undefined && (typeof key !== "string" || key.trim() === "")) refuse("the `key` of create_session is a text that is not blank");
  return jsonOf(request, "request") as unknown as HookedSession;
}

function traceOf({ name, payload, context = {} }: EmitTrace): EmitTrace {
  if (typeof name !== "string" || name.trim() === "") refuse("emit_trace needs a name");
  if (!isPlainObject(context) || !(context.metadata === undefined || isPlainObject(context.metadata))) refuse("the `context` of emit_trace is { metadata: {..} }");
  const { metadata } = context;
  return { type: "emit_trace", name, payload: jsonOf(payload, "payload"), ...(metadata !== undefined && { context: { metadata: jsonOf(metadata, "context") as JsonObject } }) };
}

function checkAbort({ code, message }: AbortTurn): Checked {
  if (typeof code !== "string" || code === "" || typeof message !== "string") refuse("abort_turn needs a code and a message");
  return { type: "abort_turn", code, message };
}

/** PT-16. */
function messagesOf({ id: pluginId }: Installed, { messages }: EnqueueMessages): readonly PluginMessage[] {
  if (!Array.isArray(messages)) refuse("enqueue_messages needs `messages`");
  return (messages as EnqueueMessages["messages"]).map(({ role, text, transient }) => {
    if (role !== "User" && role !== "System") refuse("a message of a plugin has the role User or System");
    if (typeof text !== "string" || !text.isWellFormed()) refuse("the text of a message has to be well-formed Unicode");
    return { pluginId, role, text, ...(transient === true && { transient }) };
  });
}

export function eventsOf(events: readonly PluginEvent[]): readonly PluginEvent[] {
  if (!Array.isArray(events)) refuse("emit_runtime_events needs `events`");
  for (const event of events as readonly PluginEvent[]) {
    const isKnown = event?.type === "status" ? typeof event.key === "string" && typeof event.label === "string" : event?.type === "custom" && typeof event.name === "string";
    if (!isKnown) refuse('an event is { type: "status", key, label } or { type: "custom", name, payload }');
  }
  return jsonOf(events, "events") as unknown as readonly PluginEvent[];
}

/** PT-18. */
function outputOf(output: ToolCallOutput): ToolCallOutput {
  if (ToolPending.is(output)) return failedOutput({ class: "internal", code: "pending_tool_short_circuit", message: "a hook cannot leave a call pending; its output has to be complete", source: "plugin" });
  const status = output?.outcome?.status;
  if (status !== "success" && status !== "failure" && status !== "cancelled") refuse("short_circuit_tool needs an output, as toolSuccess and toolFailure make it");
  return jsonOf(output, "output") as unknown as ToolCallOutput;
}

function jsonOf(value: unknown, what: string): Json {
  if (value === undefined) refuse(`\`${what}\` is missing`);
  return copyJson(value);
}

function refuse(why: string): never {
  throw pluginError("plugin_invoke", why);
}

/** The issue of a turn that a plugin stopped; its code is the plugin's own. */
export const abortIssue = ({ code, message }: { readonly code: string; readonly message: string }): TurnIssue => ({ kind: "plugin", code, message, retryable: false });
