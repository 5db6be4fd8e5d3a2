// Where records come from: the server that served this page, an app on the same origin, the window that opened it, a file.
import { parseRecord, parseRecords, type InspectRecord } from "../records.ts";

export interface SourceEvents {
  /** @param run - whose records they are, where several tabs speak in turn. */
  readonly onRecords: (records: readonly InspectRecord[], run?: string) => void;
  /** What to say about the connection. */
  readonly onStatus: (status: string, live: boolean) => void;
}

/** Server-Sent Events of `inspectServer`; the browser reconnects by itself and gets the replay again. */
export function followServer(url: string, { onRecords, onStatus }: SourceEvents): void {
  const stream = new EventSource(url);
  stream.addEventListener("open", () => onStatus("live", true));
  stream.addEventListener("error", () => onStatus("reconnecting", false));
  stream.addEventListener("message", (message: MessageEvent<string>) => onRecords(read(message.data.split("\n"))));
}

/** Apps with `viewerChannel()`: other tabs of this origin, and the window that embeds or opened this one. */
export function followChannel({ onRecords, onStatus }: SourceEvents): void {
  const receive = (data: unknown): void => {
    if (typeof data !== "object" || data === null) return;
    const { type, lines, run } = data as { type?: unknown; lines?: unknown; run?: unknown };
    if (type !== "lash.viewer.lines" || !Array.isArray(lines)) return;
    onStatus("live", true);
    onRecords(read(lines), typeof run === "string" ? run : undefined);
  };
  const host: Window | null = window.parent === window ? (window.opener as Window | null) : window.parent;
  const channel = typeof BroadcastChannel === "undefined" ? undefined : new BroadcastChannel("lash-inspect");
  const greet = (type: "lash.viewer.hello" | "lash.viewer.here"): void => {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a BroadcastChannel has no target; it stays in its origin
    channel?.postMessage({ type });
    // A greeting holds nothing; the app checks who greets before it answers.
    host?.postMessage({ type }, "*");
  };
  channel?.addEventListener("message", (event) => receive(event.data));
  window.addEventListener("message", (event) => {
    if (host !== null && event.source === host) receive(event.data);
  });
  greet("lash.viewer.hello");
  setInterval(() => greet("lash.viewer.here"), 2000);
}

/** @returns the records of a recording, and a sentence about lines that were none. */
export async function readFile(file: File): Promise<{ readonly records: readonly InspectRecord[]; readonly problem: string | undefined }> {
  const { records, badLines } = parseRecords(await file.text());
  const first = badLines[0];
  if (first === undefined) return { records, problem: undefined };
  if (records.length === 0) return { records, problem: `${file.name} is no recording` };
  return { records, problem: `${badLines.length} of the lines are no records (first: line ${first})` };
}

function read(lines: readonly unknown[]): readonly InspectRecord[] {
  return lines.flatMap((line) => (typeof line === "string" ? (parseRecord(line) ?? []) : []));
}
