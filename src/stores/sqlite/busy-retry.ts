// Waiting for other processes without SQLite's busy handler, which would sleep on the event loop.

import { storeError } from "../../domain/errors.ts";
import { fromSqlite, isBusy } from "./sqlite-errors.ts";

/** Time and chance, for tests to replace. */
export interface RetryHost {
  /** Milliseconds that never go back. */
  now(): number;
  sleep(ms: number): Promise<void>;
  /** From 0 up to 1. */
  random(): number;
}

/** Other writers hold the lock for some 0.1 ms (they do not sync inside it), so the first retries come at once. */
const IMMEDIATE_RETRIES = 4;
const LONGEST_PAUSE_MS = 25;

/**
 * Runs `attempt` until SQLite stops answering busy. The first attempt happens before this returns, and its result comes without a
 * promise: mostly there is nobody to wait for.
 *
 * @param deadlineMs - on the host's clock; at least one attempt is made even after it.
 * @throws LashError `store_unavailable` - still busy at the deadline.
 */
export function retryWhileBusy<T>(host: RetryHost, deadlineMs: number, name: string, attempt: () => T): T | Promise<T> {
  try {
    return attempt();
  } catch (error) {
    if (!isBusy(error)) throw fromSqlite(error, name);
    return retry(host, deadlineMs, name, attempt, error);
  }
}

async function retry<T>(host: RetryHost, deadlineMs: number, name: string, attempt: () => T, first: unknown): Promise<T> {
  let busy = first;
  for (let retries = 0; ; retries++) {
    if (host.now() >= deadlineMs) {
      throw storeError("store_unavailable", `${name} was locked by another process all the time; this write was not made, try again later`, {
        cause: busy,
        details: { store: name },
      });
    }
    await host.sleep(pause(retries, host.random()));
    try {
      return attempt();
    } catch (error) {
      if (!isBusy(error)) throw fromSqlite(error, name);
      busy = error;
    }
  }
}

/** Doubles from 1 ms, with half of it left to chance, so that processes that collided do not collide again. */
function pause(retry: number, chance: number): number {
  if (retry < IMMEDIATE_RETRIES) return 0;
  return Math.min(LONGEST_PAUSE_MS, 2 ** (retry - IMMEDIATE_RETRIES)) * (0.5 + chance / 2);
}
