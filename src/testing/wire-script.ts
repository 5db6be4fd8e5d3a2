// What a scripted model server is told and what it says, before any dialect.

import type { Gate } from "./gate.ts";

export type WireDialect = "openai" | "anthropic";

/** A request as the script sees it. */
export interface WireRequest {
  readonly dialect: WireDialect;
  /** The parsed body, as the client sent it. */
  readonly body: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly stream: boolean;
  /** Tool results in the whole conversation: enough to pick the reply of a tool loop. */
  readonly toolResults: number;
  readonly assistantMessages: number;
  readonly lastUserText: string;
  /** How often this server has seen the very same body before: 0 for the first time. For scripts of retries. */
  readonly repeat: number;
  /** Resolves when the client goes away before the reply is complete. */
  readonly abandoned: Promise<void>;
}

/** What the server answers; `null` for a request that the script did not expect becomes a 500. */
export interface WireReply {
  /** Default 200. From 400 on, `error` is the body and nothing is streamed. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly error?: { readonly type?: string; readonly code?: string; readonly message: string };
  readonly reasoning?: { readonly text: string | readonly string[]; readonly signature?: string };
  /** Text in deltas; a gate holds the stream at its place. */
  readonly text?: string | readonly (string | Gate)[];
  readonly toolCalls?: readonly WireToolCall[];
  readonly usage?: WireUsage;
  /** Default: `tool_use` with tool calls, else `stop`. `none` leaves every sign of an end out. */
  readonly finish?: "stop" | "tool_use" | "length" | "content_filter" | "none";
  /** An error event at the end of the stream, in place of a finish. */
  readonly streamError?: { readonly type: string; readonly message: string };
  /** Cuts the stream after this many events: the socket is destroyed, or with `end` closed as if all were said. */
  readonly cut?: { readonly afterEvents: number; readonly how: "destroy" | "end" };
  /** Size of the chunks on the wire, wherever that falls. Default: an event per chunk. */
  readonly chunkBytes?: number;
}

export interface WireToolCall {
  /** Default `call-<n>`, numbered over the conversation. */
  readonly id?: string;
  readonly name: string;
  /** Arguments as a value, or as exact text in the pieces in which it arrives. */
  readonly args: Readonly<Record<string, unknown>> | readonly string[];
}

/** Tokens as our usage buckets count them; each dialect has its own way of reporting these. */
export interface WireUsage {
  readonly input: number;
  readonly output: number;
  readonly cacheRead?: number;
  readonly cacheWrite?: number;
  readonly reasoning?: number;
}

/** A pure function of the request, so that a client that was killed and restarted gets the right answer. */
export type WireScript = (request: WireRequest) => WireReply;

/** Server-sent events in order, with gates between them. */
export type WireTimeline = readonly (string | Gate)[];

export const piecesOf = <Piece>(value: string | readonly Piece[] | undefined): readonly (Piece | string)[] =>
  typeof value === "string" ? [value] : (value ?? []);

export function argumentPieces({ args }: WireToolCall): readonly string[] {
  return isPieces(args) ? args : [JSON.stringify(args)];
}

const isPieces = (args: WireToolCall["args"]): args is readonly string[] => Array.isArray(args);

export const sse = (data: unknown, event?: string): string =>
  `${event === undefined ? "" : `event: ${event}\n`}data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`;

export const joined = (value: WireReply["text"]): string =>
  piecesOf(value).filter((piece): piece is string => typeof piece === "string").join("");
