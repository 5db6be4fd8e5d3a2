// The wire form of inspection: what a tap emits, a recording holds, and the viewer reads.
//   R1. One record is one line of JSON; the order of lines is the order in which things happened.
//   R2. Names follow the Stately inspection format where it has one, so `stately.ts` converts without a lookup table.
//   R3. A record holds copies only: redacted, bounded, never a reference into the running system.

/** Plain JSON, as it comes out of `condense`. */
export type InspectJson = null | boolean | number | string | readonly InspectJson[] | { readonly [key: string]: InspectJson };

/** First line of every recording and stream: which run of which process or tab the records below belong to. */
export interface RunRecord {
  readonly type: "lash.run";
  readonly version: 1;
  /** Differs between processes and tabs; XState session ids (`x:0`) are unique within one run only. */
  readonly run: string;
  /** What the run calls itself in the viewer, for example a host name or a tab title. */
  readonly label?: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
}

/** The chart of one kind of machine, sent once; actors name it by `machine`. */
export interface MachineRecord {
  readonly type: "lash.machine";
  readonly machine: string;
  /** JSON of `logic.config`, functions replaced by their names. */
  readonly definition: InspectJson;
}

interface Happening {
  /** Counts up by one within a run; a gap means records were left out. */
  readonly seq: number;
  /** Milliseconds since the epoch, with microseconds as decimals. */
  readonly at: number;
  /** The actor it happened to: the recipient of an event, the owner of a snapshot. */
  readonly sessionId: string;
}

/** An actor came to be. */
export interface ActorRecord extends Happening {
  readonly type: "@xstate.actor";
  /** The actor's readable id, for example `tool:chat-42:t1:weather:call_0`. */
  readonly name: string;
  readonly rootId: string;
  readonly parentId?: string;
  /** Names a `MachineRecord`; absent for actors without a chart (promises, callbacks). */
  readonly machine?: string;
}

/** A message on its way to `sessionId`; it may still be ignored there. */
export interface EventRecord extends Happening {
  readonly type: "@xstate.event";
  /** Absent when the message came from outside the actor system. */
  readonly sourceId?: string;
  readonly event: InspectedEvent;
}

/** `type`, and whatever else the event carried. */
export interface InspectedEvent {
  readonly type: string;
  readonly [key: string]: InspectJson;
}

/** The actor after a macrostep. */
export interface SnapshotRecord extends Happening {
  readonly type: "@xstate.snapshot";
  /** Type of the event that led here. */
  readonly event: { readonly type: string };
  readonly snapshot: InspectedSnapshot;
  /** Transitions taken, in order. */
  readonly steps?: readonly Step[];
  /** Names of the actions executed, in order. */
  readonly actions?: readonly string[];
}

/** Source state path, event type, target state path (`null`: stayed where it was). Paths are dotted, the root is `""`. */
export type Step = readonly [source: string, event: string, target: string | null];

export interface InspectedSnapshot {
  readonly status: string;
  readonly value?: InspectJson;
  readonly context?: InspectJson;
  readonly output?: InspectJson;
  readonly error?: InspectJson;
}

/** Under load, records are left out rather than the runtime held up; this says how many. */
export interface SkippedRecord {
  readonly type: "lash.skipped";
  readonly at: number;
  readonly events: number;
  readonly snapshots: number;
}

export type InspectRecord = RunRecord | MachineRecord | ActorRecord | EventRecord | SnapshotRecord | SkippedRecord;

const TYPES: ReadonlySet<string> = new Set<InspectRecord["type"]>([
  "lash.run", "lash.machine", "@xstate.actor", "@xstate.event", "@xstate.snapshot", "lash.skipped",
]);
const NEEDS: Readonly<Record<InspectRecord["type"], readonly (readonly [key: string, type: string])[]>> = {
  "lash.run": [["run", "string"], ["startedAt", "number"]],
  "lash.machine": [["machine", "string"], ["definition", "object"]],
  "lash.skipped": [["at", "number"], ["events", "number"], ["snapshots", "number"]],
  "@xstate.actor": [["seq", "number"], ["at", "number"], ["sessionId", "string"], ["name", "string"]],
  "@xstate.event": [["seq", "number"], ["at", "number"], ["sessionId", "string"], ["event", "object"]],
  "@xstate.snapshot": [["seq", "number"], ["at", "number"], ["sessionId", "string"], ["snapshot", "object"], ["event", "object"]],
};

/** @returns the value as a record if it has the shape of one; a recording may come from anywhere. */
export function asRecord(value: unknown): InspectRecord | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const fields = value as Readonly<Record<string, unknown>>;
  if (typeof fields["type"] !== "string" || !TYPES.has(fields["type"])) return undefined;
  const needs = NEEDS[fields["type"] as InspectRecord["type"]];
  for (const [key, type] of needs) {
    if (typeof fields[key] !== type || fields[key] === null) return undefined;
  }
  for (const key of ["event"] as const) {
    const inner = fields[key];
    if (inner !== undefined && typeof (inner as { type?: unknown }).type !== "string") return undefined;
  }
  return value as InspectRecord;
}

/** What `parseRecords` made of a text. */
export interface ParsedRecords {
  readonly records: readonly InspectRecord[];
  /** 1-based numbers of lines that are no record; a recording cut off by a crash ends in one. */
  readonly badLines: readonly number[];
}

/** Reads a JSONL recording; lines that are no record are reported, not thrown. */
export function parseRecords(text: string): ParsedRecords {
  const records: InspectRecord[] = [];
  const badLines: number[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const record = parseRecord(line);
    if (record) records.push(record);
    else badLines.push(index + 1);
  }
  return { records, badLines };
}

/** @returns the record on this line, or undefined if there is none. */
export function parseRecord(line: string): InspectRecord | undefined {
  try {
    return asRecord(JSON.parse(line));
  } catch {
    return undefined;
  }
}
