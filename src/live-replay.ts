// The live replay store that `createLash` uses by default, for those who want other bounds.

import { systemClock, type Clock } from "./domain/clock.ts";
import { invalidArgument, refuseUnknown } from "./domain/invalid-argument.ts";
import type { LiveReplayStore } from "./observe/contract.ts";
import { InMemoryReplay } from "./observe/in-memory-replay.ts";
import type { ReplayBounds } from "./observe/replay-buffer.ts";
import { randomId } from "./random-id.ts";

export interface LiveReplayOptions extends Partial<ReplayBounds> {
  readonly clock?: Clock;
  /** Names the buffers of this process among those of all others; for tests that want it fixed. */
  readonly newId?: () => string;
}

const DEFAULTS: ReplayBounds = { maxEvents: 2048, maxAgeMs: 120_000, maxBytes: 1_048_576 };

/**
 * Keeps the latest events of each open session in memory: `createLash({ liveReplay: inMemoryLiveReplay({ maxEvents: 256 }) })`.
 * Nothing of it outlives the process, or the session's last handle.
 *
 * @throws LashError `invalid_argument` - a bound that is no positive number; Infinity is one.
 */
export function inMemoryLiveReplay({ clock = systemClock, newId = randomId, ...bounds }: LiveReplayOptions = {}): LiveReplayStore {
  refuseUnknown(bounds, Object.keys(DEFAULTS), "live replay options");
  for (const [name, bound] of Object.entries(bounds)) {
    if (typeof bound !== "number" || !(bound > 0)) throw invalidArgument(name, "a positive number");
  }
  return new InMemoryReplay({ ...DEFAULTS, ...bounds, clock, incarnation: newId() });
}
