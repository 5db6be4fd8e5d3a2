// What a host says about an input that waits: checked and given its stored form.

import { checkedId } from "./domain/id-rules.ts";
import { invalidArgument, refuseUnknown } from "./domain/invalid-argument.ts";
import type { Limits } from "./domain/limits.ts";
import { parseTurnInput, type TurnInput, type UserInput } from "./domain/turn-input.ts";
import type { CancelTarget, CheckpointKind, SubmittedIngress } from "./stores/ingress-contract.ts";
import { turnIdOf } from "./turn-options.ts";

/** Most batches that one turn takes (I-17). */
const MOST_BATCHES = 64;

export interface EnqueueOptions {
  /** Makes it repeatable: enqueueing again under one id gives the input that is there. Default: never the same. */
  readonly id?: string;
  /**
   * Which turn takes it. `next_turn` (default) waits for `queuedTurn()`, or for a lash that drains by itself. `active_turn` waits
   * for a checkpoint of the turn that is in flight, in whatever process, or of the named one; where that has ended, or there is
   * none, it waits for the next turn.
   */
  readonly ingress?:
    | { readonly scope: "next_turn" }
    | {
        readonly scope: "active_turn";
        readonly turnId?: string;
        /** `after_work` (default): as soon as tools are done, or before the turn completes. `before_completion`: only then. */
        readonly minBoundary?: CheckpointKind;
      };
}

export function submittedIngress(options: EnqueueOptions): SubmittedIngress {
  refuseUnknown(options, ["id", "ingress"], "enqueue options");
  const { ingress = { scope: "next_turn" } } = options;
  if (typeof ingress !== "object" || ingress === null) throw invalidArgument("ingress", "an object with `scope`");
  if (ingress.scope === "next_turn") {
    refuseUnknown(ingress, ["scope"], "ingress");
    return { scope: "next_turn" };
  }
  if (ingress.scope !== "active_turn") throw invalidArgument("ingress.scope", '"next_turn" or "active_turn"');
  refuseUnknown(ingress, ["scope", "turnId", "minBoundary"], "ingress");
  const { turnId, minBoundary = "after_work" } = ingress;
  if (minBoundary !== "after_work" && minBoundary !== "before_completion") throw invalidArgument("ingress.minBoundary", '"after_work" or "before_completion"');
  return { scope: "active_turn", ...(turnId !== undefined && { turnId: checkedId(turnId, "ingress.turnId") }), minBoundary };
}

export function checkedTargets(targets: readonly CancelTarget[]): readonly CancelTarget[] {
  if (!Array.isArray(targets)) throw invalidArgument("targets", "an array");
  return targets.map((target: CancelTarget, index) => checkedTarget(target, `targets[${index}]`));
}

export function checkedTarget(target: CancelTarget, field = "target"): CancelTarget {
  const { kind, value } = { ...target };
  if (kind !== "input_id" && kind !== "source_key") throw invalidArgument(`${field}.kind`, '"input_id" or "source_key"');
  if (typeof value !== "string") throw invalidArgument(`${field}.value`, "a text");
  return { kind, value };
}

export function checkedIds(ids: readonly string[], field: string): readonly string[] {
  if (!Array.isArray(ids) || ids.length === 0 || ids.length > MOST_BATCHES) throw invalidArgument(field, `an array of 1 to ${MOST_BATCHES} ids`);
  ids.forEach((id: string, index) => checkedId(id, `${field}[${index}]`));
  return ids;
}

/** An input that is kept for a turn to come. */
export function parseWaiting(input: UserInput, limits: Limits): TurnInput {
  const parsed = parseTurnInput(input, limits);
  turnIdOf(parsed, {});
  return parsed;
}
