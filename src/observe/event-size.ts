// About how much memory an event keeps: enough to bound a buffer by, cheap enough for every event.

import type { ObservationPayload } from "./contract.ts";

const PER_VALUE = 16;
const PER_EVENT = 200;

export function bytesOf(payload: ObservationPayload): number {
  switch (payload.type) {
    case "turn_activity":
      return PER_EVENT + sizeOf(payload.activity);
    case "queue_changed":
      return PER_EVENT + sizeOf(payload.batchIds);
    // Shares its messages with the session.
    case "committed":
    case "agent_frame_switched":
      return PER_EVENT;
  }
}

/** Of JSON, whose depth was bounded where it came in. */
function sizeOf(value: unknown): number {
  if (typeof value === "string") return PER_VALUE + value.length;
  if (typeof value !== "object" || value === null) return PER_VALUE;
  let size = PER_VALUE;
  for (const inner of Object.values(value)) size += sizeOf(inner);
  return size;
}
