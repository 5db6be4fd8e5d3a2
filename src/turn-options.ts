// What the calls of a session handle are given, checked before anything happens.

import type { CompactOptions } from "./actors/compaction.ts";
import type { Compactor } from "./domain/compaction.ts";
import { runtimeError } from "./domain/errors.ts";
import { assertId } from "./domain/id-rules.ts";
import { invalidArgument, refuseUnknown } from "./domain/invalid-argument.ts";
import type { Limits } from "./domain/limits.ts";
import { parseTurnInput, type TurnInput } from "./domain/turn-input.ts";
import { SETTINGS, type TurnSettings } from "./settings-options.ts";

export interface TurnOptions extends TurnSettings {
  /** Id of the turn, so that asking again attaches to it instead of adding a second input. Default: a fresh one. */
  readonly turnId?: string;
  /** Aborting it cancels the turn. */
  readonly signal?: AbortSignal;
}

/** The given one, or that of the session's plugins. @throws LashError `invalid_argument`. */
export function chosenCompactor(given: Compactor | undefined, ofPlugins: Compactor | undefined, options: CompactOptions): Compactor {
  refuseUnknown(options, ["instructions", "signal"], "compact options");
  if (options.instructions !== undefined && typeof options.instructions !== "string") throw invalidArgument("instructions", "a string");
  const chosen = given ?? ofPlugins;
  if (typeof chosen !== "function") throw invalidArgument("compactor", "a function, such as summarize() of lash-runtime/compaction, where no plugin of the session has one");
  return chosen;
}

/** An input that is kept for a turn to come. */
export function parseWaiting(input: string | TurnInput, limits: Limits): TurnInput {
  const parsed = parseTurnInput(input, limits);
  turnIdOf(parsed, {});
  return parsed;
}

export function checkTurnOptions(options: TurnOptions): void {
  refuseUnknown(options, ["turnId", "signal", ...SETTINGS], "turn options");
  const { signal } = options;
  if (signal !== undefined && typeof signal?.addEventListener !== "function") throw invalidArgument("signal", "an AbortSignal");
}

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
