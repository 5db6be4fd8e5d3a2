// Stately's inspector for a Node process: a loopback page that holds Stately's viewer in a frame and feeds it. Node only.
// The server that comes with @statelyai/inspect listens on every interface and lets anybody read; this one does neither,
// and needs no package at all.
import type { ServerResponse } from "node:http";
import { EventStream } from "./event-stream.ts";
import { serveLive, type InspectServer } from "./live-server.ts";
import { end } from "./loopback.ts";
import { statelyConverter } from "./stately.ts";
import type { TapOptions } from "./tap.ts";

export interface StatelyServerOptions extends TapOptions {
  /** Default 0: the system chooses a free one. */
  readonly port?: number;
  /** Stately's viewer; default https://stately.ai/inspect, which the browser fetches from the network. */
  readonly viewer?: string;
  /** Happenings kept for pages that connect later. Default 2,000. */
  readonly replay?: number;
}

/**
 * Serves a local page that shows Stately's inspector, fed with redacted and bounded records.
 * The records go from this process to your browser, and from there into Stately's frame.
 *
 * @throws TypeError when `viewer` is no http(s) URL.
 */
export async function statelyServer({ port, replay = 2000, viewer: address = "https://stately.ai/inspect", ...options }: StatelyServerOptions = {}): Promise<InspectServer> {
  const viewer = new URL(address);
  if (viewer.protocol !== "https:" && viewer.protocol !== "http:") throw new TypeError(`viewer must be an http(s) URL, not ${viewer.protocol}`);
  const policy = `default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-src ${viewer.origin}; base-uri 'none'; frame-ancestors 'none'`;
  const serve = (path: string, response: ServerResponse): void => {
    const file = files(viewer).get(path);
    if (!file) return end(response, 404, "not found");
    response.setHeader("Content-Security-Policy", policy);
    response.writeHead(200, { "Content-Type": `${file.type}; charset=utf-8` });
    response.end(file.text);
  };
  return serveLive({ ...options, port, stream: new EventStream(replay, statelyConverter), serve });
}

function files(viewer: URL): ReadonlyMap<string, { readonly type: string; readonly text: string }> {
  const escaped = viewer.href.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
  return new Map([
    ["", {
      type: "text/html",
      text: `<!doctype html><meta charset="utf-8"><title>Stately inspector</title><link rel="stylesheet" href="page.css"><iframe id="viewer" src="${escaped}"></iframe><script type="module" src="page.js"></script>\n`,
    }],
    ["page.css", { type: "text/css", text: "html,body{margin:0;height:100%}iframe{border:0;width:100%;height:100%}\n" }],
    ["page.js", { type: "text/javascript", text: pageScript(viewer.origin) }],
  ]);
}

/** Runs in the page. Records are held until Stately's frame says that it is there, and go to its origin only. */
function pageScript(origin: string): string {
  return `const frame = document.getElementById("viewer");
const origin = ${JSON.stringify(origin)};
const waiting = [];
let connected = false;
const post = (record) => frame.contentWindow.postMessage(record, origin);
addEventListener("message", (event) => {
  if (event.source !== frame.contentWindow || event.data?.type !== "@statelyai.connected") return;
  connected = true;
  for (const record of waiting.splice(0)) post(record);
});
new EventSource("events").addEventListener("message", (message) => {
  for (const line of message.data.split("\\n")) {
    const record = JSON.parse(line);
    if (connected) post(record);
    else waiting.push(record);
  }
});
`;
}
