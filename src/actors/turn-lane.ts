// Turn lane: a lane that was claimed together with its turn: who keeps its lease, who does its effects, who hears that it is to end.

import type { TurnCancellation } from "../domain/cancellation.ts";
import { runtimeError } from "../domain/errors.ts";
import type { TurnRecord } from "../stores/contract.ts";
import { cancelTopic, CancelWatch } from "./cancel-watch.ts";
import type { ClaimedTurn } from "./lane-claims.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { TurnEffects, type TurnEffectsOptions } from "./turn-effects.ts";
import type { TurnRequest } from "./turn-start.ts";

export interface TurnLane {
  readonly turn: TurnRecord;
  readonly headRevision: number;
  readonly keeper: LeaseKeeper;
  readonly effects: TurnEffects;
  readonly watch: CancelWatch;
}

export interface TurnLaneOptions extends Pick<TurnEffectsOptions, "session" | "log" | "accepted" | "plugins" | "onParked"> {
  readonly request: TurnRequest;
  readonly onLost: (error: Error) => void;
  /** Somebody asked for the end of the turn (OP-20). */
  readonly onCancelRequest: (request: TurnCancellation) => void;
}

export function openLane({ lease, turn, headRevision }: ClaimedTurn, { request, onLost, onCancelRequest, ...options }: TurnLaneOptions): TurnLane {
  const { ports, report } = options.session;
  const keeper = new LeaseKeeper(ports.persistence.leases, ports.clock, ports.leaseTimings, lease, {
    renewing: () => report({ type: "lease.renewing" }),
    renewed: () => report({ type: "lease.renewed" }),
    renewFailed: () => report({ type: "lease.renewFailed" }),
    lost: () => onLost(runtimeError("session_execution_lease_lost", "the session's lease expired or was taken over")),
  });
  report({ type: "lease.acquired", fencingToken: lease.fencingToken });
  const effects = new TurnEffects({
    ...options,
    turn,
    host: ports.effectHost.scoped({ turn, fence: keeper.fence, ensureLive: () => keeper.ensureLive(), onCancelRequest }),
    emit: request.emit,
    trace: request.trace,
  });
  const watch = new CancelWatch({
    hub: ports.changes,
    clock: ports.clock,
    topic: cancelTopic(turn.sessionId, turn.turnId),
    isShared: ports.persistence.durable,
    look: () => ports.persistence.turns.cancellation(turn.sessionId, turn.turnId),
    onRequest: onCancelRequest,
  });
  return { turn, headRevision, keeper, effects, watch };
}
