// A web server that only pages of its own, on this machine, may talk to. Node only.
//   L1. Bound to 127.0.0.1, never to another interface.
//   L2. The Host header must name loopback: a page whose name was rebound to 127.0.0.1 carries its own name there.
//   L3. An Origin header, when there is one, must be this server's: no other site reads along, not even one on localhost.
//   L4. Every path starts with a secret: other users and processes of this machine can connect, but not guess.
import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Loopback {
  /** Where the server answers, ends in `/`. */
  readonly url: string;
  close(): Promise<void>;
}

/** @param path - the requested path below the secret, without leading slash or query. */
export type LoopbackHandler = (path: string, response: ServerResponse) => void;

/**
 * @param port - 0 lets the system choose.
 * @throws the system's error when the port is taken.
 */
export async function listenOnLoopback(port: number, handle: LoopbackHandler): Promise<Loopback> {
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new RangeError(`port must be a whole number from 0 to 65535, not ${String(port)}`);
  const secret = randomBytes(16).toString("base64url");
  const server = createServer((request, response) => {
    const refusal = refuse(request, portOf(server));
    const path = (request.url ?? "").split("?")[0] ?? "";
    response.setHeader("Cache-Control", "no-store");
    response.setHeader("X-Content-Type-Options", "nosniff");
    response.setHeader("Referrer-Policy", "no-referrer");
    response.setHeader("Cross-Origin-Resource-Policy", "same-origin");
    if (refusal !== undefined) return end(response, 403, refusal);
    if (request.method !== "GET" && request.method !== "HEAD") return end(response, 405, "only GET");
    if (!path.startsWith(`/${secret}/`)) return end(response, 404, "not found; open the whole URL that the server reported");
    try {
      handle(path.slice(secret.length + 2), response);
    } catch (problem) {
      // An exception here would end the process that is looked at.
      end(response, 500, problem instanceof Error ? problem.message : "failed");
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      server.off("error", reject);
      resolve();
    });
  });
  // The program that is looked at decides when to end, not its inspector.
  server.unref();
  return {
    url: `http://127.0.0.1:${portOf(server)}/${secret}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export function end(response: ServerResponse, status: number, text: string): void {
  if (response.headersSent) return void response.destroy();
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8" });
  response.end(`${text}\n`);
}

function refuse(request: IncomingMessage, port: number): string | undefined {
  const hosts = [`127.0.0.1:${port}`, `localhost:${port}`];
  if (port === 80) hosts.push("127.0.0.1", "localhost");
  if (!hosts.includes(request.headers.host ?? "")) return "this server answers to loopback names only";
  const { origin } = request.headers;
  if (origin !== undefined && !hosts.some((host) => origin === `http://${host}`)) return "this server answers to its own pages only";
  return undefined;
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo | null)?.port ?? 0;
}
