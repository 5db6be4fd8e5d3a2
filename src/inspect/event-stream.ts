// Records to any number of viewers over Server-Sent Events. Node only.
// SSE, not WebSocket: the stream goes one way, reconnects by itself, passes the same header checks as every request,
// and needs neither a handshake nor a dependency.
import type { ServerResponse } from "node:http";
import { RecordRing } from "./record-ring.ts";
import type { InspectRecord } from "./records.ts";

/** A viewer this far behind is cut off; it reconnects and gets the replay. */
const MOST_BUFFERED = 16 * 1024 * 1024;

export class EventStream {
  private readonly ring: RecordRing;
  private readonly clients = new Set<ServerResponse>();

  /** @param replay - records kept for viewers that connect later. */
  constructor(replay: number) {
    this.ring = new RecordRing(replay);
  }

  push(records: readonly InspectRecord[]): void {
    const lines = records.map((record) => this.ring.add(record));
    if (this.clients.size === 0) return;
    const message = frame(lines);
    for (const client of this.clients) {
      if (client.writableLength > MOST_BUFFERED) {
        this.clients.delete(client);
        client.destroy();
      } else client.write(message);
    }
  }

  /** Answers a request with the replay, then with what happens. */
  connect(response: ServerResponse): void {
    response.writeHead(200, { "Content-Type": "text/event-stream; charset=utf-8", Connection: "keep-alive" });
    response.write("retry: 1000\n\n");
    const lines = this.ring.lines();
    // In pieces, so that the page paints while a long replay arrives.
    for (let start = 0; start < lines.length; start += 500) response.write(frame(lines.slice(start, start + 500)));
    this.clients.add(response);
    response.on("close", () => this.clients.delete(response));
  }

  get watchers(): number {
    return this.clients.size;
  }

  close(): void {
    for (const client of this.clients) client.end();
    this.clients.clear();
  }
}

/** One message of several lines; JSON text has no line break, so a `data:` line holds exactly one record. */
function frame(lines: readonly string[]): string {
  return lines.length === 0 ? "" : `${lines.map((line) => `data: ${line}`).join("\n")}\n\n`;
}
