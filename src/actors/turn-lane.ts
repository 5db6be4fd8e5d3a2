// Turn lane: a lane that was claimed together with its turn: who keeps its lease, who does its effects, who hears that it is to end.

import type { TurnCancellation } from "../domain/cancellation.ts";
import type { TurnEvent } from "../machines/effects.ts";
import type { TurnContext } from "../machines/turn.context.ts";
import type { LeaseFence, TurnRecord } from "../stores/contract.ts";
import { cancelTopic, CancelWatch } from "./cancel-watch.ts";
import type { Held } from "./durable/contract.ts";
import type { RestoredTurn } from "./found-turn.ts";
import type { Claimed, ClaimedTurn } from "./lane-claims.ts";
import { holdSession } from "./session-lease.ts";
import { TurnEffects, type TurnEffectsOptions } from "./turn-effects.ts";
import type { TurnLog } from "./turn-log.ts";
import type { TurnSession } from "./turn-session.ts";
import type { TurnRequest } from "./turn-start.ts";
import { TurnWrites } from "./turn-writes.ts";

/** The run of a turn, as far as its phases and its lane may touch it. */
export interface LiveRun {
  readonly session: TurnSession;
  readonly request: TurnRequest;
  readonly log: TurnLog;
  readonly claim: () => Promise<Claimed>;
  /** Of the machine, by now. */
  readonly context: () => TurnContext;
  readonly hasFailed: () => boolean;
  readonly send: (event: TurnEvent) => void;
  readonly fail: (error: unknown) => void;
  readonly cancel: (request: TurnCancellation) => void;
  /** The turn's time is over. */
  readonly expire: (timeoutMs: number) => void;
  /** Goes on in the state that was stored. */
  readonly restore: (snapshot: RestoredTurn) => void;
}

export interface TurnLane {
  readonly turn: TurnRecord;
  readonly headRevision: number;
  readonly held: Held<LeaseFence>;
  readonly effects: TurnEffects;
  readonly watch: CancelWatch;
  readonly writes: TurnWrites;
}

const RENEWALS = { renewing: "lease.renewing", renewed: "lease.renewed", failed: "lease.renewFailed" } as const;

export function openLane({ lease, sinceMs, turn, headRevision }: ClaimedTurn, { session, request, log, send, fail, cancel }: LiveRun, plan: Pick<TurnEffectsOptions, "accepted" | "plugins">): TurnLane {
  const { ports, root, report, giveBack } = session;
  const { emit, trace, onParked } = request;
  const held = holdSession(ports, lease, { sinceMs, parent: root, giveBack, onRenewal: (what) => report({ type: RENEWALS[what] }) });
  held.lost.addEventListener("abort", () => fail(held.lost.reason), { once: true });
  report({ type: "lease.acquired", fencingToken: lease.fencingToken });
  const writes = new TurnWrites(fail);
  const effects = new TurnEffects({
    ...plan,
    session,
    turn,
    log,
    emit,
    trace,
    writes,
    host: ports.effectHost.scoped({ turn, fence: held.fence, ensureLive: () => held.ensureLive(), writes, onCancelRequest: cancel }),
    onParked: (parked) => {
      send({ type: parked ? "tools.parked" : "tools.resumed" });
      if (parked) onParked();
    },
  });
  const watch = new CancelWatch({
    hub: ports.changes,
    clock: ports.clock,
    topic: cancelTopic(turn.sessionId, turn.turnId),
    isShared: ports.persistence.durable,
    look: () => ports.persistence.turns.cancellation(turn.sessionId, turn.turnId),
    onRequest: cancel,
  });
  return { turn, headRevision, held, effects, watch, writes };
}
