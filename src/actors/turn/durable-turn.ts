// The turn machine as the runner drives it.

import { LashError } from "../../domain/errors.ts";
import type { ProtocolDriver } from "../../machines/protocol.ts";
import { restoreTurn } from "../../machines/snapshot.ts";
import { TURN_MACHINE, turnMachine } from "../../machines/turn.machine.ts";
import type { MachineSnapshot, TurnRecord } from "../../stores/contract.ts";
import type { DurableMachine } from "../durable/contract.ts";
import type { RuntimePorts } from "../ports.ts";
import type { TurnTypes } from "./types.ts";

export const durableTurn = (protocol: ProtocolDriver): DurableMachine<TurnTypes> => ({
  machine: turnMachine(protocol),
  version: TURN_MACHINE,
  open: ({ context }) => context.open,
  fault: ({ effectId }, { code, message }) => ({ type: "effect.settled", effectId, outcome: { kind: "fault", code, message }, source: "run" }),
  aborted: () => new LashError("issue", "cancelled", "the turn was cancelled"),
  failed: ({ code, message }) => (code === "session_execution_lease_lost" ? { type: "lease.lost" } : { type: "turn.failed", code, message }),
  waits: { parked: { type: "tools.parked" }, resumed: { type: "tools.resumed" }, suspended: { type: "turn.suspend" } },
});

export type RestoredTurn = ReturnType<typeof restoreTurn>;

/** The machine in the state that its last owner left. A snapshot of another version is refused, and the turn starts again from its input (design 4). */
export function restored({ sessionId }: TurnRecord, stored: MachineSnapshot, { protocol, logger }: RuntimePorts): RestoredTurn | undefined {
  try {
    return restoreTurn(turnMachine(protocol), stored);
  } catch (error) {
    if (!LashError.is(error) || !error.isCode("machine_version_unsupported")) throw error;
    logger({ level: "warn", event: "turn.restarted", sessionId, code: error.code, message: error.message });
    return undefined;
  }
}
