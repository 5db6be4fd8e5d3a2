// Audience of a turn: who drives it, those who joined later, and whoever watches the session.

import type { Emit } from "./model-call.ts";
import type { SessionFeed } from "./session-feed.ts";

interface Watcher {
  readonly turnId: string;
  readonly emit: Emit;
}

/** Tells all of them; only who drives the turn may slow it down. */
export const toAudience =
  ({ turnId, emit }: Watcher, feed: SessionFeed, attended: Iterable<Watcher>): Emit =>
  (body, correlationId) => {
    feed.activity(turnId, body, correlationId);
    for (const watcher of attended) if (watcher.turnId === turnId && watcher.emit !== emit) void watcher.emit(body, correlationId);
    return emit(body, correlationId);
  };
