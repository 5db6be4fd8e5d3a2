// Records to any number of viewers over Server-Sent Events. Node only.
// SSE, not WebSocket: the stream goes one way, reconnects by itself, passes the same header checks as every request,
// and needs neither a handshake nor a dependency.
import type { ServerResponse } from "node:http";
import { RecordRing } from "./record-ring.ts";
import { parseRecord, type InspectRecord } from "./records.ts";

/** A viewer this far behind is cut off; it reconnects and gets the replay. */
const MOST_BUFFERED = 16 * 1024 * 1024;

/** Turns records into what the readers of a stream expect; undefined leaves one out. It may remember what it has seen. */
export type Convert = (record: InspectRecord) => object | undefined;

export class EventStream {
  private readonly ring: RecordRing;
  private readonly clients = new Set<ServerResponse>();
  private readonly converter: (() => Convert) | undefined;
  private readonly convert: Convert | undefined;

  /**
   * @param replay - records kept for viewers that connect later.
   * @param converter - makes a converter, one for the live stream and one for each replay; default: records go as they are.
   */
  constructor(replay: number, converter?: () => Convert) {
    this.ring = new RecordRing(replay);
    this.converter = converter;
    this.convert = converter?.();
  }

  push(records: readonly InspectRecord[]): void {
    const lines = records.flatMap((record) => {
      const line = this.ring.add(record);
      return this.convert ? json(this.convert(record)) : line;
    });
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
    const lines = this.replay();
    // In pieces, so that the page paints while a long replay arrives.
    for (let start = 0; start < lines.length; start += 500) response.write(frame(lines.slice(start, start + 500)));
    this.clients.add(response);
    response.on("close", () => this.clients.delete(response));
  }

  private replay(): readonly string[] {
    const convert = this.converter?.();
    if (!convert) return this.ring.lines();
    return this.ring.lines().flatMap((line) => {
      const record = parseRecord(line);
      return record ? json(convert(record)) : [];
    });
  }

  get watchers(): number {
    return this.clients.size;
  }

  close(): void {
    for (const client of this.clients) client.end();
    this.clients.clear();
  }
}

function json(value: object | undefined): string | readonly [] {
  return value === undefined ? [] : JSON.stringify(value);
}

/** One message of several lines; JSON text has no line break, so a `data:` line holds exactly one record. */
function frame(lines: readonly string[]): string {
  return lines.length === 0 ? "" : `${lines.map((line) => `data: ${line}`).join("\n")}\n\n`;
}
