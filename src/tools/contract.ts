// What a tool is: its manifest, and the function that runs it. Types only.

import type { CallChildren } from "../children/contract.ts";
import type { ApprovalRequest } from "../domain/approvals.ts";
import type { Json } from "../domain/json.ts";
import type { TokenUsage } from "../domain/usage.ts";
import type { JsonSchema } from "../providers/contract.ts";
import type { DirectRequest } from "../providers/direct.ts";

/** The part of Standard Schema that tools use; zod, valibot, arktype and others implement it. */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
    /** Present where the library can describe itself, zod for one. */
    readonly jsonSchema?: { readonly input: (options: { readonly target: string }) => Record<string, unknown> };
  };
}

export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string; readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined }[] };

export type InferOutput<Schema> = Schema extends StandardSchema<infer _Input, infer Output> ? Output : never;

/** What a running call knows and may use. */
export interface ToolCall {
  /** The provider's id of the call: good for logs, not for deduplication. */
  readonly callId: string;
  readonly toolName: string;
  readonly sessionId: string;
  readonly turnId: string;
  /** Aborts when the turn is cancelled, its lease is lost, or the tool's `timeoutMs` is over; work that ignores it is left behind. */
  readonly signal: AbortSignal;
  /** The same for every attempt of this call, also after a crash: pass it on to whatever has side effects. */
  readonly idempotencyKey: string;
  /** 1, 2, 3.. under the tool's retry policy. */
  readonly attempt: number;
  /** This attempt was started before and the process died before its outcome was recorded. */
  readonly interrupted: boolean;
  /**
   * Tells watchers of the turn how far the call is: an activity `tool_call_progress` with this value, told as JSON and cut at
   * 16 KiB. Live only, nothing is recorded. A watcher that is behind is told the latest value; after the call has ended nobody
   * is told anything.
   */
  progress(value: unknown): void;
  /**
   * The whole text of an earlier tool result of this conversation, also where the model was shown only some of it.
   *
   * @param id - of the result, as a model is told it where bytes are left out, or of its call; the latest counts.
   * @returns undefined where the current frame has no such result.
   */
  earlierResult(id: string): string | undefined;
  /**
   * A key with which anybody may answer this call later: `return pending()` after handing it over. The same for every
   * take. Whoever has it may answer, so treat it like a password.
   */
  completionKey(): Promise<string>;
  /**
   * Asks a model one question, by default the session's. The answer is durable when this resolves: a call that is run again,
   * after a crash or by its retry policy, gets it instead of asking again. Equal questions of one call are one
   * question, unless their `replayKey` differs. What it uses is booked under the source `direct`.
   *
   * @throws DirectCompletionError - no usable answer; nothing is recorded, and asking again asks again.
   */
  complete(question: DirectRequest): Promise<DirectAnswer>;
  /**
   * Sessions of their own for parts of the work. Nothing of them runs twice for one call, so the tool should say
   * `idempotent: true` unless it does more than that: a call that is only reported as interrupted leaves its child as it is.
   */
  readonly children: CallChildren;
}

export interface DirectAnswer {
  /** Text, or the JSON value that was asked for. */
  readonly output: unknown;
  readonly text: string;
  readonly usage: TokenUsage;
}

/**
 * What a crash during a call means (design section 5): run it again, tell the model that its outcome is unknown, or ask.
 * A probe looks at the outside world and answers with the output, or with one of the two words.
 */
export type OnInterrupted<Args> = "retry" | "report" | Probe<Args>["ask"];

/** A method, as `Tool.run` is one: only so tools of different arguments fit into one list. */
interface Probe<Args> {
  ask(args: Args, call: ToolCall): unknown | Promise<unknown>;
}

/** A call as it is known before it runs. */
export interface AskedCall {
  /** The provider's id of the call. */
  readonly callId: string;
  readonly toolName: string;
  readonly sessionId: string;
  readonly turnId: string;
  /** Aborts when the turn is cancelled. */
  readonly signal: AbortSignal;
}

/** Whether a call needs approval; a text is the reason that whoever answers is shown. */
export type ApprovalVerdict = boolean | string | ApprovalRequest;

/**
 * Which calls run only once somebody has approved them: all, or those that a check picks. The check is asked once for each call, with
 * validated arguments, before anything of the reply runs; its answer holds from then on. One that throws asks for approval.
 */
export type NeedsApproval<Args> = true | ApprovalRequest | ApprovalCheck<Args>["ask"];

/** A method, as `Tool.run` is one. */
interface ApprovalCheck<Args> {
  ask(args: Args, call: AskedCall): ApprovalVerdict | Promise<ApprovalVerdict>;
}

/** Attempts after failures that say `retry: safe`. Delays double from `baseDelayMs` up to `maxDelayMs`. */
export interface ToolRetryPolicy {
  readonly maxAttempts: number;
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
}

/**
 * Makes the JSON Schema that models are shown of a tool's arguments, for a schema library that cannot do it by itself: zod 3 with
 * `zod-to-json-schema`, valibot with `@valibot/to-json-schema`. It describes what goes in, before defaults and transformations.
 */
export type ToJsonSchema = (schema: StandardSchema) => Readonly<Record<string, unknown>>;

export interface Tool<Args = unknown, Result = unknown> {
  /** What it is known by: membership and what is recorded of it hold on to this. Default: its name. */
  readonly id?: string;
  /** What the model calls it. */
  readonly name: string;
  readonly description: string;
  /** Throws `tool_schema_missing` where only a converter of the lash can make it: see `describedBy`. */
  readonly inputSchema: JsonSchema;
  /** Whose schema library gives no JSON Schema: the tool with that of a converter. @throws LashError `tool_schema_missing`. */
  describedBy?(toJsonSchema: ToJsonSchema | undefined): Tool<Args, Result>;
  /** What its results look like, as far as it says so; nothing is checked against it. */
  readonly outputSchema?: JsonSchema;
  readonly readOnly: boolean;
  readonly idempotent: boolean;
  readonly onInterrupted: OnInterrupted<Args>;
  /** Absent: nobody has to approve its calls. */
  readonly needsApproval?: NeedsApproval<Args>;
  /** `parallel` calls of one reply run together first, then the `serial` ones one by one. */
  readonly execution: "parallel" | "serial";
  readonly retry: ToolRetryPolicy | null;
  /** Milliseconds that one attempt may take. Absent: as long as it likes. */
  readonly timeoutMs?: number;
  /** Most UTF-8 bytes of a result that a model is shown; null: all of it. Absent: `limits.toolResultModelBytes`. */
  readonly maxModelBytes?: number | null;
  /** It reads what was left out of results, so models are told of it where something is left out. */
  readonly readsResults?: true;
  /** Arguments as the tool will see them, or what is wrong with them. */
  validate(args: Json): Promise<{ readonly args: Args } | { readonly problem: string }>;
  run(args: Args, call: ToolCall): Result;
  /** Makes the calls that its arguments list instead of doing something itself; `run` is never called. */
  readonly dispatches?: true;
  /** Told that a pending call was cancelled, if it asked for that with `onCancel: "cancel_external_work"`. */
  cancel?(args: Args): unknown;
}
