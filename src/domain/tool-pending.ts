// A tool that is answered later, from outside, perhaps after the process is gone (T-70).

import { invalidArgument } from "./invalid-argument.ts";

const brand = Symbol.for("lash-runtime.ToolPending");

export interface PendingOptions {
  /** Milliseconds from the moment the turn starts waiting; default: no limit. */
  readonly timeoutMs?: number;
  /** `result`: the model is told that the call timed out (default). `fail_turn`: the turn stops as `tool_failure`. */
  readonly onTimeout?: "result" | "fail_turn";
  /** `cancel_external_work`: when the turn is cancelled, the tool's `cancel` is called. Default `ignore`. */
  readonly onCancel?: "ignore" | "cancel_external_work";
}

/** Returned by a tool's `run` after it has handed its completion key to whoever will answer. Made by `pending`. */
export class ToolPending {
  readonly options: PendingOptions;

  constructor(options: PendingOptions) {
    this.options = options;
  }

  get [brand](): true {
    return true;
  }

  static is(value: unknown): value is ToolPending {
    return typeof value === "object" && value !== null && brand in value;
  }
}

/**
 * Says that the answer comes from outside: `lash.completions.resolve(key, ...)` with the key of `call.completionKey()`.
 * The turn waits, also while no process runs; the tool is not run again.
 *
 * @throws LashError `invalid_argument` - an option that does not exist, or one that cannot be kept.
 */
export function pending(options: PendingOptions = {}): ToolPending {
  const { timeoutMs, onTimeout, onCancel, ...unknown } = options;
  const [extra] = Object.keys(unknown);
  if (extra !== undefined) throw invalidArgument(`pending: ${extra}`, "left out, as there is no such option; known are timeoutMs, onTimeout, onCancel");
  // The due time is journaled as JSON, which has no infinity: no limit is said by leaving it out.
  if (timeoutMs !== undefined && !(Number.isSafeInteger(timeoutMs) && timeoutMs >= 0)) throw invalidArgument("timeoutMs", "a whole number of milliseconds from 0 up; leave it out for no limit");
  if (onTimeout !== undefined && onTimeout !== "result" && onTimeout !== "fail_turn") throw invalidArgument("onTimeout", '"result" or "fail_turn"');
  if (onCancel !== undefined && onCancel !== "ignore" && onCancel !== "cancel_external_work") throw invalidArgument("onCancel", '"ignore" or "cancel_external_work"');
  return new ToolPending(options);
}
