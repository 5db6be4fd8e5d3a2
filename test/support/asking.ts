// A lash whose tool `ask` hands its key to somebody and is answered later, from outside.

import * as z from "zod";
import { createLash, pending, tool, type Lash, type PendingOptions, type Tool } from "../../src/index.ts";
import type { Inspect } from "../../src/actors/ports.ts";
import type { Engine } from "../../src/stores/engine.ts";
import { byAssistantMessages, type ManualClock } from "../../src/testing/index.ts";
import { rowsOf } from "./rows.ts";
import { opaqueLiveness } from "../../src/stores/store.ts";
import { staysOpen, testLash, type TestLash, type TestLashOptions } from "./lash.ts";

/** What the outside world saw of the tool. */
export interface Asked {
  /** One key per run of the tool. */
  readonly keys: string[];
  /** Questions that were called off. */
  readonly calledOff: unknown[];
}

export const newAsked = (): Asked => ({ keys: [], calledOff: [] });

export const askTool = (asked: Asked, options: PendingOptions = {}, rest: { readonly name?: string; readonly execution?: "parallel" | "serial" } = {}): Tool =>
  tool({
    name: rest.name ?? "ask",
    description: "",
    input: z.object({}),
    ...(rest.execution && { execution: rest.execution }),
    run: async (_args, call) => {
      asked.keys.push(await call.completionKey());
      return pending(options);
    },
    cancel: (args) => void asked.calledOff.push(args),
  });

export const ASKING = byAssistantMessages([{ toolCalls: [{ name: "ask" }] }, "done"]);

export interface AskingOptions extends TestLashOptions {
  readonly asked?: Asked;
  readonly pending?: PendingOptions;
}

/** One process that can ask; `parked` resolves once a turn of it does nothing but wait. */
export function askingLash({ asked = newAsked(), pending: options, ...rest }: AskingOptions = {}): TestLash & { readonly asked: Asked; readonly parked: Promise<void> } {
  const { promise: parked, resolve } = Promise.withResolvers<void>();
  const inspect: Inspect = (event) => {
    if (event.type === "@xstate.event" && event.event.type === "tools.parked") resolve();
    if (typeof rest.inspect === "function") rest.inspect(event);
    else rest.inspect?.next?.(event);
  };
  return { ...testLash({ script: ASKING, tools: [askTool(asked, options)], ...rest, inspect }), asked, parked };
}

/** A process that has the store and no model, as behind a web hook. */
export const hookLash = (engine: Engine, clock: ManualClock): Lash =>
  createLash({ store: { engine: staysOpen(engine), liveness: opaqueLiveness }, effects: "journaled", clock, logger: () => {} });

/** Resolves once `count` calls have taken up their waits. */
export async function untilWaiting(engine: Engine, count = 1): Promise<void> {
  while ((await rowsOf(engine)).filter(({ key }) => key[0] === "wait").length < count) await soon();
}

/** Lets everything run that is ready to. */
export async function quiet(): Promise<void> {
  for (let i = 0; i < 20; i++) await soon();
}

const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Lets time pass, a little at a time, until the promise settles; real storage needs real moments beside those of the clock. */
export async function whileTimePasses<T>(clock: ManualClock, promise: Promise<T>): Promise<T> {
  const state = { settled: false };
  const settle = (): void => void (state.settled = true);
  promise.then(settle, settle);
  while (!state.settled) {
    await quiet();
    if (!state.settled) await clock.advance(25);
  }
  return promise;
}
