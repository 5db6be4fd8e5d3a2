// The last records as lines of JSON, with enough kept aside that any window of them can be understood.
//   B1. `lines()` begins with the run and the charts, then actors whose birth has left the window and that still matter:
//       they live, or the window names them.
import type { InspectRecord } from "./records.ts";

interface Kept { readonly line: string; readonly seq: number; readonly sessionId: string | undefined; readonly kind: InspectRecord["type"]; readonly ended: boolean }
interface Aside { readonly birth: Kept; state: Kept | undefined }

export class RecordRing {
  private readonly limit: number;
  private run: string | undefined;
  private readonly machines = new Map<string, string>();
  private window: Kept[] = [];
  /** Index of the oldest line in `window`; shifting an array of thousands for every record would cost. */
  private first = 0;
  private readonly aside = new Map<string, Aside>();

  /** @param limit - most lines in the window, at least 1. */
  constructor(limit: number) {
    this.limit = Math.max(1, limit);
  }

  /** @returns the record's line. */
  add(record: InspectRecord): string {
    const line = JSON.stringify(record);
    if (record.type === "lash.run") this.run = line;
    else if (record.type === "lash.machine") this.machines.set(record.machine, line);
    else {
      const ended = record.type === "@xstate.snapshot" && record.snapshot.status !== "active";
      this.window.push({ line, seq: "seq" in record ? record.seq : -1, sessionId: "sessionId" in record ? record.sessionId : undefined, kind: record.type, ended });
      if (this.window.length - this.first > this.limit) this.drop();
    }
    return line;
  }

  /** Everything a late reader needs, oldest first. */
  lines(): readonly string[] {
    const window = this.window.slice(this.first);
    const named = new Set(window.map((kept) => kept.sessionId));
    const before: Kept[] = [];
    for (const [sessionId, { birth, state }] of this.aside) {
      if (state?.ended && !named.has(sessionId)) continue;
      before.push(birth);
      if (state) before.push(state);
    }
    // Readers drop what they have seen by its number, so numbers must only rise.
    before.sort((a, b) => a.seq - b.seq);
    return [...(this.run === undefined ? [] : [this.run]), ...this.machines.values(), ...before.map((kept) => kept.line), ...window.map((kept) => kept.line)];
  }

  /** Empties the window; what lives stays known. */
  clear(): void {
    while (this.first < this.window.length) this.drop();
    this.forgetEnded(new Set());
  }

  private drop(): void {
    const kept = this.window[this.first];
    this.first += 1;
    if (kept?.sessionId !== undefined) {
      if (kept.kind === "@xstate.actor") this.aside.set(kept.sessionId, { birth: kept, state: undefined });
      const actor = this.aside.get(kept.sessionId);
      if (actor && kept.kind === "@xstate.snapshot") actor.state = kept;
    }
    if (this.first < this.limit && this.first < this.window.length) return;
    this.window = this.window.slice(this.first);
    this.first = 0;
    this.forgetEnded(new Set(this.window.map((left) => left.sessionId)));
  }

  private forgetEnded(named: ReadonlySet<string | undefined>): void {
    for (const [sessionId, actor] of this.aside) {
      if (actor.state?.ended && !named.has(sessionId)) this.aside.delete(sessionId);
    }
  }
}
