// The session a turn runs in, as far as a turn may touch it.

import type { AnyActorRef } from "xstate";
import type { SessionEvent } from "../machines/session.machine.ts";
import type { MachineSnapshot, RecordedTurn, SessionCommit } from "../stores/contract.ts";
import type { TurnPlan } from "./model-call.ts";
import type { RuntimePorts, SessionWiring } from "./ports.ts";
import type { Resident } from "./resident.ts";

export interface TurnSession {
  readonly ports: RuntimePorts;
  readonly wiring: SessionWiring;
  /** Actor of the residency machine; parent of the turn's. */
  readonly root: AnyActorRef;
  /** The session's effects actor. */
  readonly effects: AnyActorRef;
  readonly resident: () => Resident;
  /** Reads the session again where the store has moved on (T-6). */
  readonly refresh: (headRevision: number) => Promise<Resident>;
  /** What a turn is given beside its history; fails where the provider does not fit (PP-26). */
  readonly plan: () => TurnPlan;
  readonly machineSnapshot: () => MachineSnapshot;
  /** Makes a committed turn resident. */
  readonly adopt: (turn: RecordedTurn, commit: SessionCommit) => void;
  /** Tells the residency machine. */
  readonly report: (event: SessionEvent) => void;
}
