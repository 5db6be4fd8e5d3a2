// What can be seen of a running turn (turn.md section 14). Types only.

import type { Json } from "../domain/json.ts";
import type { Message } from "../domain/messages.ts";
import type { PluginEvent } from "../domain/plugin-message.ts";
import type { ToolCallOutput } from "../domain/tool-output.ts";
import type { TokenUsage } from "../domain/usage.ts";

/**
 * One thing that happened in a turn: `id` is its own, `correlationId` that of the row it belongs to.
 *
 * Live only: deltas are not a transcript (TT-1), and a replayed effect does not stream again (EE-12).
 */
export type TurnActivity = { readonly id: string; readonly correlationId: string } & TurnActivityBody;

export type TurnActivityBody =
  | { readonly type: "model_request_started"; readonly protocolIteration: number }
  | { readonly type: "assistant_prose_delta"; readonly text: string }
  | { readonly type: "reasoning_delta"; readonly text: string }
  | {
      readonly type: "model_attempt_reset";
      readonly assistantProseCorrelationIds: readonly string[];
      readonly reasoningCorrelationIds: readonly string[];
    }
  | {
      readonly type: "tool_call_started";
      readonly callId: string;
      readonly name: string;
      readonly args: Json;
      /** The `batch` call that made this one. */
      readonly parentCallId?: string;
    }
  | {
      readonly type: "tool_call_completed";
      readonly callId: string;
      readonly name: string;
      readonly args: Json;
      readonly parentCallId?: string;
      readonly output: ToolCallOutput;
      readonly durationMs: number;
    }
  | { readonly type: "final_value"; readonly value: Json }
  | { readonly type: "tool_value"; readonly toolName: string; readonly value: Json }
  | { readonly type: "usage"; readonly protocolIteration: number; readonly usage: TokenUsage; readonly cumulative: TokenUsage }
  | {
      readonly type: "retry_status";
      readonly waitSeconds: number;
      readonly attempt: number;
      readonly maxAttempts: number;
      readonly reason: string;
    }
  /** Input that was enqueued for this turn is durably its own now. `id` is the one it was enqueued with, else the input's. */
  | {
      readonly type: "queued_input_accepted";
      readonly checkpoint: "after_work" | "before_completion";
      readonly inputs: readonly { readonly id: string; readonly message: Message }[];
    }
  /** These messages stand in the turn's log, behind what was said before them; they are committed with the turn. */
  | { readonly type: "queued_messages_committed"; readonly checkpoint: "after_work" | "before_completion"; readonly messages: readonly Message[] }
  /** A plugin tells observers something (PT-13). */
  | { readonly type: "plugin_runtime"; readonly pluginId: string; readonly event: PluginEvent }
  | { readonly type: "error"; readonly message: string };

/**
 * What a session shows while it is watched, whoever drives it: this runtime (`here`) or another tab. Live only: what counts is
 * committed, and `session.view` follows it.
 */
export type SessionSighting =
  /** A turn runs, from its beginning or taken over from a driver that is gone; what was shown of it before is void. */
  | { readonly type: "turn_started"; readonly turnId: string; readonly here: boolean; readonly recovered: boolean }
  | { readonly type: "turn_activity"; readonly turnId: string; readonly here: boolean; readonly activity: TurnActivity }
  /** Its driver is done with it; `session.view` holds what it committed, or will at once. */
  | { readonly type: "turn_ended"; readonly turnId: string; readonly here: boolean };
