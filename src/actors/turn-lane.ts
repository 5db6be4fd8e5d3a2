// Turn lane: a lane that was claimed together with its turn: who keeps its lease, who does its effects, who hears that it is to end.

import type { TurnCancellation } from "../domain/cancellation.ts";
import { runtimeError } from "../domain/errors.ts";
import type { TurnEvent } from "../machines/effects.ts";
import type { TurnContext } from "../machines/turn.context.ts";
import type { TurnRecord } from "../stores/contract.ts";
import { cancelTopic, CancelWatch } from "./cancel-watch.ts";
import type { RestoredTurn } from "./found-turn.ts";
import type { Claimed, ClaimedTurn } from "./lane-claims.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
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
  readonly keeper: LeaseKeeper;
  readonly effects: TurnEffects;
  readonly watch: CancelWatch;
  readonly writes: TurnWrites;
}

export function openLane({ lease, turn, headRevision }: ClaimedTurn, { session, request, log, send, fail, cancel }: LiveRun, plan: Pick<TurnEffectsOptions, "accepted" | "plugins">): TurnLane {
  const { ports, report } = session;
  const { emit, trace, onParked } = request;
  const keeper = new LeaseKeeper(ports.persistence.leases, ports.clock, ports.leaseTimings, lease, {
    renewing: () => report({ type: "lease.renewing" }),
    renewed: () => report({ type: "lease.renewed" }),
    renewFailed: () => report({ type: "lease.renewFailed" }),
    lost: () => fail(runtimeError("session_execution_lease_lost", "the session's lease expired or was taken over")),
  });
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
    host: ports.effectHost.scoped({ turn, fence: keeper.fence, ensureLive: () => keeper.ensureLive(), writes, onCancelRequest: cancel }),
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
  return { turn, headRevision, keeper, effects, watch, writes };
}
