// The conformance suite for storage engines: what src/stores/engine.ts promises, as cases that any test runner can run.

import type { Engine } from "../stores/engine.ts";
import { cutCases } from "./engine-cases/cut-cases.ts";
import { keyCases } from "./engine-cases/key-cases.ts";
import { lifetimeCases } from "./engine-cases/lifetime-cases.ts";
import { raceCases } from "./engine-cases/race-cases.ts";
import { transactionCases } from "./engine-cases/transaction-cases.ts";
import { valueCases } from "./engine-cases/value-cases.ts";

/** Opens the storage of one case: empty at the first call; at later calls the same storage with what is in it. */
export type OpenEngine = () => Promise<Engine>;

/** An engine whose connection a test can cut. */
export interface CuttableEngine extends Engine {
  /**
   * Cuts the connection of the next write: `before` its commit reaches the storage, `after` it was made and before the answer is
   * there, or `blind`: so that its outcome cannot be found out, either.
   */
  cut(when: "before" | "after" | "blind"): void;
}

export interface EngineCase {
  /** Stable: name a known gap by it. */
  readonly id: string;
  /** A fact about engines. */
  readonly title: string;
  /** Whether the case needs a storage that outlives its engine and that two engines may have open at once. */
  readonly needsDurable: boolean;
  /** Whether the case needs a `CuttableEngine`. */
  readonly needsCut: boolean;
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
 * @param engine.durable - as the engine says of itself; without it the cases that reopen a storage, and those in which two engines
 *   share one, are left out.
 * @param engine.cuts - whether what is opened is a `CuttableEngine`; for storages at the other end of a connection. Default false.
 */
export function engineSuite(engine: { readonly durable: boolean; readonly cuts?: boolean }): readonly EngineCase[] {
  const all = [...keyCases, ...valueCases, ...transactionCases, ...lifetimeCases, ...raceCases, ...cutCases];
  return all.filter((each) => (engine.durable || !each.needsDurable) && (engine.cuts === true || !each.needsCut));
}
