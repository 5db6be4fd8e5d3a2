// A model provider's server on 127.0.0.1 that is as strict as the original: what that refuses is refused, in its form.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { fieldsOf, Refused, type Fields } from "./json.ts";

/** A request as it came. */
export interface StrictRequest {
  readonly index: number;
  readonly path: string;
  /** The body byte for byte. */
  readonly text: string;
  readonly body: Fields;
  readonly model: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

/** An answer in the provider's own words. */
export interface StrictReply {
  /** Content blocks, output items, parts, or the one message of a chat completion. */
  readonly parts: readonly Fields[];
  /** The provider's reason to stop; default: what the parts mean. */
  readonly stop?: string;
  /** A failure instead of an answer. */
  readonly status?: number;
  /** Ends the stream after so many events: the socket is destroyed, or closed as if all had been said. */
  readonly cut?: { readonly afterEvents: number; readonly how: "destroy" | "end" };
  /** Holds the stream before this event until told. */
  readonly hold?: { readonly beforeEvent: number; readonly until: Promise<void>; readonly reached?: () => void };
  /** Code points per delta. Default 5. */
  readonly piece?: number;
  /** Bytes per chunk on the wire. Default: an event per chunk. */
  readonly chunkBytes?: number;
}

/** One provider's way of talking; it remembers what it has sent. */
export interface Dialect {
  readonly name: string;
  serves(path: string): boolean;
  modelOf(request: { readonly path: string; readonly body: Fields }): string;
  isStream(request: { readonly path: string; readonly body: Fields }): boolean;
  /** @throws Refused for what the original answers with 400. */
  check(body: Fields, model: string): void;
  error(status: number, message: string): object;
  events(reply: StrictReply, model: string): readonly string[];
  /** The text of the answer that an event brings. */
  textIn(event: Fields): string;
  whole(reply: StrictReply, model: string): object;
  /** Called when an answer has been sent to its end. */
  remember(reply: StrictReply, model: string): void;
}

/** What the server does with the requests that it accepts. */
export type StrictScript = (request: StrictRequest) => StrictReply | Promise<StrictReply>;

export interface StrictServer {
  readonly dialect: Dialect;
  readonly url: string;
  /** All requests, those that were refused too. */
  readonly requests: readonly StrictRequest[];
  /** Answers that were sent to their end, by request. */
  readonly sent: ReadonlyMap<StrictRequest, StrictReply>;
  readonly refusals: readonly string[];
  /** Answers from now on. */
  script: StrictScript;
  close(): Promise<void>;
}

export async function startStrict(dialect: Dialect, script: StrictScript): Promise<StrictServer> {
  const requests: StrictRequest[] = [];
  const sent = new Map<StrictRequest, StrictReply>();
  const refusals: string[] = [];
  const http = createServer((incoming, response) => {
    response.on("error", () => {});
    answer(incoming, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else sendJson(response, 500, dialect.error(500, `script: ${String(error)}`));
    });
  });
  await new Promise<void>((resolve) => {
    http.listen(0, "127.0.0.1", resolve);
  });
  const address = http.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;

  const server: StrictServer = {
    dialect,
    url: `http://127.0.0.1:${port}`,
    requests,
    sent,
    refusals,
    script,
    close: () =>
      new Promise((resolve) => {
        http.close(() => resolve());
        http.closeAllConnections();
      }),
  };

  async function answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = incoming.url ?? "";
    const text = await bodyOf(incoming);
    if (!dialect.serves(path)) return sendJson(response, 404, dialect.error(404, `no such endpoint: ${path}`));
    const body = parsed(text);
    const model = dialect.modelOf({ path, body });
    const request: StrictRequest = { index: requests.length, path, text, body, model, headers: incoming.headers };
    requests.push(request);
    try {
      dialect.check(body, model);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      refusals.push(error.message);
      return sendJson(response, 400, dialect.error(400, error.message));
    }
    const reply = await server.script(request);
    const status = reply.status ?? 200;
    if (status >= 400) return sendJson(response, status, dialect.error(status, "scripted failure"));
    const keep = (): void => {
      dialect.remember(reply, model);
      sent.set(request, reply);
    };
    if (dialect.isStream(request)) return sendStream(response, dialect.events(reply, model), reply, keep);
    keep();
    return sendJson(response, status, dialect.whole(reply, model));
  }

  return server;
}

async function sendStream(response: ServerResponse, events: readonly string[], reply: StrictReply, keep: () => void): Promise<void> {
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.flushHeaders();
  for (const [at, event] of events.entries()) {
    if (reply.hold?.beforeEvent === at) {
      reply.hold.reached?.();
      await reply.hold.until;
    }
    if (response.destroyed) return;
    if (reply.cut?.afterEvents === at) return void (reply.cut.how === "destroy" ? response.destroy() : response.end());
    if (at === events.length - 1) keep();
    const bytes = Buffer.from(event);
    const step = reply.chunkBytes ?? bytes.length;
    for (let from = 0; from < bytes.length; from += step) await written(response, bytes.subarray(from, from + step));
  }
  response.end();
}

const written = (response: ServerResponse, bytes: Uint8Array): Promise<void> =>
  new Promise((resolve) => {
    response.write(bytes, () => resolve());
  });

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

async function bodyOf(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

function parsed(text: string): Fields {
  try {
    return fieldsOf(JSON.parse(text));
  } catch {
    return {};
  }
}

/** An event of server-sent events. */
export const sse = (data: unknown, event?: string): string =>
  `${event === undefined ? "" : `event: ${event}\n`}data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`;

/** What an event of server-sent events holds. */
export function eventIn(text: string): Fields {
  return parsed(/^data: (.*)$/m.exec(text)?.[1] ?? "");
}

/** Text in deltas of so many code points; nothing for no text. */
export function piecesOf(text: string, size = 5): readonly string[] {
  const points = Array.from(text);
  const pieces: string[] = [];
  for (let at = 0; at < points.length; at += size) pieces.push(points.slice(at, at + size).join(""));
  return pieces;
}
