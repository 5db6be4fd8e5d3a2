// Context of the turn machine: exactly what a crash leaves behind. Control state only; messages are counted, not kept.

import type { TurnIssue, TurnOutcome } from "../domain/outcome.ts";
import { zeroUsage, type TokenUsage } from "../domain/usage.ts";
import type { EffectRequest, HistoryReference } from "./effects.ts";
import type { CheckpointMove, ProtocolView } from "./protocol.ts";

/**
 * Optional parts of a turn that somebody takes part in; the machine passes by the others without asking.
 *
 * With `takesInput`, input may reach the turn while it runs: it is looked for after work, and before completion by the commit
 * itself. With `checkpoints` somebody wants to be asked at both of them. With `compacts` a call whose prompt was too long is made
 * again with a shorter one.
 */
export type TurnHook =
  | "preparesContext" | "beforeTurn" | "syncsEnvironment" | "takesInput" | "checkpoints" | "finalizes" | "afterPersist" | "compacts";

export interface TurnMachineInput {
  readonly sessionId: string;
  readonly turnId: string;
  readonly hooks: readonly TurnHook[];
}

export interface TurnContext extends TurnMachineInput {
  /** Most model calls; known once the turn is built. */
  readonly maxTurns: number | null;
  /** Most tokens of its model calls together. */
  readonly tokenBudget: number | null;
  /** Committed history that this turn builds on; null until the head was read. */
  readonly history: HistoryReference | null;
  /** How often the model was asked again for an answer of the wanted form. */
  readonly outputAsks: number;
  /** Messages this turn has appended to its log. */
  readonly logLength: number;
  readonly endsWithToolResult: boolean;
  readonly iteration: number;
  readonly runOffset: number;
  readonly nextEffectId: number;
  /** Effects asked for and not settled; the driver sends them again after a restore. */
  readonly open: readonly EffectRequest[];
  /** What follows if the checkpoint delivers nothing: the one that is open, or the last one, which the commit looks at again. */
  readonly afterCheckpoint: CheckpointMove["onEmpty"] | null;
  readonly usage: TokenUsage;
  readonly lastPromptUsage: TokenUsage | null;
  readonly toolFailed: boolean;
  /** It was tried to make the conversation shorter: once in a turn. */
  readonly hasCompacted: boolean;
  readonly issues: readonly TurnIssue[];
  readonly outcome: TurnOutcome | null;
  readonly failure: { readonly code: string; readonly message: string } | null;
}

export function initialContext(input: TurnMachineInput): TurnContext {
  return {
    sessionId: input.sessionId,
    turnId: input.turnId,
    maxTurns: null,
    tokenBudget: null,
    outputAsks: 0,
    hooks: input.hooks,
    history: null,
    logLength: 0,
    endsWithToolResult: false,
    iteration: 0,
    runOffset: 0,
    nextEffectId: 1,
    open: [],
    afterCheckpoint: null,
    usage: zeroUsage,
    lastPromptUsage: null,
    toolFailed: false,
    hasCompacted: false,
    issues: [],
    outcome: null,
    failure: null,
  };
}

/**
 * Whether the turn completes only if no input waits for it, which its commit finds out. Not where somebody was told before
 * the commit that the turn is over: then the checkpoint before it was the last look.
 */
export const yieldsToInput = ({ hooks, afterCheckpoint }: TurnContext): boolean =>
  hooks.includes("takesInput") && !hooks.includes("finalizes") && afterCheckpoint?.type === "finish";

export const viewOf = (context: TurnContext): ProtocolView => ({
  iteration: context.iteration,
  endsWithToolResult: context.endsWithToolResult,
});

/** Issues that stop a turn which named no outcome of its own (ER-7). */
const isBlocking = (issue: TurnIssue): boolean => issue.code !== "assistant_output_recovered_from_state";

/** Outcome of a turn that has run its course without one, in order of precedence. */
export function assembleOutcome(context: TurnContext): { readonly outcome: TurnOutcome; readonly issues: readonly TurnIssue[] } {
  if (context.issues.some(isBlocking)) {
    return { outcome: { stopped: context.toolFailed ? "tool_failure" : "runtime_error" }, issues: context.issues };
  }
  const missing: TurnIssue = { kind: "runtime", code: "missing_done", message: "the turn ended without an outcome" };
  return { outcome: { stopped: "runtime_error" }, issues: [...context.issues, missing] };
}
