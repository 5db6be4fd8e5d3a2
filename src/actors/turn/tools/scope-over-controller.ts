// A run scope over today's effect controller. It goes away with the controller, once the durable runner drives turns.

import type { TurnRecord } from "../../../stores/contract.ts";
import type { RunScope, WaitingOn } from "../../durable/contract.ts";
import type { EffectController } from "../../effect-host.ts";
import type { Envelope } from "../../envelope.ts";
import type { TurnWrites } from "../../turn-writes.ts";

export interface ScopeOptions {
  readonly host: EffectController;
  readonly writes: TurnWrites;
  readonly turn: TurnRecord;
  readonly cancel: AbortSignal;
  readonly detach: AbortSignal;
  /** Writes a durable step. The first one that issues something carries the control state that asked for the effect. */
  readonly step: (issued: readonly string[]) => Promise<void>;
  /** Writes the step that opens the effect; undefined where a durable step has named it already. */
  readonly open: ((issued: readonly string[]) => Promise<void>) | undefined;
  readonly onOpened: () => void;
  readonly onParked: (parked: boolean) => void;
}

interface Body {
  on?: WaitingOn | undefined;
}

export function scopeOverController({ host, writes, turn, cancel, detach, step, open, onOpened, onParked }: ScopeOptions): RunScope {
  const named = new Set(open ? [] : turn.issued);
  /** Attempts that a step has named and that have not ended: every step goes on naming them, begun or not. */
  const running = new Set(named);
  const bodies = new Set<Body>();
  let isOpened = false;

  const report = (): void => {
    const all = [...bodies];
    onParked(all.length > 0 && all.every(({ on }) => on !== undefined) && all.some(({ on }) => on?.kind === "answer"));
  };
  const issue = async (keys: readonly string[]): Promise<void> => {
    const fresh = keys.filter((key) => !named.has(key));
    for (const key of fresh) running.add(key);
    if (open && !isOpened) await open([...running]);
    else if (fresh.length > 0) await step([...running]);
    for (const key of fresh) named.add(key);
    if (!isOpened) onOpened();
    isOpened = true;
  };
  const save = async (): Promise<void> => {
    if (host.hasUnsaved) await step([...running]);
  };
  const scopeIn = (body: Body | undefined): RunScope => ({
    cancel,
    detach,
    isRecorded: (key) => host.has(key),
    isInterrupted: (key) => turn.issued.includes(key) && !host.has(key),
    // A host that keeps nothing has nothing to name.
    isIssued: (key) => host.tier === "inline" || named.has(key),
    issue,
    journal: async (key, operation, run) => {
      try {
        return await host.execute(key, operation as () => Envelope, async (attempt) => {
          if (body) await issue([key]);
          return run(attempt);
        });
      } finally {
        running.delete(key);
      }
    },
    note: async (key, operation, outcome) => host.execute(key, operation as () => Envelope, async () => outcome()),
    save,
    step: async () => {
      await step([...running]);
      return undefined;
    },
    waiting: (on) => {
      if (!body) return;
      body.on = on;
      report();
    },
    body: async (run) => {
      const own: Body = {};
      bodies.add(own);
      report();
      try {
        return await run(scopeIn(own));
      } finally {
        bodies.delete(own);
        report();
      }
    },
    write: writes.forTool,
  });
  return scopeIn(undefined);
}
