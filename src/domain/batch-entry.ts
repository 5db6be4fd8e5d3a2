// What one `batch` call of a model asks for (T-35).

import type { Json } from "./json.ts";

/** Entries of one `batch` call that are run. */
export const MOST_BATCH_ENTRIES = 25;

/** One call of it. What is missing or of the wrong kind is empty here, and becomes a failure of this entry alone. */
export interface BatchEntry {
  readonly tool: string;
  readonly parameters: Json;
}
