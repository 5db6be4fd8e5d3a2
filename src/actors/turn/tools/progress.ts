// What a running call tells its watchers while it runs. Live only: nothing of it is recorded.

import { tellValue, type TellLimits } from "../../../domain/tell-value.ts";
import type { TurnActivityBody } from "../../../observe/contract.ts";

type Progress = Extract<TurnActivityBody, { readonly type: "tool_call_progress" }>;

/** Of one value. */
const LIMITS: TellLimits = { bytes: 16 * 1024, depth: 16, values: 1_000 };

/** @param emit - while a promise that it gave is open its watcher is behind, and of what is told meanwhile only the latest is passed on. */
export function progressOf(call: Omit<Progress, "type" | "value">, emit: (progress: Progress) => void | Promise<void>, hasEnded: () => boolean): (value: unknown) => void {
  let isBehind = false;
  let latest: { readonly value: unknown } | undefined;
  const tell = (value: unknown): void => {
    const passedOn = emit({ type: "tool_call_progress", ...call, value: tellValue(value, LIMITS).value });
    if (!(passedOn instanceof Promise)) return;
    isBehind = true;
    const goOn = (): void => {
      isBehind = false;
      const next = latest;
      latest = undefined;
      if (next && !hasEnded()) tell(next.value);
    };
    passedOn.then(goOn, goOn);
  };
  return (value) => {
    if (hasEnded()) return;
    if (isBehind) latest = { value };
    else tell(value);
  };
}
