// What a tool call can come to. Failures are data for the model, never a stopped turn (ER-8, T-54).

import type { Json } from "./json.ts";
import type { AttachmentRef } from "./messages.ts";
import type { ConvertedValue } from "./tell-value.ts";

export type ToolFailureClass =
  | "invalid_request" | "unavailable" | "permission_denied" | "timeout" | "execution" | "external" | "resource_limit" | "internal";
export type ToolFailureSource = "runtime" | "tool" | "plugin" | "policy" | "cancellation";
export type ToolRetry =
  | { readonly type: "never" }
  | { readonly type: "safe"; readonly after_ms?: number }
  | { readonly type: "exhausted"; readonly attempts: number };

export interface ToolFailure {
  readonly class: ToolFailureClass;
  readonly code: string;
  readonly message: string;
  readonly source: ToolFailureSource;
  readonly retry: ToolRetry;
  readonly raw?: Json;
}

/** What a tool may ask of the turn besides its result. */
export type ToolControl =
  | { readonly type: "switch_agent_frame"; readonly frame_id: string; readonly initial_nodes?: readonly Json[]; readonly task?: string }
  | { readonly type: "finish"; readonly value: Json }
  | { readonly type: "fail"; readonly failure: Json };

export type ToolCallOutcome =
  | { readonly status: "success"; readonly payload: Json }
  | { readonly status: "failure"; readonly payload: ToolFailure }
  | { readonly status: "cancelled"; readonly payload: { readonly message: string } };

/** A file, or an image, that a tool returned. */
export interface StoredFile extends AttachmentRef {
  readonly filename?: string;
}

/** What a call's output says of its approval. */
export interface CallApproval {
  readonly decision: "approved" | "denied" | "expired" | "cancelled";
  /** Epoch milliseconds; absent where nobody answered. */
  readonly answeredAtMs?: number;
  readonly by?: string;
  readonly note?: string;
  /** The call ran with other arguments than the model wrote. */
  readonly isChanged?: true;
}

export interface ToolCallOutput {
  readonly outcome: ToolCallOutcome;
  readonly control?: ToolControl;
  /** Images and files that the tool returned, already stored. */
  readonly attachments?: readonly StoredFile[];
  /**
   * Where the payload is not what the tool gave, because that was no JSON or over a limit: the first ten places. Absent where the
   * tool gave JSON.
   */
  readonly converted?: readonly ConvertedValue[];
  /** Said to the model behind the payload: what could not be taken of what the tool gave. */
  readonly notes?: readonly string[];
  /** Of a call that had to be approved: what was answered, by whom and when. */
  readonly approval?: CallApproval;
}

export interface CompletedToolCall {
  readonly callId: string;
  readonly toolName: string;
  readonly args: Json;
  readonly output: ToolCallOutput;
  readonly durationMs: number;
}

/** A failed call with the runtime as its source, unless said otherwise. */
export function failedOutput(
  failure: Pick<ToolFailure, "class" | "code" | "message"> & Partial<ToolFailure>,
): ToolCallOutput {
  return { outcome: { status: "failure", payload: { source: "runtime", retry: { type: "never" }, ...failure } } };
}

/** What a model is told of a call that did not succeed. */
export type ShownToolError = Pick<ToolFailure, "class" | "code" | "message">;

/** What a model is shown for an output, before it is made text. */
export function shownOutput({ outcome, notes }: ToolCallOutput): { readonly result: Json; readonly notes?: readonly string[] } | { readonly error: ShownToolError } {
  switch (outcome.status) {
    case "success":
      return { result: outcome.payload, ...(notes && { notes }) };
    case "failure":
      return { error: { class: outcome.payload.class, code: outcome.payload.code, message: outcome.payload.message } };
    case "cancelled":
      return { error: { class: "execution", code: "cancelled", message: outcome.payload.message } };
  }
}

/** The text a model is shown for an output: strings as they are, everything else as JSON; then a line for each note. */
export function projectOutput(output: ToolCallOutput): string {
  const shown = shownOutput(output);
  if ("error" in shown) return JSON.stringify(shown);
  const text = typeof shown.result === "string" ? shown.result : JSON.stringify(shown.result);
  return [text, ...(shown.notes ?? []).map((note) => `[${note}]`)].join("\n");
}
