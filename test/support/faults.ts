// How a write can fail: whether it was made, and what the engine says of it.

import { storeError } from "../../src/domain/errors.ts";

export const FAULTS = {
  "not made, the store is full": { made: false, error: () => storeError("store_full", "full") },
  "not made, the store is locked": { made: false, error: () => storeError("store_unavailable", "locked") },
  "not made, and the engine does not know": { made: false, error: () => storeError("store_outcome_unknown", "the answer was lost") },
  "made, and the engine does not know": { made: true, error: () => storeError("store_outcome_unknown", "the answer was lost") },
  "made, and the engine says that it was not": { made: true, error: () => storeError("store_unavailable", "gone away") },
  "made, and something else was thrown": { made: true, error: () => new Error("connection reset") },
} as const;

export type Fault = keyof typeof FAULTS;
