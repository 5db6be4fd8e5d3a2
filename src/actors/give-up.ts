// Giving a turn up: it ends with what it has finished, without being driven (ME-22, SC-33, OP-6). Needs neither its tools, its plugins,
// its provider nor its protocol: everything is in its record.

import type { TurnIssue, TurnOutcome } from "../domain/outcome.ts";
import { createMessage, type Message } from "../domain/messages.ts";
import { isPlainObject } from "../domain/json.ts";
import { usageOf } from "../domain/usage.ts";
import type { TurnEvent } from "../machines/effects.ts";
import type { MachineSnapshot, TurnRecord } from "../stores/contract.ts";
import { loadOpening } from "./opening.ts";
import { resultsOfOpen } from "./open-calls.ts";
import type { RuntimePorts } from "./ports.ts";
import type { TurnLog } from "./turn-log.ts";

export type GivenUp =
  /** Somebody asked for its end, and it cannot be driven here. */
  | { readonly why: "cancelled" }
  /** It fails every time it is taken up: it must not keep its session for ever. */
  | { readonly why: "exhausted" }
  /** Its host says so. */
  | { readonly why: "abandoned"; readonly reason: string };

/** Takes up what the turn has said, and closes it. @returns how it ends. */
export async function giveUp(turn: TurnRecord, log: TurnLog, { persistence, waits, limits }: RuntimePorts, given: GivenUp): Promise<TurnEvent> {
  const open = openKeys(turn.snapshot);
  log.restore(turn, loggedBy(turn), (replayKey) => open.includes(replayKey));
  if (log.messages.length === 0) {
    // Accepted, and not a step further: what it was asked is all there is of it.
    const asked = await loadOpening(turn, persistence);
    if (typeof asked !== "string") log.append(asked);
  }
  const left = openMessage(log.messages);
  if (left) {
    const results = await resultsOfOpen(left, { turn, batchKey: String(open[0] ?? ""), answerTo: (wait) => waits.answerTo(wait), limits });
    log.append([createMessage(`${turn.turnId}:${log.messages.length}`, "User", results.flatMap(({ modelReturn }) => modelReturn))]);
    log.recordResults(results);
  }
  const { outcome, issue } = endOf(turn, given);
  return { type: "turn.givenUp", outcome, issues: [issue], usage: usageOf(turn.modelCalls.filter(({ source }) => source === "turn")) };
}

function endOf({ recoveries }: TurnRecord, given: GivenUp): { readonly outcome: TurnOutcome; readonly issue: TurnIssue } {
  switch (given.why) {
    case "cancelled":
      return { outcome: { stopped: "cancelled" }, issue: { kind: "runtime", code: "cancelled", terminalReason: "cancelled", message: "the turn was cancelled" } };
    case "exhausted":
      return stopped("turn_recovery_exhausted", `the turn was taken up ${recoveries} times without getting any further`);
    case "abandoned":
      return stopped("turn_abandoned", `the turn was abandoned: ${given.reason}`);
  }
}

const stopped = (code: string, message: string) => ({ outcome: { stopped: "runtime_error" as const }, issue: { kind: "runtime", code, message, retryable: false } });

/** The last message, where its calls have no results. */
function openMessage(log: readonly Message[]): Message | undefined {
  const last = log.at(-1);
  return last?.parts.some(({ kind }) => kind === "ToolCall") ? last : undefined;
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
