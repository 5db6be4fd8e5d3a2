// A page on loopback with a live stream of what XState inspection reports. Node only.

import type { ServerResponse } from "node:http";
import type { EventStream } from "./event-stream.ts";
import { listenOnLoopback } from "./loopback.ts";
import { createTap, type InspectObserver, type TapOptions } from "./tap.ts";

export interface InspectServer extends InspectObserver {
  /** Open this in a browser on the same machine. It holds a secret: whoever has it can look. */
  readonly url: string;
  /** Viewers connected now. */
  readonly watchers: number;
  close(): Promise<void>;
}

export interface LivePage extends TapOptions {
  readonly port?: number | undefined;
  /** What the page reads at `events`. */
  readonly stream: EventStream;
  /** Everything else that it asks for. */
  readonly serve: (path: string, response: ServerResponse) => void;
}

export async function serveLive({ port = 0, stream, serve, ...options }: LivePage): Promise<InspectServer> {
  const server = await listenOnLoopback(port, (path, response) => {
    if (path === "events") stream.connect(response);
    else serve(path, response);
  });
  const tap = createTap((records) => stream.push(records), options);
  return {
    next: tap.next,
    url: server.url,
    get watchers() {
      return stream.watchers;
    },
    close: async () => {
      tap.close();
      stream.close();
      await server.close();
    },
  };
}
