// Found turn: the machine of a turn in flight, in the state that its last owner left.

import { LashError } from "../domain/errors.ts";
import { restoreTurn } from "../machines/snapshot.ts";
import { turnMachine } from "../machines/turn.machine.ts";
import type { MachineSnapshot, TurnRecord } from "../stores/contract.ts";
import type { RuntimePorts } from "./ports.ts";

export type RestoredTurn = ReturnType<typeof restoreTurn>;

/** A snapshot of another machine version is refused, and the turn starts again from its input (design 4). */
export function restorable({ sessionId }: TurnRecord, stored: MachineSnapshot, { protocol, logger }: RuntimePorts): RestoredTurn | undefined {
  try {
    return restoreTurn(turnMachine(protocol), stored);
  } catch (error) {
    if (!LashError.is(error) || !error.isCode("machine_version_unsupported")) throw error;
    logger({ level: "warn", event: "turn.restarted", sessionId, code: error.code, message: error.message });
    return undefined;
  }
}
