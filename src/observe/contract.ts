// What can be seen of a session and of a running turn (turn.md section 14, observation.md). Types only.

import type { Json, JsonObject } from "../domain/json.ts";
import type { AttachmentRef, Message } from "../domain/messages.ts";
import type { PluginEvent } from "../domain/plugin-message.ts";
import type { SessionPolicy } from "../domain/session.ts";
import type { ReplayPlace } from "../domain/session-cursor.ts";
import type { ToolCallOutput } from "../domain/tool-output.ts";
import type { TurnCause } from "../domain/turn-cause.ts";
import type { TokenUsage } from "../domain/usage.ts";

/**
 * One thing that happened in a turn: `id` is its own, `correlationId` that of the row it belongs to.
 *
 * Live only: deltas are not a transcript, and a replayed effect does not stream again.
 */
export type TurnActivity = { readonly id: string; readonly correlationId: string } & TurnActivityBody;

export type TurnActivityBody =
  /**
   * The turn is not accepted yet: it waits for another one of its session, which runs or, where `waiting` is there, only waits for
   * answers from outside. Told at once, and again when that changes, to those alone who asked for the turn.
   */
  | { readonly type: "turn_queued"; readonly behind: string; readonly waiting?: true }
  | { readonly type: "model_request_started"; readonly protocolIteration: number }
  | { readonly type: "assistant_prose_delta"; readonly text: string }
  | { readonly type: "reasoning_delta"; readonly text: string }
  | {
      readonly type: "model_attempt_reset";
      readonly assistantProseCorrelationIds: readonly string[];
      readonly reasoningCorrelationIds: readonly string[];
      /** Of arguments that were being written, sources, files, calls that the provider runs and what it asks about them. Absent: none. */
      readonly otherCorrelationIds?: readonly string[];
    }
  /** The model writes the arguments of a call. `callId` is the provider's own and comes again with the call itself. */
  | { readonly type: "tool_input_started"; readonly callId: string; readonly name: string; readonly providerExecuted?: true }
  /** The next piece of their JSON text. Joined by `correlationId`, the pieces are what the model wrote. */
  | { readonly type: "tool_input_delta"; readonly callId: string; readonly text: string }
  /** They are complete. Arguments that came to no call are taken back by `model_attempt_reset` instead. */
  | { readonly type: "tool_input_ended"; readonly callId: string }
  /** The model names a source: all that its provider says of it. */
  | { readonly type: "source"; readonly source: JsonObject }
  /** The model made a file. Its bytes are stored, unless it is known by address only. */
  | { readonly type: "file_generated"; readonly mime: string; readonly attachment?: AttachmentRef; readonly url?: string }
  /** The provider asks whether it may run a call of its own. Nothing answers it yet. */
  | { readonly type: "tool_approval_requested"; readonly approvalId: string; readonly callId: string }
  /** What the model's client warns of, as it says it: settings that it does not support, and the like. */
  | { readonly type: "model_warning"; readonly warning: Json }
  | {
      readonly type: "tool_call_started";
      readonly callId: string;
      readonly name: string;
      readonly args: Json;
      /** The `batch` call that made this one. */
      readonly parentCallId?: string;
      /** The provider runs it itself. */
      readonly providerExecuted?: true;
    }
  /** What the tool says of a call that runs, by `call.progress(value)`; at most 16 KiB. */
  | {
      readonly type: "tool_call_progress";
      readonly callId: string;
      readonly name: string;
      readonly parentCallId?: string;
      readonly value: Json;
    }
  | {
      readonly type: "tool_call_completed";
      readonly callId: string;
      readonly name: string;
      readonly args: Json;
      readonly parentCallId?: string;
      readonly providerExecuted?: true;
      readonly output: ToolCallOutput;
      readonly durationMs: number;
    }
  /** The turn ended with a value: what `output` asked for, or what its protocol made. Told once, by the runtime that ended it. */
  | { readonly type: "final_value"; readonly value: Json }
  /** The turn ended with what a tool gave to `finishTurn`. Told once, by the runtime that ended it. */
  | { readonly type: "tool_value"; readonly toolName: string; readonly value: Json }
  | { readonly type: "usage"; readonly protocolIteration: number; readonly usage: TokenUsage; readonly cumulative: TokenUsage }
  /** A child session used tokens in a turn that a tool of this one runs. The latest per session, source and model counts. */
  | {
      readonly type: "child_usage";
      readonly sessionId: string;
      readonly source: string;
      readonly model: string;
      readonly protocolIteration: number;
      readonly usage: TokenUsage;
      readonly cumulative: TokenUsage;
    }
  | {
      readonly type: "retry_status";
      readonly waitSeconds: number;
      readonly attempt: number;
      readonly maxAttempts: number;
      readonly reason: string;
    }
  /** Queued work is durably this turn's own: it began with it, or took it at a checkpoint. */
  | {
      readonly type: "queued_work_started";
      readonly boundary: "idle" | "active_turn_checkpoint";
      readonly batchIds: readonly string[];
      /** Told to the model as events; input of users among the work is in its messages. */
      readonly causes: readonly TurnCause[];
    }
  /** Input that was enqueued for this turn is durably its own now. `id` is the one it was enqueued with, else the input's. */
  | {
      readonly type: "queued_input_accepted";
      readonly checkpoint: "after_work" | "before_completion";
      readonly inputs: readonly { readonly id: string; readonly message: Message }[];
    }
  /** These messages stand in the turn's log, behind what was said before them; they are committed with the turn. */
  | { readonly type: "queued_messages_committed"; readonly checkpoint: "after_work" | "before_completion"; readonly messages: readonly Message[] }
  /** A plugin tells observers something. */
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

