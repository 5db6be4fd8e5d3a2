// The time that one attempt at a call may take, where its tool says so.

import { onAbort } from "../../../domain/abort.ts";
import type { Clock } from "../../../domain/clock.ts";
import { failedOutput, type ToolCallOutput } from "../../../domain/tool-output.ts";
import type { Tool } from "../../../tools/contract.ts";

/** Kept from the moment it is made until `stop`. */
export interface ToolDeadline {
  /** Of the turn, and aborted when the time is over as well. */
  readonly signal: AbortSignal;
  stop(): void;
}

/** @param onPassed - called when the time is over, before anybody hears of the signal: what the tool does about it is too late. */
export function startDeadline(tool: Tool, timeoutMs: number, turn: AbortSignal, clock: Clock, onPassed: () => void): ToolDeadline {
  const own = new AbortController();
  const unlisten = onAbort(turn, () => own.abort(turn.reason));
  const stopTimer = clock.setTimer(timeoutMs, () => {
    onPassed();
    own.abort(new DOMException(`tool "${tool.name}" ran longer than ${timeoutMs} ms`, "TimeoutError"));
  });
  const stop = (): void => {
    stopTimer();
    unlisten();
  };
  return { signal: own.signal, stop };
}

/** Whether it took effect is unknown, so only a tool that may be run again after a crash may be tried again (T-53). */
export function timedOut({ onInterrupted, retry, timeoutMs }: Tool): ToolCallOutput {
  const mayRunAgain = onInterrupted === "retry";
  const message = `the call took longer than ${timeoutMs} ms and was given up`;
  return failedOutput({
    class: "timeout",
    code: "tool_timeout",
    message: mayRunAgain ? message : `${message}. It may or may not have taken effect; check before doing it again.`,
    ...(retry && mayRunAgain && { retry: { type: "safe" } }),
  });
}
