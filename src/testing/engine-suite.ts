// The conformance suite for storage engines: what src/stores/engine.ts promises, as cases that any test runner can run.

import type { Engine } from "../stores/engine.ts";
import { keyCases } from "./engine-cases/key-cases.ts";
import { lifetimeCases } from "./engine-cases/lifetime-cases.ts";
import { transactionCases } from "./engine-cases/transaction-cases.ts";
import { valueCases } from "./engine-cases/value-cases.ts";

/** Opens the storage of one case: empty at the first call; at later calls the same storage with what is in it. */
export type OpenEngine = () => Promise<Engine>;

export interface EngineCase {
  /** Stable: name a known gap by it. */
  readonly id: string;
  /** A fact about engines. */
  readonly title: string;
  /** Whether the case needs a storage that outlives its engine and that two engines may have open at once. */
  readonly needsDurable: boolean;
  /**
   * Rejects with an explanation when the fact does not hold. The case closes what it opened when it succeeds; after a failure
   * the storage may still be open.
   */
  run(open: OpenEngine): Promise<void>;
}

/**
 * All cases that an engine must pass. Give each its own storage.
 *
 * ```ts
 * for (const { id, title, run } of engineSuite({ durable: true })) test(`${id} ${title}`, () => run(openFreshStorage()));
 * ```
 *
 * @param engine.durable - as the engine says of itself; without it the cases that reopen a storage are left out.
 */
export function engineSuite(engine: { readonly durable: boolean }): readonly EngineCase[] {
  const all = [...keyCases, ...valueCases, ...transactionCases, ...lifetimeCases];
  return all.filter((each) => engine.durable || !each.needsDurable);
}
