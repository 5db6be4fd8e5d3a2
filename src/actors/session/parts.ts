// The parts of one opened session. Types only: each part is given those that it works with.

import type { LaneListener } from "../input-lane.ts";
import type { LaneClaims } from "../lane-claims.ts";
import type { RuntimePorts } from "../ports.ts";
import type { Publisher } from "../publisher.ts";
import type { Residence } from "../residence.ts";
import type { SessionActors } from "../session-actors.ts";
import type { SessionChanges } from "../session-changes.ts";
import type { SessionFeed } from "../session-feed.ts";
import type { SessionLane } from "../session-lane.ts";
import type { StatedSettings } from "../session-settings.ts";
import type { StandIn } from "../stand-in.ts";
import type { TurnPlans } from "../turn-plan.ts";
import type { TurnRuns } from "../turn/turn-runs.ts";

export interface SessionParts {
  readonly ports: RuntimePorts;
  /** What the host states; its wiring by now. */
  readonly stated: StatedSettings;
  readonly plans: TurnPlans;
  /** How it comes to its lease. */
  readonly claims: LaneClaims;
  /** The last commit, as values. */
  readonly residence: Residence;
  readonly actors: SessionActors;
  /** What runs one after another. */
  readonly lane: SessionLane;
  /** The turns that run or wait here. */
  readonly runs: TurnRuns;
  readonly changes: SessionChanges;
  readonly takeover: StandIn;
  readonly publisher: Publisher;
  readonly feed: SessionFeed;
  /** Hears of what happens in the queues. */
  readonly lanes: LaneListener;
}