/** The committed conversation of a session, immutable. */
export interface SessionReadView {
  readonly sessionId: string;
  /** Head revision; 0 when nothing was committed yet. */
  readonly revision: number;
  /** Committed messages of the current frame, oldest first. Copied out when they are first looked at. */
  readonly messages: readonly Message[];
  readonly turnIndex: number;
  readonly policy: SessionPolicy;
  /** Tokens of all committed turns. */
  readonly usage: TokenUsage;
  /** Of the latest model call: how full the context window is. Unknown before the first and after a compaction. */
  readonly lastPromptUsage?: TokenUsage;
  readonly currentFrameId: string;
}

/** One thing that happened in a session. To be told it again later, or to go on from it, keep `cursor`. */
export interface SessionObservationEvent {
  readonly sessionId: string;
  /** Head revision at that time. */
  readonly revision: number;
  /** Text to be kept and given back as it is; only this runtime's buffers know what it means. */
  readonly cursor: string;
  readonly payload: ObservationPayload;
}

export type ObservationPayload =
  /** Deltas of one text that nobody has asked for yet come as one. */
  | { readonly type: "turn_activity"; readonly turnId: string; readonly activity: TurnActivity }
  /** The view is made when it is looked at; events that are sent elsewhere need not carry it. */
  | { readonly type: "committed"; readonly readView: SessionReadView }
  /** The commit that follows is the first one of this frame. */
  | { readonly type: "agent_frame_switched"; readonly frameId: string }
  /** Ids of inputs. A hint: what waits now is in `pendingTurnInputs()`. */
  | { readonly type: "queue_changed"; readonly kind: "enqueued" | "cancelled"; readonly batchIds: readonly string[] };

/** `trimmed`: the buffer has let go of what came after the cursor. `unavailable`: it is not the buffer of that cursor. */
export type GapReason = "trimmed" | "unavailable";

/** Events of one session after a cursor, as they come. */
export interface LiveReplaySubscription extends AsyncIterableIterator<SessionObservationEvent> {
  /**
   * Rejects with `live_replay_lagged` where events were let go of before they were asked for (`details.count`, 0 where unknown):
   * those after them follow. Rejects with `live_replay_closed`, once, when the buffer is gone.
   */
  next(): Promise<IteratorResult<SessionObservationEvent>>;
  /** Ends it, also while `next` waits. */
  return(): Promise<IteratorResult<SessionObservationEvent>>;
}

/**
 * Keeps the latest events of sessions, for those who come late or come back. Bounded, best effort: the truth is the store.
 *
 * One per lash. All methods are synchronous and never wait for anybody: what is kept elsewhere, too, is written there later.
 * Cursors are `lashsc2:<revision>:<incarnation>:<position>:<session id>`; a malformed one throws LashError `session_cursor_malformed`.
 * What a method throws is logged and fails nobody but readers, who get `live_replay`.
 */
export interface LiveReplayStore {
  /**
   * The next event of a session.
   *
   * @param place - its place in the buffer of the runtime that it is copied from; one that is known already changes nothing.
   *   Left out: the next one of this store's own buffer, which begins where the session had a copy.
   */
  append(sessionId: string, revision: number, payload: ObservationPayload, place?: ReplayPlace): SessionObservationEvent;
  replayAfterCursor(cursor: string): { readonly replayed: readonly SessionObservationEvent[] } | { readonly gap: GapReason };
  subscribeAfterCursor(cursor: string): { readonly subscribed: LiveReplaySubscription } | { readonly gap: GapReason };
  /** After everything so far. Never throws. */
  currentCursor(sessionId: string, revision: number): string;
  /** Lets go of what is too much or too old. */
  trimSession(sessionId: string): void;
  /**
   * Begins another life of the session's buffer: cursors of the one before are `unavailable` from now on.
   *
   * @param place - where the buffer to be copied stands. Of the life that is copied already: nothing where the place is known, what
   *   came before it was missed where it lies ahead, and a copy from there on where it lies before what is kept. Left out: a life of
   *   this store's own.
   */
  restart(sessionId: string, place?: ReplayPlace): void;
  /** Nobody has the session open any more. Subscriptions end with `live_replay_closed`. */
  forget(sessionId: string): void;
}
