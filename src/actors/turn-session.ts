// The session a turn runs in, as far as a turn may touch it.

import type { AnyActorRef } from "xstate";
import type { SessionSettings } from "../domain/turn-config.ts";
import type { SessionEvent } from "../machines/session.machine.ts";
import type { LeaseFence, MachineSnapshot, SessionCommit, SettledClaims, TurnRecord } from "../stores/contract.ts";
import type { RuntimePorts, SessionWiring } from "./ports.ts";
import type { Committed, Resident } from "./resident.ts";
import type { JournaledChanges } from "./session-settings.ts";
import type { TurnOverlay, TurnPlan } from "./turn-plan.ts";

export interface TurnSession {
  readonly ports: RuntimePorts;
  readonly wiring: SessionWiring;
  /** Actor of the residency machine; parent of the turn's. */
  readonly root: AnyActorRef;
  /** The session's effects actor. */
  readonly effects: AnyActorRef;
  readonly resident: () => Resident;
  /** Reads the session again where the store has moved on. */
  readonly refresh: (headRevision: number) => Promise<Resident>;
  /** What an accepted turn is run with; fails where the provider is not the one it was accepted with. */
  readonly planOf: (turn: TurnRecord, overlay: TurnOverlay | undefined) => TurnPlan;
  /** Its plan, with the tools as they are now. */
  readonly synced: (plan: TurnPlan) => TurnPlan;
  /** What the commit of that turn records. */
  readonly settingsAfter: (turn: TurnRecord) => SessionSettings;
  /** What the session was changed to while that turn runs and no journal has yet: goes beside an outcome. */
  readonly takeChanges: (turn: TurnRecord) => JournaledChanges;
  readonly machineSnapshot: () => MachineSnapshot;
  /** Makes a commit resident. */
  readonly adopt: (committed: Committed, commit: SessionCommit) => void;
  /** Applies the session commands that come before the next turn; holds the lane for it. */
  readonly drainCommands: () => Promise<void>;
  /** Gives that lane back where no turn took it. */
  readonly releaseLane: () => Promise<void>;
  /** Gives back the lane that a run held. */
  readonly giveBack: (fence: LeaseFence) => Promise<void>;
  /** A turn ended and completed these. @param leaves - something may wait for the next one. */
  readonly ended: (completed: SettledClaims, leaves: boolean) => void;
  /** A turn stays in flight, because its store failed or its lease is lost. @param wasDriven - and not merely asked for. */
  readonly left: (wasDriven: boolean) => void;
  /** Tells the residency machine. */
  readonly report: (event: SessionEvent) => void;
}
