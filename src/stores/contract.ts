// Persistence contract: what the runtime asks of a store, implemented once on top of an Engine (src/stores/persistence).
//
// Every operation is one engine transaction: it happens whole or not at all (P-4). Checks run in the order given here and
// the first failure wins. Wall time comes from the injected clock, and decides nothing about the leases of others (SC-2).

import type { ArtifactFacet, AttachmentFacet, EnvironmentFacet } from "./content-contract.ts";
import type { InputFacet, QueueFacet } from "./ingress-contract.ts";
import type { LeaseFacet } from "./lease-contract.ts";
import type { SessionFacet } from "./session-contract.ts";
import type { TurnFacet } from "./turn-contract.ts";
import type { MaintenanceFacet, WaitFacet } from "./upkeep-contract.ts";

export type * from "./lease-contract.ts";
export type * from "./session-contract.ts";
export type * from "./turn-contract.ts";

export interface Persistence {
  readonly name: string;
  readonly durable: boolean;
  readonly sessions: SessionFacet;
  readonly turns: TurnFacet;
  readonly leases: LeaseFacet;
  readonly inputs: InputFacet;
  readonly queue: QueueFacet;
  readonly attachments: AttachmentFacet;
  readonly environments: EnvironmentFacet;
  readonly artifacts: ArtifactFacet;
  readonly maintenance: MaintenanceFacet;
  readonly waits: WaitFacet;
  close(): Promise<void>;
}
