// Found turn: what the record of a turn in flight says about how far its last owner got with it.

import { isPlainObject } from "../domain/json.ts";
import { LashError } from "../domain/errors.ts";
import { usageOf } from "../domain/usage.ts";
import type { TurnEvent } from "../machines/effects.ts";
import { restoreTurn } from "../machines/snapshot.ts";
import { turnMachine } from "../machines/turn.machine.ts";
import type { MachineSnapshot, TurnRecord } from "../stores/contract.ts";
import type { RuntimePorts } from "./ports.ts";
import type { TurnLog } from "./turn-log.ts";

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

/** The end of a turn that fails every time it is taken up: it must not keep its session for ever (OP-6). */
export function exhausted(turn: TurnRecord, log: TurnLog): TurnEvent {
  const open = openKeys(turn.snapshot);
  log.restore(turn, loggedBy(turn), (replayKey) => open.includes(replayKey));
  return {
    type: "turn.exhausted",
    usage: usageOf(turn.modelCalls.filter(({ source }) => source === "turn")),
    issue: { kind: "runtime", code: "turn_recovery_exhausted", message: `the turn was taken up ${turn.recoveries} times without getting any further`, retryable: false },
  };
}

/** Replay keys of the effects that a stored snapshot has open; none where it cannot be read. */
function openKeys(snapshot: MachineSnapshot | undefined): readonly unknown[] {
  const open = isPlainObject(snapshot?.context) ? snapshot.context["open"] : undefined;
  return Array.isArray(open) ? open.map((request) => (isPlainObject(request) ? request["replayKey"] : undefined)) : [];
}

/** Length of the turn's own log; the rows hold more after a restart, and all of them where the snapshot cannot be read. */
function loggedBy({ snapshot, log }: TurnRecord): number {
  const length = isPlainObject(snapshot?.context) ? snapshot.context["logLength"] : undefined;
  return typeof length === "number" && length >= 0 && length <= log.length ? length : log.length;
}
