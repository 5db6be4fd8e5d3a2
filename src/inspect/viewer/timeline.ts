// All records the viewer knows, and what was true at any point among them.
//   M1. A position is a count of records; `stateAt(actor, position)` sees those before it. Positions never shift: old
//       records are forgotten, not renumbered.
//   M2. Actors are kept per run: `x:0` of one process is not `x:0` of another.
import { chartOf, type Chart } from "../chart.ts";
import type { ActorRecord, EventRecord, InspectRecord, SkippedRecord, SnapshotRecord } from "../records.ts";

/** One actor of one run. */
export interface Track {
  readonly key: string;
  readonly name: string;
  /** `turn` of `turn:chat-42:t1`. */
  readonly kind: string;
  /** What is left of the name beside kind and group. */
  readonly short: string;
  /** Session the actor belongs to; run's label for those that belong to none. */
  readonly group: string;
  readonly parent: string | undefined;
  readonly chart: Chart | undefined;
  readonly born: number;
  /** Positions of its snapshots, rising. */
  snapshots: number[];
  /** Positions at which its state value changed, rising. */
  moves: number[];
  lastValue: string | undefined;
}

/** A row of the sequence diagram. */
export type Entry =
  | { readonly kind: "actor"; readonly record: ActorRecord; readonly to: string }
  | { readonly kind: "event"; readonly record: EventRecord; readonly to: string; readonly from: string | undefined }
  | { readonly kind: "snapshot"; readonly record: SnapshotRecord; readonly to: string; readonly moved: boolean }
  | { readonly kind: "skipped"; readonly record: SkippedRecord };

export class Timeline {
  readonly tracks = new Map<string, Track>();
  /** Positions of the rows of each group's sequence diagram. */
  readonly rows = new Map<string, number[]>();
  private entries: (Entry | undefined)[] = [];
  private base = 0;
  private readonly runs = new Map<string, { readonly id: string; readonly label: string }>();
  private run = { id: "", label: "" };
  private readonly charts = new Map<string, Chart>();
  private readonly lastSeq = new Map<string, number>();
  private readonly most: number;

  /** @param most - records kept; beyond it the oldest tenth is forgotten. */
  constructor(most = 200_000) {
    this.most = most;
  }

  /** Position after the newest record. */
  get end(): number {
    return this.base + this.entries.length;
  }

  /** Oldest position still known. */
  get start(): number {
    return this.base;
  }

  at(position: number): Entry | undefined {
    return this.entries[position - this.base];
  }

  clear(): void {
    this.base = this.end;
    this.entries = [];
    this.tracks.clear();
    this.rows.clear();
    this.charts.clear();
    this.lastSeq.clear();
  }

  /** The records that follow are of this run; a `lash.run` record says the same. */
  enter(run: string): void {
    this.run = this.runs.get(run) ?? { id: run, label: "runtime" };
  }

  add(record: InspectRecord): void {
    if (record.type === "lash.run") {
      this.run = { id: record.run, label: record.label ?? "runtime" };
      this.runs.set(record.run, this.run);
      return;
    }
    if (record.type === "lash.machine") {
      this.charts.set(`${this.run.id}/${record.machine}`, chartOf(record.definition));
      return;
    }
    if (record.type === "lash.skipped") {
      this.push({ kind: "skipped", record });
      return;
    }
    // A stream that reconnects replays what is known already.
    if (record.seq <= (this.lastSeq.get(this.run.id) ?? -1)) return;
    this.lastSeq.set(this.run.id, record.seq);
    const to = this.key(record.sessionId);
    switch (record.type) {
      case "@xstate.actor":
        this.addActor(record, to);
        return;
      case "@xstate.event": {
        const from = record.sourceId === undefined ? undefined : this.key(record.sourceId);
        this.push({ kind: "event", record, to, from }, this.group(to), this.group(from));
        return;
      }
      case "@xstate.snapshot":
        this.addSnapshot(record, to);
    }
  }

  snapshotAt(key: string, position: number): SnapshotRecord | undefined {
    const track = this.tracks.get(key);
    const found = track?.snapshots[countBelow(track.snapshots, position) - 1];
    const entry = found === undefined ? undefined : this.at(found);
    return entry?.kind === "snapshot" ? entry.record : undefined;
  }

