// The persistence contract (../contract.ts), implemented once on any engine (../engine.ts). Each operation is one engine
// transaction. Facets are modules of their own; layout.ts has the keys of all of them.

import type { Clock } from "../../domain/clock.ts";
import { STANDARD_PROTOCOL } from "../../domain/session.ts";
import type { Persistence } from "../contract.ts";
import { wholeEngine } from "../define-engine.ts";
import type { Engine } from "../engine.ts";
import type { BytesPlace } from "./attachment-bytes.ts";
import { createAttachments } from "./attachments.ts";
import type { StoreContext } from "./context.ts";
import { createArtifacts, createEnvironments } from "./documents.ts";
import { createInputs } from "./inputs.ts";
import { createLeases } from "./leases.ts";
import { createMaintenance } from "./maintenance.ts";
import { createQueue } from "./queue.ts";
import { createSessions } from "./sessions.ts";
import { createTurns } from "./turns.ts";
import { createWaits } from "./waits.ts";

export interface PersistenceOptions {
  /** Decides expiry and stamps rows. */
  readonly clock: Pick<Clock, "now">;
  /** Serve this session only: operations on another one are `session_binding_mismatch`. Default: all sessions. */
  readonly sessionId?: string;
  /** Where the bytes of attachments go; default: rows of the engine. What is in rows already stays there and is found there. */
  readonly attachments?: BytesPlace | undefined;
  /** Id of the protocol that drives turns here: its sessions are bound to it. Default: the standard one. */
  readonly protocol?: string;
}

/** The store that a runtime works on. Closing it closes the engine. */
export function createPersistence(engine: Engine, { clock, sessionId, attachments: place, protocol = STANDARD_PROTOCOL }: PersistenceOptions): Persistence {
  const context: StoreContext = { engine: wholeEngine(engine), now: () => clock.now(), boundSessionId: sessionId, protocol, place };
  return {
    name: engine.name,
    durable: engine.durable,
    sessions: createSessions(context),
    turns: createTurns(context),
    leases: createLeases(context),
    inputs: createInputs(context),
    queue: createQueue(context),
    attachments: createAttachments(context),
    environments: createEnvironments(context),
    artifacts: createArtifacts(context),
    maintenance: createMaintenance(context),
    waits: createWaits(context),
    close: () => engine.close(),
  };
}
