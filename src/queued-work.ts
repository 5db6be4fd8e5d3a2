// Queued work of a session, as its host asks for it: arguments are checked here, work-lane.ts does it. Loaded when a session is
// first asked for any of it; most never are.

import type { SessionRuntime } from "./actors/session-runtime.ts";
import { WorkLane, type CommandReceipt } from "./actors/work-lane.ts";
import { checkedSignal } from "./domain/abort.ts";
import { assertReason } from "./domain/cancellation.ts";
import { runtimeError } from "./domain/errors.ts";
import { assertId, checkedId } from "./domain/id-rules.ts";
import { invalidArgument, refuseUnknown } from "./domain/invalid-argument.ts";
import type { UserInput } from "./domain/turn-input.ts";
import { parseWaiting } from "./enqueue.ts";
import type { DeliveryPolicy, QueuedBatch, SessionCommand, SlotPolicy } from "./stores/ingress-contract.ts";

/** How queued input enters a turn. */
export interface TurnInputPolicies {
  /** `earliest_safe_boundary`: also a turn that runs may take it. `after_current_turn_commit`: only a drain of the idle session. */
  readonly deliveryPolicy: DeliveryPolicy;
  /** `join`: in one turn with neighbours of the same policies. `exclusive`: alone. */
  readonly slotPolicy: SlotPolicy;
  /** While a batch with this key is queued, that one is given back, whatever the input says. */
  readonly sourceKey?: string;
}

const laneOf = (runtime: SessionRuntime): WorkLane => new WorkLane(runtime.ports, runtime.wiring.sessionId, runtime.lanes, () => runtime.taken());

export function listWork(runtime: SessionRuntime, options: { readonly all?: boolean }): Promise<readonly QueuedBatch[]> {
  refuseUnknown(options, ["all"], "queued work options");
  return laneOf(runtime).list(options.all === true);
}

export function enqueueTurnInput(runtime: SessionRuntime, input: UserInput, policies: TurnInputPolicies): Promise<QueuedBatch> {
  refuseUnknown(policies, ["deliveryPolicy", "slotPolicy", "sourceKey"], "turn input policies");
  const { deliveryPolicy, slotPolicy, sourceKey } = policies;
  if (deliveryPolicy !== "earliest_safe_boundary" && deliveryPolicy !== "after_current_turn_commit") {
    throw invalidArgument("deliveryPolicy", '"earliest_safe_boundary" or "after_current_turn_commit"');
  }
  if (slotPolicy !== "join" && slotPolicy !== "exclusive") throw invalidArgument("slotPolicy", '"join" or "exclusive"');
  if (sourceKey !== undefined) checkedId(sourceKey, "sourceKey");
  return laneOf(runtime).enqueueInput({ input: parseWaiting(input, runtime.ports.limits), deliveryPolicy, slotPolicy, sourceKey });
}

export function submitCommand(runtime: SessionRuntime, kind: SessionCommand["kind"], reason: string, key: string): Promise<CommandReceipt> {
  if (typeof key !== "string" || key.trim() === "") {
    throw runtimeError("session_command_idempotency_key", "`key` is blank; name the command, so that submitting it again does not do it twice");
  }
  assertId(key, "key");
  if (typeof reason !== "string") throw invalidArgument("reason", "a text");
  assertReason(reason);
  return laneOf(runtime).submit({ kind, reason }, key);
}

export const cancelWork = (runtime: SessionRuntime, batchId: string): Promise<QueuedBatch | undefined> => laneOf(runtime).cancel(checkedId(batchId, "batchId"));

export async function awaitWork(runtime: SessionRuntime, batchId: string, options: { readonly signal?: AbortSignal }, whenClosed: AbortSignal): Promise<void> {
  refuseUnknown(options, ["signal"], "await options");
  const id = checkedId(batchId, "batchId");
  const signal = checkedSignal(options.signal);
  try {
    await laneOf(runtime).gone(id, signal ? AbortSignal.any([signal, whenClosed]) : whenClosed);
  } catch (error) {
    if (!whenClosed.aborted) throw error;
    const { sessionId } = runtime.wiring;
    throw runtimeError("session_closed", `session ${sessionId} was closed before batch ${id} was gone`, { details: { sessionId } });
  }
}
