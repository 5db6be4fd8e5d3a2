// What a host says about a turn or an input of one: shapes, and the checks that say what to write instead.

import { runtimeError } from "./domain/errors.ts";
import { assertId } from "./domain/id-rules.ts";
import { invalidArgument, refuseUnknown } from "./domain/invalid-argument.ts";
import type { Limits } from "./domain/limits.ts";
import { parseTurnInput, type TurnInput } from "./domain/turn-input.ts";
import type { TurnActivity } from "./observe/contract.ts";
import { SETTINGS, type TurnSettings } from "./settings-options.ts";

export interface TurnOptions extends TurnSettings {
  /** Id of the turn, so that asking again attaches to it instead of adding a second input. Default: a fresh one. */
  readonly turnId?: string;
  /** Aborting it cancels the turn. */
  readonly signal?: AbortSignal;
}

export interface RunOptions extends TurnOptions {
  /** Told of everything that happens; awaited, so a slow one slows the turn (T-46). */
  readonly onActivity?: (activity: TurnActivity) => void | Promise<void>;
}

export interface QueuedTurnOptions {
  /** Id of the turn, so that asking again attaches to it. Default: the `traceTurnId` of an input, else a fresh one. */
  readonly drainId?: string;
  /** Aborting it cancels the turn. */
  readonly signal?: AbortSignal;
  /** Told of everything that happens; awaited, so a slow one slows the turn (T-46). */
  readonly onActivity?: (activity: TurnActivity) => void | Promise<void>;
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
