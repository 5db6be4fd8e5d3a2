// Replay buffer: the latest events of one session in one life of its buffer.
//
//   B1. The position of an event is the one before it plus one, and never goes back (O-21, O-22).
//   B2. Neighbouring deltas of one text are one entry, read as one event. A cursor between two of them splits it, so that nothing is
//       said twice; a late reader is told a long answer in few events, and it takes up few of those that are kept.
//   B3. Appending never waits: a reader has a position here and nothing of its own, so the buffer is its bounded queue (O-25).

import { type DeltaType, isDeltaType } from "../domain/delta-type.ts";
import { formatCursor } from "../domain/session-cursor.ts";
import type { GapReason, ObservationPayload, SessionObservationEvent } from "./contract.ts";
import { bytesOf } from "./event-size.ts";

export interface ReplayBounds {
  /** Entries that are kept: neighbouring deltas of one text count as one. Default 2048. */
  readonly maxEvents: number;
  /** Older events are let go of, in milliseconds. Default 120,000. */
  readonly maxAgeMs: number;
  /** About how many bytes are kept per session; the latest event always is. Default 1 MiB. */
  readonly maxBytes: number;
}

/** A longer text is several entries, so that its beginning can be let go of. */
const TEXT_LENGTH = 16_384;
const PIECES = 4_096;

interface Entry {
  /** Positions that it stands for. */
  readonly first: number;
  last: number;
  readonly revision: number;
  /** The latest one, of joined deltas. */
  payload: ObservationPayload;
  atMs: number;
  bytes: number;
  /** What joined deltas say, and the positions behind them. Not one text: ropes of thousands of pieces are slow to collect. */
  readonly pieces: string[];
  readonly cuts: number[];
  length: number;
}

type DeltaPayload = ObservationPayload & { readonly type: "turn_activity"; readonly activity: { readonly type: DeltaType; readonly text: string } };

export interface ReadEvent {
  readonly position: number;
  readonly event: SessionObservationEvent;
}

/** Makes the text of its cursor when it is asked for: of most deltas nobody ever does. */
class AppendedEvent implements SessionObservationEvent {
  readonly sessionId: string;
  readonly revision: number;
  readonly incarnation: string;
  readonly position: number;
  readonly payload: ObservationPayload;

  constructor({ sessionId, incarnation }: ReplayBuffer, revision: number, position: number, payload: ObservationPayload) {
    this.sessionId = sessionId;
    this.revision = revision;
    this.incarnation = incarnation;
    this.position = position;
    this.payload = payload;
  }

  get cursor(): string {
    return formatCursor(this);
  }
}

export class ReplayBuffer {
  readonly sessionId: string;
  readonly incarnation: string;
  /** A copy takes no events of its own. */
  readonly isCopy: boolean;
  /** Where it begins: a copy knows nothing of what was before. */
  readonly origin: number;
  readonly #bounds: ReplayBounds;
  #tail: number;
  #entries: Entry[] | undefined;
  #bytes = 0;
  /** Readers that wait for the next event; there is no such set while nobody does. */
  #waiting: Set<() => void> | undefined;
  #isRetired = false;
  #isClosed = false;

  /** @param copyFrom - where a copy begins. */
  constructor(sessionId: string, incarnation: string, bounds: ReplayBounds, copyFrom?: number) {
    this.sessionId = sessionId;
    this.incarnation = incarnation;
    this.isCopy = copyFrom !== undefined;
    this.#bounds = bounds;
    this.origin = copyFrom ?? 0;
    this.#tail = this.origin;
  }

  get tail(): number {
    return this.#tail;
  }

  /** Position of the oldest event that is kept; the next one where none is. */
  get first(): number {
    return this.#entries?.[0]?.first ?? this.#tail + 1;
  }

