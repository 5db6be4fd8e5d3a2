// How a turn ends: its outcome as stored and sent (turn.md section 1), and as hosts see it (facade.md section 1, OP-19).

import type { Json } from "./json.ts";
import type { TokenUsage } from "./usage.ts";

export type TurnStop =
  | "cancelled" | "incomplete" | "invalid_input" | "max_turns" | "tool_failure" | "provider_error" | "plugin_abort" | "runtime_error"
  | { readonly submitted_error: { readonly value: Json } }
  | { readonly tool_error: { readonly tool_name: string; readonly value: Json } };

/** Stored form: externally tagged, snake_case. */
export type TurnOutcome =
  | {
      readonly finished:
        | { readonly assistant_message: { readonly text: string } }
        | { readonly final_value: { readonly value: Json } }
        | { readonly tool_value: { readonly tool_name: string; readonly value: Json } };
    }
  | { readonly agent_frame_switch: { readonly frame_id: string; readonly task: string } }
  | { readonly stopped: TurnStop };

/** What went wrong on the way; absent `retryable` means unknown, absent fields are left out. */
export interface TurnIssue {
  readonly kind: string;
  readonly code?: string;
  readonly terminalReason?: string;
  readonly message: string;
  readonly raw?: string;
  readonly retryable?: boolean;
  readonly providerFailureKind?: string;
}

export type StopReason =
  | "cancelled" | "incomplete" | "invalid_input" | "max_turns" | "tool_failure" | "provider_error" | "plugin_abort" | "runtime_error"
  | "submitted_error" | "tool_error";

/** The outcome as hosts see it. */
export type HostOutcome =
  | {
      readonly kind: "finished";
      readonly finish: "assistant_message" | "final_value" | "tool_value";
      /** Text of an assistant message, otherwise the value. */
      readonly value?: Json;
      readonly toolName?: string;
    }
  | { readonly kind: "agent_frame_switch"; readonly frameId: string; readonly task: string }
  | { readonly kind: "stopped"; readonly stop: StopReason; readonly value?: Json; readonly toolName?: string };

export function toHostOutcome(outcome: TurnOutcome): HostOutcome {
  if ("finished" in outcome) {
    const { finished } = outcome;
    if ("assistant_message" in finished) {
      return { kind: "finished", finish: "assistant_message", value: finished.assistant_message.text };
    }
    if ("final_value" in finished) return { kind: "finished", finish: "final_value", value: finished.final_value.value };
    return { kind: "finished", finish: "tool_value", value: finished.tool_value.value, toolName: finished.tool_value.tool_name };
  }
  if ("agent_frame_switch" in outcome) {
    const { frame_id: frameId, task } = outcome.agent_frame_switch;
    return { kind: "agent_frame_switch", frameId, task };
  }
  const { stopped } = outcome;
  if (typeof stopped === "string") return { kind: "stopped", stop: stopped };
  if ("submitted_error" in stopped) return { kind: "stopped", stop: "submitted_error", value: stopped.submitted_error.value };
  return { kind: "stopped", stop: "tool_error", value: stopped.tool_error.value, toolName: stopped.tool_error.tool_name };
}

/** Text shown to people for an outcome: lines right-trimmed, whole trimmed; undefined where the outcome has none. */
export function outcomeText(outcome: TurnOutcome): string | undefined {
  if (!("finished" in outcome)) return undefined;
  const { finished } = outcome;
  if ("assistant_message" in finished) return tidy(finished.assistant_message.text);
  const value = "final_value" in finished ? finished.final_value.value : finished.tool_value.value;
  if (value === null) return "";
  return tidy(typeof value === "string" ? value : JSON.stringify(value, null, 2));
}

/** Right-trims each line and trims the whole. */
export function tidy(text: string): string {
  return text.split("\n").map((line) => line.trimEnd()).join("\n").trim();
}

/** What one model call used, whatever became of it; `usage` null means the provider said nothing. */
export interface ModelCallRecord {
  readonly effectId: number;
  readonly source: string;
  readonly model: string;
  readonly usage: TokenUsage | null;
  readonly status: "completed" | "failed" | "aborted";
  /** The calls of a turn of a child session, as one: of several records of a turn and model the latest counts. */
  readonly child?: ChildTurn;
}

/** A turn that a tool ran in a child session. */
export interface ChildTurn {
  readonly sessionId: string;
  readonly turnId: string;
}
