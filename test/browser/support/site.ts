// Serves the page of the tests under a Content-Security-Policy that allows no eval and nothing inline, keeps what its tools
// report, and holds their gates.

import { once, EventEmitter } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { build } from "esbuild";
import type { Witnessed } from "./page.ts";

const POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'";

export interface Site {
  readonly origin: string;
  readonly witnessed: readonly Witnessed[];
  /** Bodies posted to anything but `/witness`, by path. */
  posted(path: string): readonly unknown[];
  /** Waits until it holds, looking again at every post. */
  until(holds: () => boolean): Promise<void>;
  /** While shut, tools of that name do not end. */
  shut(tool: string): void;
  open(tool: string): void;
  close(): void;
}

export async function startSite(): Promise<Site> {
  const bundle = await build({ entryPoints: [join(import.meta.dirname, "page.ts")], bundle: true, format: "esm", platform: "browser", target: "es2023", write: false });
  const script = bundle.outputFiles[0]?.text ?? "";
  const witnessed: Witnessed[] = [];
  const posts: { readonly path: string; readonly body: unknown }[] = [];
  const gates = new Map<string, PromiseWithResolvers<void>>();
  const changes = new EventEmitter();
  changes.setMaxListeners(50);
  const server = createServer(async (request, response) => {
    const path = new URL(request.url ?? "/", "http://site").pathname;
    response.setHeader("content-security-policy", POLICY);
    if (request.method === "POST") {
      const body: unknown = JSON.parse(await textOf(request));
      if (path === "/witness") witnessed.push(body as Witnessed);
      else posts.push({ path, body });
      response.end();
      changes.emit("change");
    } else if (path.startsWith("/gate/")) {
      await gates.get(path.slice("/gate/".length))?.promise;
      response.end();
    } else if (path === "/page.js") response.setHeader("content-type", "text/javascript").end(script);
    else response.setHeader("content-type", "text/html").end(`<!doctype html><title>tab</title><script type="module" src="/page.js"></script>`);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    // A name that the browser trusts like https; locks need that.
    origin: `http://localhost:${(server.address() as AddressInfo).port}`,
    witnessed,
    posted: (path) => posts.filter((post) => post.path === path).map(({ body }) => body),
    async until(holds) {
      while (!holds()) {
        await once(changes, "change");
        const failure = posts.find(({ path }) => path === "/failed");
        if (failure) throw new Error(`the page failed: ${JSON.stringify(failure.body)}`);
      }
    },
    shut: (tool) => void gates.set(tool, Promise.withResolvers()),
    open: (tool) => gates.get(tool)?.resolve(),
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return text;
}
