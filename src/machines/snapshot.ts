// Restoring the turn machine: what is stored is checked before XState sees it (design section 4).

import type { SnapshotFrom } from "xstate";
import * as z from "zod/mini";
import { runtimeError, storeError } from "../domain/errors.ts";
import type { Json } from "../domain/json.ts";
import type { MachineSnapshot } from "../stores/contract.ts";
import { TURN_MACHINE, type TurnMachine } from "./turn.machine.ts";
import type { TurnContext } from "./turn.context.ts";

const usage = z.object({
  inputTokens: z.number(),
  outputTokens: z.number(),
  cacheReadInputTokens: z.number(),
  cacheWriteInputTokens: z.number(),
  reasoningOutputTokens: z.number(),
});
const count = z.int().check(z.nonnegative());

/** Nested unions of effects and outcomes are checked by their tag: their fields are read again where they are used. */
const tagged = (...tags: readonly string[]) =>
  z.custom<object>((value) => typeof value === "object" && value !== null && tags.some((tag) => tag in value));

const command = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("llm_call"), iteration: count, logLength: count }),
  z.object({ kind: z.literal("tool_batch"), iteration: count, logIndex: count }),
  z.object({ kind: z.literal("exec_code"), iteration: count, language: z.string(), code: z.string() }),
  z.object({ kind: z.literal("checkpoint"), iteration: count, checkpoint: z.enum(["after_work", "before_completion"]) }),
  z.object({ kind: z.literal("sync_execution_environment"), iteration: count }),
  z.object({ kind: z.literal("compact"), iteration: count, logLength: count }),
]);

const turnContext = z.object({
  sessionId: z.string(),
  turnId: z.string(),
  maxTurns: z.nullable(count),
  // Not in snapshots of before it was there.
  tokenBudget: z.optional(z.nullable(count)),
  outputAsks: z.optional(count),
  hooks: z.array(
    z.enum(["preparesContext", "beforeTurn", "syncsEnvironment", "takesInput", "checkpoints", "finalizes", "afterPersist", "compacts"]),
  ),
  history: z.object({ headRevision: count, frameId: z.string(), leafNodeId: z.nullable(z.string()), turnIndex: count, messageCount: count }),
  logLength: count,
  endsWithToolResult: z.boolean(),
  iteration: count,
  runOffset: count,
  nextEffectId: count,
  /** Never empty: a turn is only persisted where it waits for an effect, and nothing else could move it on. */
  open: z.array(z.object({ effectId: count, replayKey: z.string(), command })).check(z.minLength(1)),
  afterCheckpoint: z.nullable(tagged("type")),
  usage,
  lastPromptUsage: z.nullable(usage),
  toolFailed: z.boolean(),
  hasCompacted: z.optional(z.boolean()),
  issues: z.array(z.looseObject({ kind: z.string(), message: z.string() })),
  outcome: z.nullable(tagged("finished", "agent_frame_switch", "stopped")),
  failure: z.null(),
});

/**
 * Builds a snapshot that a turn machine can be started from.
 *
 * @throws LashError `machine_version_unsupported` - written by another version; the turn restarts from its input (design 4).
 * @throws LashError `stored_row_invalid` - the state or context is none this machine can be in.
 */
export function restoreTurn(machine: TurnMachine, stored: MachineSnapshot): SnapshotFrom<TurnMachine> {
  if (stored.machine !== TURN_MACHINE.machine || stored.version !== TURN_MACHINE.version) {
    throw runtimeError(
      "machine_version_unsupported",
      `the turn was left by machine ${stored.machine} version ${stored.version}; this runtime has ${TURN_MACHINE.machine} version ${TURN_MACHINE.version}`,
      { details: { machine: stored.machine, version: stored.version } },
    );
  }
  const context = z.safeParse(turnContext, stored.context);
  if (!context.success) throw invalid(z.prettifyError(context.error));
  if (!hasState(machine.root as never, stored.value)) throw invalid(`there is no state ${JSON.stringify(stored.value)}`);
  // Parsed values are copies, which matters: XState changes what it is handed.
  const { tokenBudget = null, outputAsks = 0, hasCompacted = false, ...rest } = context.data;
  return machine.resolveState({ value: stored.value as never, context: { ...rest, tokenBudget, outputAsks, hasCompacted } as unknown as TurnContext });
}

const invalid = (what: string) => storeError("stored_row_invalid", `the stored snapshot of a turn machine is damaged: ${what}`);

/** Whether a state value names states that exist, all the way down to one without parts; the depth is that of the chart. */
function hasState(node: { readonly states: Readonly<Record<string, { readonly states: object }>> }, value: Json): boolean {
  const step = (name: string): typeof node | undefined => (Object.hasOwn(node.states, name) ? (node.states[name] as typeof node) : undefined);
  if (typeof value === "string") {
    const leaf = step(value);
    return leaf !== undefined && Object.keys(leaf.states).length === 0;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const entries = Object.entries(value as Record<string, Json>);
  return entries.length > 0 && entries.every(([name, inner]) => {
    const next = step(name);
    return next !== undefined && hasState(next, inner);
  });
}
