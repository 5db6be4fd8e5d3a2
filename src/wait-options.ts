// Whether a turn waits for others of its session, and for how long.

import { invalidArgument } from "./domain/invalid-argument.ts";

export interface WaitOptions {
  /**
   * Whether a turn waits while another one of its session runs or waits for answers, here or in another process. False: it fails at
   * once with `session_execution_busy`, and nothing was accepted. Default true.
   */
  readonly wait?: boolean;
  /** Longest that it waits, in milliseconds; then it fails likewise. Not together with `wait: false`. Default: no limit. */
  readonly waitMs?: number;
}

export const WAIT_OPTIONS = ["wait", "waitMs"] as const;

/** In milliseconds; undefined where nothing is said of it. @throws LashError `invalid_argument` */
export function waitOf({ wait, waitMs }: WaitOptions): number | undefined {
  if (wait !== undefined && typeof wait !== "boolean") throw invalidArgument("wait", "a boolean");
  if (waitMs !== undefined && !(typeof waitMs === "number" && waitMs >= 0)) throw invalidArgument("waitMs", "a number of milliseconds of at least 0");
  if (wait === false && waitMs !== undefined) throw invalidArgument("waitMs", "left out where `wait` is false");
  return wait === false ? 0 : (waitMs ?? (wait ? Number.POSITIVE_INFINITY : undefined));
}
