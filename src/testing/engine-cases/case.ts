// Writing an engine case in one call.

import type { Engine, Entry } from "../../stores/engine.ts";
import { END } from "../../stores/engine.ts";
import type { EngineCase } from "../engine-suite.ts";

/** A case on one engine, which is closed afterwards. */
export function onEngine(id: string, title: string, body: (engine: Engine) => Promise<void>): EngineCase {
  return {
    id,
    title,
    needsDurable: false,
    needsCut: false,
    async run(open) {
      const engine = await open();
      await body(engine);
      await engine.close();
    },
  };
}

/** Everything in the storage. */
export const contents = (engine: Engine): Promise<readonly Entry[]> => engine.read((tx) => tx.range([], [END]));
