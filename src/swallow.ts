// Sinks of hosts.

import type { Emit } from "./actors/model-call.ts";
import type { TurnActivity } from "./observe/contract.ts";

/** @internal A broken sink never changes the outcome. */
export async function swallow<Told extends readonly unknown[]>(sink: (...told: Told) => void | Promise<void>, ...told: Told): Promise<void> {
  try {
    await sink(...told);
  } catch {
    // There is nobody to tell.
  }
}

/** @internal Tells a sink, if there is one, what happens in a turn; whoever tells waits for it. */
export function emitTo(turnId: string, sink: ((activity: TurnActivity) => void | Promise<void>) | undefined): Emit {
  let count = 0;
  return (body, correlationId) => sink && swallow(sink, { id: `${turnId}:${++count}`, correlationId, ...body });
}
