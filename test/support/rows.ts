// What a store holds, as a test looks at it.

import { END, type Engine, type Entry } from "../../src/stores/engine.ts";

export const rowsOf = (engine: Engine): Promise<readonly Entry[]> => engine.read((tx) => tx.range([], [END]));

/** Keys as text, in order. */
export const keysOf = async (engine: Engine): Promise<readonly string[]> => (await rowsOf(engine)).map(({ key }) => JSON.stringify(key));

/** Sessions whose lane somebody holds. */
export const heldLanes = async (engine: Engine): Promise<readonly string[]> =>
  (await rowsOf(engine)).filter(({ key, value }) => key[3] === "lease" && "holder" in (value as object)).map(({ key }) => String(key[1]));

/** Replaces one row behind the runtime's back. */
export const overwrite = (engine: Engine, entry: Entry): Promise<void> =>
  engine.write(async (tx) => {
    tx.set(entry.key, entry.value);
  });
