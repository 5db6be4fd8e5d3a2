// Our records in the format of @statelyai/inspect.
import type { InspectJson, InspectRecord } from "./records.ts";

/** What Stately's viewer reads; written down here so that the optional package is not needed to say it. */
export interface StatelyRecord {
  readonly type: "@xstate.actor" | "@xstate.event" | "@xstate.snapshot";
  readonly sessionId: string;
  readonly rootId: string | undefined;
  readonly createdAt: string;
  readonly id: string;
  readonly _version: string;
  readonly [key: string]: unknown;
}

/** The format version this writes; Stately's viewer tells its records by the presence of the field. */
const VERSION = "0.7.2";

/** @returns a function that turns records into Stately's, one at a time and in order; ours without counterpart give undefined. */
export function statelyConverter(): (record: InspectRecord) => StatelyRecord | undefined {
  const definitions = new Map<string, InspectJson>();
  const roots = new Map<string, string>();
  return (record) => {
    if (record.type === "lash.machine") definitions.set(record.machine, record.definition);
    if (record.type === "lash.machine" || record.type === "lash.run" || record.type === "lash.skipped") return undefined;
    if (record.type === "@xstate.actor") roots.set(record.sessionId, record.rootId);
    const base = {
      sessionId: record.sessionId,
      rootId: roots.get(record.sessionId),
      createdAt: String(Math.round(record.at)),
      id: String(record.seq),
      _version: VERSION,
    };
    switch (record.type) {
      case "@xstate.actor": {
        const definition = (record.machine === undefined ? undefined : definitions.get(record.machine)) ?? { id: record.name };
        return { type: record.type, ...base, name: record.name, parentId: record.parentId, definition: JSON.stringify(definition), snapshot: { status: "active" } };
      }
      case "@xstate.event":
        return { type: record.type, ...base, sourceId: record.sourceId, event: record.event };
      case "@xstate.snapshot": {
        const ended = record.snapshot.status !== "active";
        const converted = { type: record.type, ...base, event: record.event, snapshot: record.snapshot };
        if (ended) roots.delete(record.sessionId);
        return converted;
      }
    }
  };
}
