// E2 when a connection breaks at a commit (SC-1): what a write says of itself is true.

import type { Engine, Key } from "../../stores/engine.ts";
import { check, rejectsWith, same } from "../assertions.ts";
import type { CuttableEngine, EngineCase } from "../engine-suite.ts";
import { LashError } from "../../domain/errors.ts";

const N: Key = ["n"];

const increment = (engine: Engine): Promise<void> => engine.write((tx) => tx.set(N, Number(tx.get(N) ?? 0) + 1));
const sumIn = (engine: Engine): Promise<number> => engine.read((tx) => Number(tx.get(N) ?? 0));

function onCuttable(id: string, title: string, body: (engine: CuttableEngine) => Promise<void>): EngineCase {
  return {
    id,
    title,
    needsDurable: false,
    needsCut: true,
    async run(open) {
      const engine = (await open()) as CuttableEngine;
      await increment(engine);
      await body(engine);
      const before = await sumIn(engine);
      await increment(engine);
      same(await sumIn(engine), before + 1, "the engine goes on");
      await engine.close();
    },
  };
}

/** What the write said, and what became of it. */
async function isTrue(engine: CuttableEngine): Promise<void> {
  const said = await increment(engine).then(
    () => "made",
    (error: unknown) => (LashError.is(error) && error.isCode("store_outcome_unknown") ? "unknown" : "not made"),
  );
  const sum = await sumIn(engine);
  if (said === "unknown") check(sum === 1 || sum === 2, `a write of unknown outcome was made once or not at all; the sum is ${sum}`);
  else same(sum, said === "made" ? 2 : 1, `the sum after a write that was ${said}`);
}

export const cutCases: readonly EngineCase[] = [
  onCuttable("EN-C1", "a write whose connection is cut before the commit is made once or rejects (E2)", async (engine) => {
    engine.cut("before");
    await isTrue(engine);
  }),
  onCuttable("EN-C2", "a write whose answer is lost after the commit is not made twice, and never said not to be made (E2)", async (engine) => {
    engine.cut("after");
    await isTrue(engine);
  }),
  onCuttable("EN-C3", "a write whose outcome cannot be found out is store_outcome_unknown (E2)", async (engine) => {
    engine.cut("blind");
    await rejectsWith("store_outcome_unknown", increment(engine), "a write that nobody can tell of");
    const sum = await sumIn(engine);
    check(sum === 1 || sum === 2, `it was made once or not at all; the sum is ${sum}`);
  }),
];
