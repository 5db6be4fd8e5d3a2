// Live replay in memory: the buffers of all sessions of a runtime (observation.md section 5).

import type { Clock } from "../domain/clock.ts";
import { observationError } from "../domain/errors.ts";
import { asIncarnation, formatCursor, parseCursor, type ReplayPlace } from "../domain/session-cursor.ts";
import type { GapReason, LiveReplayStore, LiveReplaySubscription, ObservationPayload, SessionObservationEvent } from "./contract.ts";
import { ReplayBuffer, type ReplayBounds } from "./replay-buffer.ts";

export interface InMemoryReplayOptions extends ReplayBounds {
  readonly clock: Clock;
  /** Random: tells the buffers of this process from those of all others. */
  readonly incarnation: string;
}

export class InMemoryReplay implements LiveReplayStore {
  readonly #options: InMemoryReplayOptions;
  readonly #buffers = new Map<string, ReplayBuffer>();
  /** A buffer that begins anew, after its session was closed or another runtime spoke for it, is another life. */
  #lives = 0;
  #sweptAtMs = -Infinity;

  constructor(options: InMemoryReplayOptions) {
    this.#options = options;
  }

  append(sessionId: string, revision: number, payload: ObservationPayload, place?: ReplayPlace): SessionObservationEvent {
    const now = this.#options.clock.now();
    this.#sweep(now);
    if (!place) return this.#own(sessionId).append(payload, revision, now);
    const known = this.#buffers.get(sessionId);
    const buffer = known?.isCopy === true && known.incarnation === place.incarnation ? known : this.#begin(sessionId, place.incarnation, place.position - 1);
    // Told twice: it stands where it stood.
    if (place.position <= buffer.tail) return { sessionId, revision, cursor: formatCursor({ ...place, sessionId, revision }), payload };
    return buffer.append(payload, revision, now, place.position);
  }

  replayAfterCursor(cursor: string): { readonly replayed: readonly SessionObservationEvent[] } | { readonly gap: GapReason } {
    const found = this.#find(cursor);
    return "gap" in found ? found : { replayed: found.buffer.readAll(found.position) };
  }

  subscribeAfterCursor(cursor: string): { readonly subscribed: LiveReplaySubscription } | { readonly gap: GapReason } {
    const found = this.#find(cursor);
    return "gap" in found ? found : { subscribed: subscriptionTo(found.buffer, found.position) };
  }

  currentCursor(sessionId: string, revision: number): string {
    const { incarnation, tail: position } = this.#buffers.get(sessionId) ?? this.#begin(sessionId);
    return formatCursor({ revision, incarnation, position, sessionId });
  }

  trimSession(sessionId: string): void {
    this.#buffers.get(sessionId)?.trim(this.#options.clock.now());
  }

  restart(sessionId: string, place?: ReplayPlace): void {
    const known = this.#buffers.get(sessionId);
    const isOther = !place || known?.isCopy !== true || known.incarnation !== place.incarnation;
    if (isOther || place.position < known.origin) this.#begin(sessionId, place?.incarnation, place?.position);
    else if (known.tail < place.position) known.skipTo(place.position);
  }

  forget(sessionId: string): void {
    this.#buffers.get(sessionId)?.retire(true);
    this.#buffers.delete(sessionId);
  }

  #own(sessionId: string): ReplayBuffer {
    const buffer = this.#buffers.get(sessionId);
    return buffer && !buffer.isCopy ? buffer : this.#begin(sessionId);
  }

  #begin(sessionId: string, copied?: string, position?: number): ReplayBuffer {
    const incarnation = copied ?? `${asIncarnation(this.#options.incarnation)}.${++this.#lives}`;
    const buffer = new ReplayBuffer(sessionId, incarnation, this.#options, position);
    this.#buffers.get(sessionId)?.retire(false);
    this.#buffers.set(sessionId, buffer);
    return buffer;
  }

  #find(cursor: string): { readonly buffer: ReplayBuffer; readonly position: number } | { readonly gap: GapReason } {
    const { sessionId, incarnation, position } = parseCursor(cursor);
    const buffer = this.#buffers.get(sessionId);
    if (buffer?.incarnation !== incarnation) return { gap: "unavailable" };
    buffer.trim(this.#options.clock.now());
    const gap = buffer.gapAt(position);
    return gap ? { gap } : { buffer, position };
  }

  /** Sessions in which nothing happens any more are trimmed by what happens in others. */
  #sweep(now: number): void {
    const sinceMs = now - this.#sweptAtMs;
    if (sinceMs >= 0 && sinceMs < this.#options.maxAgeMs) return;
    this.#sweptAtMs = now;
    for (const buffer of this.#buffers.values()) buffer.trim(now);
  }
}

function subscriptionTo(buffer: ReplayBuffer, after: number): LiveReplaySubscription {
  let position = after;
  let isOver = false;
  let stopWaiting: (() => void) | undefined;
  const end = (): IteratorResult<SessionObservationEvent> => {
    isOver = true;
    return { done: true, value: undefined };
  };
  return {
    async next() {
      for (;;) {
        if (isOver) return end();
        const read = buffer.next(position);
        if (typeof read === "object") {
          position = read.position;
          return { done: false, value: read.event };
        }
        if (read === "trimmed") {
          const count = Math.max(1, buffer.first - 1 - position);
          position = buffer.first - 1;
          throw lagged(count);
        }
        if (buffer.isRetired) {
          end();
          throw buffer.isClosed ? observationError("live_replay_closed", "nobody has this session open any more") : lagged(0);
        }
        const { promise, stop } = buffer.change();
        stopWaiting = stop;
        await promise;
      }
    },
    return() {
      const over = end();
      stopWaiting?.();
      return Promise.resolve(over);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

const lagged = (count: number): Error => observationError("live_replay_lagged", "events were let go of before they were asked for", { details: { count } });
