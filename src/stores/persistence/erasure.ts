// Erasure: that content was deleted which the files of an engine may still hold is remembered until they were written anew (ME-27).

import type { ReadTransaction, Value, WriteTransaction } from "../engine.ts";
import type { StoreContext } from "./context.ts";
import { RETIRED } from "./layout.ts";

/** In the write that deletes. */
export function noteErasure(tx: WriteTransaction): void {
  tx.set(RETIRED, Number(tx.get(RETIRED) ?? 0) + 1);
}

/** How often something was deleted since the files were last written anew; undefined for never. */
export const notedErasures = (tx: ReadTransaction): Value | undefined => tx.get(RETIRED);

export async function erase({ engine, place, ...context }: StoreContext, noted: Value | undefined): Promise<void> {
  // Bytes that could not be deleted together with their session.
  await place?.clear({ engine, place, ...context });
  await engine.erase();
  if (noted === undefined) return;
  // What was deleted meanwhile is left to the next time.
  await engine.write((tx) => {
    if (tx.get(RETIRED) === noted) tx.delete(RETIRED);
  });
}