  /** Newest event that reached the actor before `position`. */
  lastEventAt(key: string, position: number): EventRecord | undefined {
    const group = this.group(key);
    const rows = group === undefined ? undefined : this.rows.get(group);
    if (!rows) return undefined;
    const from = countBelow(rows, position) - 1;
    for (let index = from; index >= 0 && index > from - 2000; index -= 1) {
      const entry = this.at(rows[index] ?? -1);
      if (entry?.kind === "event" && entry.to === key) return entry.record;
    }
    return undefined;
  }

  group(key: string | undefined): string | undefined {
    return key === undefined ? undefined : this.tracks.get(key)?.group;
  }

  private key(sessionId: string): string {
    return `${this.run.id}/${sessionId}`;
  }

  private addActor(record: ActorRecord, key: string): void {
    if (this.tracks.has(key)) return;
    const parent = record.parentId === undefined ? undefined : this.key(record.parentId);
    const [kind = record.name, ...rest] = record.name.split(":");
    const above = parent === undefined ? undefined : this.tracks.get(parent);
    // A session's name says which; what lives below it is its own, whatever its name begins with.
    const group = above && above.name.includes(":") ? above.group : (rest[0] ?? above?.group ?? this.run.label);
    const own = rest.filter((part) => part !== group);
    this.tracks.set(key, {
      key,
      name: record.name,
      kind,
      // Of a tool call its tool and call: naming the turn again would push them out of sight.
      short: own.slice(-2).join(" "),
      group,
      parent,
      chart: record.machine === undefined ? undefined : this.charts.get(`${this.run.id}/${record.machine}`),
      born: this.end,
      snapshots: [],
      moves: [],
      lastValue: undefined,
    });
    this.push({ kind: "actor", record, to: key }, group);
  }

  private addSnapshot(record: SnapshotRecord, key: string): void {
    const track = this.tracks.get(key);
    const value = record.snapshot.value === undefined ? undefined : JSON.stringify(record.snapshot.value);
    const moved = track !== undefined && value !== undefined && value !== track.lastValue;
    if (track) {
      track.lastValue = value;
      track.snapshots.push(this.end);
      if (moved) track.moves.push(this.end);
    }
    this.push({ kind: "snapshot", record, to: key, moved }, moved ? track.group : undefined);
  }

  private push(entry: Entry, ...groups: readonly (string | undefined)[]): void {
    const position = this.end;
    this.entries.push(entry);
    for (const group of new Set(groups)) {
      if (group === undefined) continue;
      const rows = this.rows.get(group);
      if (rows) rows.push(position);
      else this.rows.set(group, [position]);
    }
    if (this.entries.length > this.most) this.forget(Math.ceil(this.most / 10));
  }

  /** A living actor keeps its newest snapshot however old that is. */
  private forget(count: number): void {
    const start = this.base + count;
    const keep: (Entry & { kind: "snapshot" })[] = [];
    for (const track of this.tracks.values()) {
      const last = track.snapshots.at(-1);
      track.snapshots = track.snapshots.filter((position) => position >= start);
      track.moves = track.moves.filter((position) => position >= start);
      if (track.snapshots.length > 0 || last === undefined) continue;
      const entry = this.at(last);
      if (entry?.kind === "snapshot" && entry.record.snapshot.status === "active") keep.push(entry);
      else this.tracks.delete(track.key);
    }
    this.entries = this.entries.slice(count);
    this.base = start;
    // States of quiet actors move into the gap just before the window.
    this.base = start - keep.length;
    this.entries = [...keep, ...this.entries];
    let place = this.base;
    for (const entry of keep) {
      const track = this.tracks.get(entry.to);
      if (track) track.snapshots = [place];
      place += 1;
    }
    for (const [group, rows] of this.rows) {
      const left = rows.filter((position) => position >= start);
      if (left.length > 0) this.rows.set(group, left);
      else this.rows.delete(group);
    }
  }
}

/** How many of the rising numbers are below `limit`. */
export function countBelow(rising: readonly number[], limit: number): number {
  let low = 0;
  let high = rising.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((rising[middle] ?? 0) < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