  /** Nothing is appended any more: another life has begun, or nobody has the session open. */
  get isRetired(): boolean {
    return this.#isRetired;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** @param position - after the tail; what lies between is part of this event. */
  append(payload: ObservationPayload, revision: number, nowMs: number, position = this.#tail + 1): SessionObservationEvent {
    const entries = (this.#entries ??= []);
    const last = entries.at(-1);
    const isRecent = last && nowMs - last.atMs <= this.#bounds.maxAgeMs;
    if (isRecent && isDelta(payload) && continues(last, payload, revision)) this.#join(last, payload, position, nowMs);
    else this.#add(entries, payload, revision, position, nowMs);
    this.#tail = position;
    this.trim(nowMs);
    if (this.#waiting) this.#wake();
    return new AppendedEvent(this, revision, position, payload);
  }

  #add(entries: Entry[], payload: ObservationPayload, revision: number, position: number, atMs: number): void {
    const bytes = bytesOf(payload);
    const text = isDelta(payload) ? payload.activity.text : "";
    entries.push({ first: this.#tail + 1, last: position, revision, payload, atMs, bytes, pieces: [text], cuts: [position], length: text.length });
    this.#bytes += bytes;
  }

  #join(last: Entry, payload: DeltaPayload, position: number, atMs: number): void {
    const { text } = payload.activity;
    last.pieces.push(text);
    last.cuts.push(position);
    last.length += text.length;
    last.last = position;
    last.payload = payload;
    last.atMs = atMs;
    const bytes = text.length + BYTES_PER_PIECE;
    last.bytes += bytes;
    this.#bytes += bytes;
  }

  trim(nowMs: number): void {
    const entries = this.#entries;
    if (!entries) return;
    const { maxEvents, maxAgeMs, maxBytes } = this.#bounds;
    for (let oldest = entries[0]; oldest; oldest = entries[0]) {
      const tooMuch = entries.length > maxEvents || (this.#bytes > maxBytes && entries.length > 1);
      if (!tooMuch && nowMs - oldest.atMs <= maxAgeMs) return;
      this.#bytes -= oldest.bytes;
      entries.shift();
    }
    this.#entries = undefined;
  }

  /** Events up to here were missed: those before them lead nowhere any more. */
  skipTo(position: number): void {
    this.#entries = undefined;
    this.#bytes = 0;
    this.#tail = position;
    this.#wake();
  }

  /** Why a reader at this position cannot go on from here; undefined where it can. */
  gapAt(position: number): GapReason | undefined {
    if (position > this.#tail) return "unavailable";
    return this.#after(position) === "trimmed" ? "trimmed" : undefined;
  }

  /** The next event after a position; undefined while there is none. */
  next(position: number): ReadEvent | "trimmed" | undefined {
    const entry = this.#after(position);
    return typeof entry === "object" ? this.#read(entry, position) : entry;
  }

  /** Everything after a position that has no gap. */
  readAll(position: number): readonly SessionObservationEvent[] {
    const events: SessionObservationEvent[] = [];
    for (let read = this.next(position); typeof read === "object"; read = this.next(read.position)) events.push(read.event);
    return events;
  }

  /** Resolves when there may be something new. @returns also what gives up waiting. */
  change(): { readonly promise: Promise<void>; readonly stop: () => void } {
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiting = (this.#waiting ??= new Set());
    const stop = (): void => {
      waiting.delete(resolve);
      if (waiting.size === 0 && this.#waiting === waiting) this.#waiting = undefined;
      resolve();
    };
    waiting.add(resolve);
    return { promise, stop };
  }

  retire(isClosed: boolean): void {
    this.#isRetired = true;
    this.#isClosed = isClosed;
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    for (const wake of waiting ?? []) wake();
  }

  #after(position: number): Entry | "trimmed" | undefined {
    if (position >= this.#tail) return undefined;
    const entries = this.#entries ?? [];
    let [low, high] = [0, entries.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((entries[middle]?.last ?? 0) > position) high = middle;
      else low = middle + 1;
    }
    const entry = entries[low];
    const isWhole = entry && entry.first === position + 1;
    // A place inside of what came here as one event is none that can be gone on from.
    return entry && (isWhole || (position >= entry.first && entry.cuts.lastIndexOf(position) >= 0)) ? entry : "trimmed";
  }

  #read(entry: Entry, after: number): ReadEvent {
    const { revision, last: position } = entry;
    const { sessionId, incarnation } = this;
    const cursor = formatCursor({ revision, incarnation, position, sessionId });
    return { position, event: { sessionId, revision, cursor, payload: payloadAfter(entry, after) } };
  }
}

const BYTES_PER_PIECE = 16;

function payloadAfter({ payload, cuts, pieces }: Entry, after: number): ObservationPayload {
  // A reader that keeps up is given each delta as it came.
  if (cuts.length === 1 || cuts.at(-2) === after || !isDelta(payload)) return payload;
  const text = pieces.slice(cuts.lastIndexOf(after) + 1).join("");
  return { ...payload, activity: { ...payload.activity, text } };
}

const isDelta = (payload: ObservationPayload): payload is DeltaPayload =>
  payload.type === "turn_activity" && isDeltaType(payload.activity.type);

function continues({ payload, revision, length, cuts }: Entry, next: DeltaPayload, nextRevision: number): boolean {
  return (
    isDelta(payload) &&
    payload.activity.correlationId === next.activity.correlationId &&
    payload.activity.type === next.activity.type &&
    payload.turnId === next.turnId &&
    revision === nextRevision &&
    length < TEXT_LENGTH &&
    cuts.length < PIECES
  );
}
