// A model server on 127.0.0.1 that answers from a script over real HTTP. The only file of this folder that needs Node;
// its built-ins are loaded when a server is started, so that the entry itself loads in a browser.

import type { IncomingMessage, ServerResponse } from "node:http";
import { anthropicBody, anthropicError, anthropicStream } from "./wire-anthropic.ts";
import { openaiBody, openaiError, openaiStream } from "./wire-openai.ts";
import type { WireDialect, WireReply, WireRequest, WireScript, WireTimeline } from "./wire-script.ts";

export interface WireScriptServer {
  /** Base URL for chat-completions clients. */
  readonly openaiUrl: string;
  /** Base URL for messages clients. */
  readonly anthropicUrl: string;
  /** Every request so far, in order of arrival. */
  readonly requests: readonly WireRequest[];
  close(): Promise<void>;
}

interface Answerer {
  stream(reply: WireReply, firstCall: number): WireTimeline;
  body(reply: WireReply, firstCall: number): object;
  error(reply: WireReply): object;
}

const ANSWERERS: Readonly<Record<WireDialect, Answerer>> = {
  openai: { stream: openaiStream, body: openaiBody, error: openaiError },
  anthropic: { stream: anthropicStream, body: anthropicBody, error: anthropicError },
};

const DIALECT_BY_PATH: ReadonlyMap<string, WireDialect> = new Map([
  ["/v1/chat/completions", "openai"],
  ["/v1/messages", "anthropic"],
]);

/** Starts a server on a free port. A script that throws answers 500 with the error's message. */
export async function startWireScriptServer(script: WireScript): Promise<WireScriptServer> {
  const { createServer } = await import("node:http");
  const requests: WireRequest[] = [];
  const server = createServer((incoming, response) => {
    response.on("error", () => {});
    handle(incoming, response, script, requests).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else sendJson(response, 500, { error: { message: String(error), type: "script_error" } });
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const url = `http://127.0.0.1:${port}/v1`;
  return {
    openaiUrl: url,
    anthropicUrl: url,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function handle(
  incoming: IncomingMessage,
  response: ServerResponse,
  script: WireScript,
  requests: WireRequest[],
): Promise<void> {
  const dialect = DIALECT_BY_PATH.get(incoming.url ?? "");
  if (dialect === undefined) {
    sendJson(response, 404, { error: { message: `no such endpoint: ${incoming.url}`, type: "not_found_error" } });
    return;
  }
  const text = await bodyOf(incoming);
  const request = requestOf(dialect, text, incoming, response, requests);
  requests.push(request);
  const reply = script(request);
  const status = reply.status ?? 200;
  const answerer = ANSWERERS[dialect];
  const firstCall = countCalls(request) + 1;
  if (status >= 400) sendJson(response, status, answerer.error(reply), reply.headers);
  else if (request.stream) await sendStream(response, answerer.stream(reply, firstCall), reply);
  else sendJson(response, status, answerer.body(reply, firstCall), reply.headers);
}

async function sendStream(response: ServerResponse, timeline: WireTimeline, reply: WireReply): Promise<void> {
  response.writeHead(200, { "content-type": "text/event-stream", ...reply.headers });
  response.flushHeaders();
  let sent = 0;
  for (const event of timeline) {
    if (typeof event !== "string") {
      await event.pass();
      continue;
    }
    if (response.destroyed) return;
    if (reply.cut !== undefined && sent >= reply.cut.afterEvents) break;
    sent += 1;
    const bytes = new TextEncoder().encode(event);
    const step = reply.chunkBytes ?? bytes.length;
    // Each write is a chunk of its own in the transfer encoding, so the client sees exactly these borders.
    for (let at = 0; at < bytes.length; at += step) await written(response, bytes.subarray(at, at + step));
  }
  if (reply.cut?.how === "destroy") response.destroy();
  else response.end();
}

const written = (response: ServerResponse, bytes: Uint8Array): Promise<void> =>
  new Promise((resolve) => {
    response.write(bytes, () => resolve());
  });

function sendJson(response: ServerResponse, status: number, body: object, headers: WireReply["headers"] = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(body));
}

async function bodyOf(incoming: IncomingMessage): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of incoming) text += decoder.decode(bytes as Uint8Array, { stream: true });
  return text + decoder.decode();
}

const seenBodies = new WeakMap<readonly WireRequest[], Map<string, number>>();

function requestOf(
  dialect: WireDialect,
  text: string,
  incoming: IncomingMessage,
  response: ServerResponse,
  requests: readonly WireRequest[],
): WireRequest {
  const seen = seenBodies.get(requests) ?? new Map<string, number>();
  seenBodies.set(requests, seen);
  const repeat = seen.get(text) ?? 0;
  seen.set(text, repeat + 1);
  const body = JSON.parse(text) as Readonly<Record<string, unknown>>;
  const messages = messagesOf(body);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(incoming.headers)) if (typeof value === "string") headers[name] = value;
  return {
    dialect,
    body,
    headers,
    stream: body["stream"] === true,
    toolResults: messages.reduce((count, message) => count + resultsIn(message), 0),
    assistantMessages: messages.filter((message) => message.role === "assistant").length,
    lastUserText: textOf(messages.findLast((message) => message.role === "user" && textOf(message) !== "")),
    repeat,
    abandoned: new Promise((resolve) => {
      response.once("close", () => {
        if (!response.writableEnded) resolve();
      });
    }),
  };
}

interface WireMessage {
  readonly role?: string;
  readonly content?: string | null | readonly { readonly type?: string; readonly text?: string }[];
  readonly tool_calls?: readonly unknown[];
}

const messagesOf = (body: WireRequest["body"]): readonly WireMessage[] =>
  Array.isArray(body["messages"]) ? (body["messages"] as readonly WireMessage[]) : [];

function blocksIn({ content }: WireMessage, type: string): readonly { readonly text?: string }[] {
  return typeof content === "string" ? [] : (content ?? []).filter((block) => block.type === type);
}

const resultsIn = (message: WireMessage): number =>
  (message.role === "tool" ? 1 : 0) + blocksIn(message, "tool_result").length;

const countCalls = ({ body }: WireRequest): number =>
  messagesOf(body).reduce((n, message) => n + (message.tool_calls?.length ?? 0) + blocksIn(message, "tool_use").length, 0);

function textOf(message: WireMessage | undefined): string {
  if (message === undefined) return "";
  if (typeof message.content === "string") return message.content;
  return blocksIn(message, "text")
    .map((block) => block.text ?? "")
    .join("");
}
