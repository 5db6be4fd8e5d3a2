// The head of a session: revision, leaf, policy, counters; rewritten by every commit, so usage is packed.
//
// `appended` counts nodes ever appended and numbers them; `hidden` counts those that are tombstoned or removed since.

import * as z from "zod/mini";
import { initialFrameId } from "../../domain/session.ts";
import type { SessionHead } from "../contract.ts";
import type { ReadTransaction } from "../engine.ts";
import { type ComponentRefs, componentRefs } from "./components.ts";
import { headKey } from "./layout.ts";
import { policyRow } from "./policy-row.ts";
import { CONTENT_VERSION, contentVersion, count, fitting, opaque, parseRecord, SCHEMA_VERSION } from "./schema.ts";
import { readUsage, usageRow, writeUsage } from "./usage-row.ts";

const headRow = z.strictObject({
  schemaVersion: contentVersion,
  revision: count,
  appended: count,
  /** Absent: 0. */
  hidden: z.exactOptional(count),
  policy: policyRow,
  /** Absent: the session's initial frame. */
  frame: z.exactOptional(z.string()),
  leaf: z.exactOptional(z.string()),
  turnIndex: count,
  usage: usageRow,
  lastPrompt: z.exactOptional(usageRow),
  /** Absent: null. */
  options: z.exactOptional(opaque),
  /** Of builds up to 0.1.0: a snapshot that always said the same. */
  machine: z.exactOptional(opaque),
  components: z.exactOptional(componentRefs),
  /** Absent: what this session uses is its own affair. */
  isChild: z.exactOptional(z.literal(true)),
});
type HeadRow = z.output<typeof headRow>;

export interface StoredHead {
  readonly revision: number;
  readonly appended: number;
  readonly hidden: number;
  readonly head: SessionHead;
  readonly components: ComponentRefs;
  /** What this session uses is booked by its parent, too (booked-usage.ts). */
  readonly isChild: boolean;
}

export function readHead(tx: ReadTransaction, sessionId: string): StoredHead | undefined {
  const key = headKey(sessionId);
  const value = tx.get(key);
  if (value === undefined) return undefined;
  const row = parseRecord(headRow, "session head", key, value, CONTENT_VERSION);
  const head: SessionHead = {
    policy: row.policy,
    currentFrameId: row.frame ?? initialFrameId(sessionId),
    ...(row.leaf !== undefined && { leafNodeId: row.leaf }),
    turnIndex: row.turnIndex,
    tokenUsage: readUsage(row.usage),
    ...(row.lastPrompt !== undefined && { lastPromptUsage: readUsage(row.lastPrompt) }),
    protocolTurnOptions: row.options ?? null,
  };
  return { revision: row.revision, appended: row.appended, hidden: row.hidden ?? 0, head, components: row.components ?? {}, isChild: row.isChild ?? false };
}

/** What follows from the session or is usual is left out: an entry of some 450 bytes stays within its page. */
export function writeHead(sessionId: string, { revision, appended, hidden, head, components, isChild }: StoredHead): HeadRow {
  return fitting(headRow, {
    // An older version would send again what a model has refused, and lose the mark with its next commit.
    schemaVersion: components.suspectMedia === undefined ? SCHEMA_VERSION : CONTENT_VERSION,
    revision,
    appended,
    ...(hidden > 0 && { hidden }),
    policy: head.policy,
    ...(head.currentFrameId !== initialFrameId(sessionId) && { frame: head.currentFrameId }),
    ...(head.leafNodeId !== undefined && { leaf: head.leafNodeId }),
    turnIndex: head.turnIndex,
    usage: writeUsage(head.tokenUsage),
    ...(head.lastPromptUsage !== undefined && { lastPrompt: writeUsage(head.lastPromptUsage) }),
    ...(head.protocolTurnOptions !== null && { options: head.protocolTurnOptions }),
    ...(Object.keys(components).length > 0 && { components }),
    ...(isChild && { isChild }),
  });
}

export const NO_HEAD = { revision: 0, appended: 0, hidden: 0, components: {}, isChild: false } as const;
