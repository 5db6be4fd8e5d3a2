// What a case of the persistence suite gets to work with, and the checks that several of them need.

import { LashError } from "../../domain/errors.ts";
import type { AttachmentHome } from "../../stores/attachment-home.ts";
import type { Persistence } from "../../stores/contract.ts";
import { END, type Engine, type Entry } from "../../stores/engine.ts";
import { attachmentsIn } from "../../stores/persistence/attachments-in-home.ts";
import { createPersistence } from "../../stores/persistence/index.ts";
import { rejection } from "../assertions.ts";
import type { OpenEngine } from "../engine-suite.ts";
import { type ManualClock, manualClock } from "../manual-clock.ts";

export interface PersistenceHarness {
  readonly clock: ManualClock;
  /** The storage itself, to look at rows and to damage them. */
  readonly engine: Engine;
  /** A handle on the storage, over a connection of its own if the engine is durable. */
  connect(options?: ConnectOptions): Promise<Persistence>;
}

export interface ConnectOptions {
  /** Serve this session only. */
  readonly sessionId?: string;
  /** Bind new sessions to this protocol. Default: the standard one. */
  readonly protocol?: string;
  /** Its wall clock is that much ahead of the others. */
  readonly aheadMs?: number;
  /** Put something between the store and its engine. */
  readonly wrap?: (engine: Engine) => Engine;
}

/** One fact about the contract; `id` is that of the contract's case or requirement. */
export interface PersistenceCase {
  readonly id: string;
  readonly title: string;
  run(harness: PersistenceHarness): Promise<void>;
}

export const START_MS = Date.UTC(2026, 10, 21, 10);

/** Runs a case on fresh storage; everything is closed when it succeeds. */
export async function runCase({ run }: PersistenceCase, open: OpenEngine, attachments?: AttachmentHome): Promise<void> {
  const engine = await open();
  // Opens the storage, too: cases look at rows while the store's own connection may be busy with them.
  await engine.read((tx) => tx.get(["none"]));
  const opened = [engine];
  const clock = manualClock(START_MS);
  await run({
    clock,
    engine,
    async connect({ sessionId, protocol, aheadMs = 0, wrap = (inner: Engine): Engine => inner } = {}) {
      const own = engine.durable ? await open() : engine;
      if (own !== engine) opened.push(own);
      return createPersistence(wrap(own), { clock: { ...clock, now: () => clock.now() + aheadMs }, attachments: attachments && attachmentsIn(attachments), ...(sessionId !== undefined && { sessionId }), ...(protocol !== undefined && { protocol }) });
    },
  });
  for (const each of opened) await each.close();
}

/** Everything that is stored, in key order. */
export const dump = (engine: Engine): Promise<readonly Entry[]> => engine.read((tx) => tx.range([], [END]));

/** @returns the error that `promise` rejects with, which must have this code. */
export async function failsWith(code: string, promise: Promise<unknown>): Promise<LashError> {
  const error = await rejection(promise, code);
  if (LashError.is(error) && error.code === code) return error;
  throw new Error(`expected ${code}, got ${String(error)}`, { cause: error });
}

/** @returns `value`, which the case relies on. */
export function required<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`${what} is missing`);
  return value;
}

/** Narrows a union by its `kind`. */
export function ofKind<Union extends { readonly kind: string }, Kind extends Union["kind"]>(
  value: Union,
  kind: Kind,
): Extract<Union, { readonly kind: Kind }> {
  if (value.kind !== kind) throw new Error(`expected kind ${kind}, got ${JSON.stringify(value)}`);
  return value as Extract<Union, { readonly kind: Kind }>;
}
