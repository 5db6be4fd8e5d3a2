// Sightings of a session as an async iterable: a bounded queue that drops the oldest, because nobody waits for a watcher.

import type { SessionSighting } from "./contract.ts";

const MOST = 1000;

/** Where sightings come from. */
export interface SightingSource {
  watch(watcher: (sighting: SessionSighting) => void): () => void;
}

/** Collects from the call on, not from the first `next`. */
export function sightingsOf(source: SightingSource, signal: AbortSignal): AsyncIterableIterator<SessionSighting> {
  const queue: SessionSighting[] = [];
  let wake: (() => void) | undefined;
  let isOver = false;
  const unwatch = source.watch((sighting) => {
    if (queue.push(sighting) > MOST) queue.shift();
    wake?.();
  });
  const end = (): void => {
    isOver = true;
    unwatch();
    signal.removeEventListener("abort", end);
    wake?.();
  };
  if (signal.aborted) end();
  else signal.addEventListener("abort", end, { once: true });
  return {
    async next() {
      for (;;) {
        const value = queue.shift();
        if (value) return { done: false, value };
        if (isOver) return { done: true, value: undefined };
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
    return() {
      queue.length = 0;
      end();
      return Promise.resolve({ done: true, value: undefined });
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
