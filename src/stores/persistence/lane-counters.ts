// Sequence numbers of both lanes: strictly increasing per session, never reused, though rows go (I-1).

import * as z from "zod/mini";
import type { WriteTransaction } from "../engine.ts";
import { lanesKey } from "./layout.ts";
import { count, parseRow } from "./schema.ts";

const lanesRow = z.strictObject({ inputs: count, work: count });

export function nextSequence(tx: WriteTransaction, sessionId: string, lane: "inputs" | "work"): number {
  const key = lanesKey(sessionId);
  const value = tx.get(key);
  const last = value === undefined ? { inputs: 0, work: 0 } : parseRow(lanesRow, "lane counters", key, value);
  const next = last[lane] + 1;
  tx.set(key, { ...last, [lane]: next });
  return next;
}
