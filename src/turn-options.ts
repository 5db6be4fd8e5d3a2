// What the calls of a session handle are given, checked before anything happens.

import type { CompactOptions } from "./actors/compaction.ts";
import type { Compactor } from "./domain/compaction.ts";
import { checkedSignal } from "./domain/abort.ts";
import { runtimeError } from "./domain/errors.ts";
import { assertId } from "./domain/id-rules.ts";
import { invalidArgument, refuseUnknown } from "./domain/invalid-argument.ts";
import type { TurnInput } from "./domain/turn-input.ts";
import type { TurnActivity } from "./observe/contract.ts";
import { TURN_SETTINGS, type TurnSettings } from "./settings-options.ts";
import type { Output } from "./turn-value.ts";
import { WAIT_OPTIONS, type WaitOptions } from "./wait-options.ts";

export interface TurnOptions<Wanted extends Output = Output> extends TurnSettings<Wanted>, WaitOptions {
  /** Id of the turn, so that asking again attaches to it instead of adding a second input. Default: a fresh one. */
  readonly turnId?: string;
  /** Aborting it cancels the turn. */
  readonly signal?: AbortSignal;
}

export interface RunOptions<Wanted extends Output = Output> extends TurnOptions<Wanted> {
  /** Told of everything that happens; awaited, so a slow one slows the turn. */
  readonly onActivity?: (activity: TurnActivity) => void | Promise<void>;
}

export interface QueuedTurnOptions {
  /** Id of the turn, so that asking again attaches to it. Default: the first of `batchIds`, else the `traceTurnId` of an input, else a fresh one. */
  readonly drainId?: string;
  /** Runs exactly these batches, in this order, if they are what comes next in the queue; inputs are left alone. */
  readonly batchIds?: readonly string[];
  /** Aborting it cancels the turn. */
  readonly signal?: AbortSignal;
  /** Told of everything that happens; awaited, so a slow one slows the turn. */
  readonly onActivity?: (activity: TurnActivity) => void | Promise<void>;
}

/** The given one, or that of the session's plugins. @throws LashError `invalid_argument`. */
export function chosenCompactor(given: Compactor | undefined, ofPlugins: Compactor | undefined, options: CompactOptions): Compactor {
  refuseUnknown(options, ["instructions", "signal"], "compact options");
  if (options.instructions !== undefined && typeof options.instructions !== "string") throw invalidArgument("instructions", "a string");
  const chosen = given ?? ofPlugins;
  if (typeof chosen !== "function") throw invalidArgument("compactor", "a function, such as summarize() of lash-runtime/compaction, where no plugin of the session has one");
  return chosen;
}

export function checkTurnOptions(options: TurnOptions): void {
  refuseUnknown(options, ["turnId", "signal", ...WAIT_OPTIONS, ...TURN_SETTINGS], "turn options");
  checkedSignal(options.signal);
}

/** The id that a turn is asked for under; undefined where its host leaves that to the runtime. */
export function turnIdOf({ traceTurnId }: TurnInput, { turnId }: TurnOptions): string | undefined {
  for (const [field, id] of [["turnId", turnId], ["input.traceTurnId", traceTurnId]] as const) {
    if (id === undefined) continue;
    if (typeof id !== "string" || id.trim() === "") throw runtimeError("missing_execution_scope_id", `\`${field}\` is blank; leave it out or give the turn an id`);
    assertId(id, field);
  }
  if (turnId !== undefined && traceTurnId !== undefined && turnId !== traceTurnId) {
    throw runtimeError("execution_scope_turn_id_mismatch", `\`turnId\` is "${turnId}" and \`input.traceTurnId\` is "${traceTurnId}"; a turn has one id`);
  }
  return turnId ?? traceTurnId;
}
