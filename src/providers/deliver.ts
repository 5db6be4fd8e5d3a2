import type { LlmStreamEvent, ProviderCall } from "./contract.ts";

/** Hands an event to the sink; whatever the sink throws stays there. */
export function deliver(call: ProviderCall, event: LlmStreamEvent): Promise<void> | undefined {
  if (call.onStreamEvent === undefined) return undefined;
  try {
    const pending: unknown = call.onStreamEvent(event);
    // A plain callback that happens to return something costs no microtask.
    if (typeof pending !== "object" || pending === null) return undefined;
    return Promise.resolve(pending).then(nothing, nothing);
  } catch {
    return undefined;
  }
}

const nothing = (): void => {};
