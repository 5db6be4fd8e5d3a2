// The local viewer: its page, and the live stream it reads. Node only.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ServerResponse } from "node:http";
import { EventStream } from "./event-stream.ts";
import { serveLive, type InspectServer } from "./live-server.ts";
import { end } from "./loopback.ts";
import type { TapOptions } from "./tap.ts";

export interface InspectServerOptions extends TapOptions {
  /** Default 0: the system chooses a free one. */
  readonly port?: number;
  /** Happenings kept for viewers that connect later. Default 5,000. */
  readonly replay?: number;
  /** Folder of the built viewer page; default the one inside the package. */
  readonly viewerFolder?: string;
}

/** A map, not an object: a path may be called `constructor`. */
const FILES: ReadonlyMap<string, readonly [file: string, type: string]> = new Map([
  ["", ["index.html", "text/html"]],
  ["viewer.js", ["viewer.js", "text/javascript"]],
  ["viewer.css", ["viewer.css", "text/css"]],
  ["icon.svg", ["icon.svg", "image/svg+xml"]],
]);
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/**
 * Serves the viewer page and a live stream of what XState inspection reports, on 127.0.0.1 only.
 *
 * @example
 * const viewer = await inspectServer();
 * console.log(viewer.url);
 * const lash = createLash({ provider, inspect: viewer });
 */
export function inspectServer({ port, replay = 5000, viewerFolder = findViewer(), ...options }: InspectServerOptions = {}): Promise<InspectServer> {
  return serveLive({ ...options, port, stream: new EventStream(replay), serve: (path, response) => serveFile(viewerFolder, path, response) });
}

function serveFile(folder: string | undefined, path: string, response: ServerResponse): void {
  const found = FILES.get(path);
  if (!found) return end(response, 404, "not found");
  const [file, type] = found;
  let bytes: Buffer;
  try {
    bytes = readFileSync(join(folder ?? "", file));
  } catch {
    return end(response, 501, "The viewer page is not built. In a checkout: npm run build");
  }
  response.setHeader("Content-Security-Policy", POLICY);
  response.writeHead(200, { "Content-Type": `${type}; charset=utf-8` });
  response.end(bytes);
}

/** The bundler decides whether this code lies in `dist/inspect/` or in a chunk above; in a checkout it lies in `src/inspect/`. */
function findViewer(): string | undefined {
  const here = dirname(fileURLToPath(import.meta.url));
  const candidates = [join(here, "viewer"), join(here, "inspect", "viewer"), join(here, "..", "inspect", "viewer"), join(here, "..", "..", "dist", "inspect", "viewer")];
  return candidates.find((folder) => existsSync(join(folder, "viewer.js")));
}
