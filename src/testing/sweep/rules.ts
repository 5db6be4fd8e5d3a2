// What has to hold of every run, whatever the scenario is. What the scenario means is for its own `check` to say.

import type { Message, Part } from "../../domain/messages.ts";
import type { ToolRun } from "./process.ts";

/**
 * - `tools`: a tool that declares nothing runs once per attempt of a call; any other runs again only when it is told `interrupted`.
 * - `turns`: each turn ended exactly once: every session has as many turns as in the undisturbed run.
 * - `messages`: no message stands twice in a history, users said there what they say in the undisturbed run, every call has one result.
 * - `inFlight`: nothing is left to recover that the undisturbed run does not leave, too.
 */
export type SweepRule = "tools" | "turns" | "messages" | "inFlight";

/** One committed session, as a new process finds it. */
export interface SessionLeft {
  readonly history: readonly Message[];
  readonly turns: number;
}

/** What is left of a run. */
export interface Left {
  readonly sessions: Readonly<Record<string, SessionLeft>>;
  /** `session turn` of what a recovery still had to deal with. */
  readonly inFlight: readonly string[];
  readonly toolRuns: readonly ToolRun[];
}

type Rules = Readonly<Record<SweepRule, (left: Left, undisturbed: Left) => readonly string[]>>;

export const RULES: Rules = {
  tools: ({ toolRuns }) => [...grouped(toolRuns).values()].flatMap(toolFaults),

  turns: ({ sessions }, undisturbed) =>
    Object.entries({ ...undisturbed.sessions, ...sessions }).flatMap(([id]) => {
      const [found, expected] = [sessions[id]?.turns ?? 0, undisturbed.sessions[id]?.turns ?? 0];
      return found === expected ? [] : [`session ${id} has ${found} committed turns, ${expected} in the undisturbed run`];
    }),

  messages: ({ sessions }, undisturbed) =>
    Object.entries(sessions).flatMap(([id, { history }]) => {
      const faults = [...doubled(history.map((message) => message.id)).map((message) => `message ${message} is there twice`), ...callFaults(history)];
      const [said, expected] = [userTexts(history), userTexts(undisturbed.sessions[id]?.history ?? [])];
      if (!isSameList(said, expected)) faults.push(`users said ${JSON.stringify(said)}, ${JSON.stringify(expected)} in the undisturbed run`);
      return faults.map((fault) => `session ${id}: ${fault}`);
    }),

  inFlight: ({ inFlight }, undisturbed) =>
    inFlight.filter((turn) => !undisturbed.inFlight.includes(turn)).map((turn) => `turn in flight after everything has ended: ${turn}`),
};

const grouped = (runs: readonly ToolRun[]): ReadonlyMap<string, ToolRun[]> =>
  Map.groupBy(runs, ({ sessionId, idempotencyKey, attempt }) => JSON.stringify([sessionId, idempotencyKey, attempt]));

function toolFaults(runs: readonly ToolRun[]): readonly string[] {
  const [first, ...again] = runs;
  if (first === undefined || again.length === 0) return [];
  const what = `tool ${first.toolName} (call ${first.callId}, attempt ${first.attempt}) ran ${runs.length} times`;
  if (first.onInterrupted === "report") return [`${what}, and does not declare that it may`];
  return again.every(({ interrupted }) => interrupted) ? [] : [`${what}, and was not told \`interrupted\``];
}

const isOwn = (kind: Part["kind"]) => (part: Part): boolean => part.kind === kind && part.providerExecuted !== true;

/** Call ids are a provider's and may come again in another answer, so that calls and results are counted. */
function callFaults(history: readonly Message[]): string[] {
  const parts = history.flatMap((message) => message.parts);
  const [calls, results] = [parts.filter(isOwn("ToolCall")), parts.filter(isOwn("ToolResult"))].map(counted);
  const ids = new Set([...(calls?.keys() ?? []), ...(results?.keys() ?? [])]);
  return [...ids].flatMap((id) => {
    const [asked, answered] = [calls?.get(id) ?? 0, results?.get(id) ?? 0];
    return asked === answered ? [] : [`call ${id} is there ${asked} times, its result ${answered} times`];
  });
}

const counted = (parts: readonly Part[]): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>();
  for (const { toolCallId = "?" } of parts) counts.set(toolCallId, (counts.get(toolCallId) ?? 0) + 1);
  return counts;
};

const userTexts = (history: readonly Message[]): readonly string[] =>
  history.filter(({ role, parts }) => role === "User" && !parts.some(isOwn("ToolResult"))).map(({ parts }) => parts.map(({ content }) => content).join(" | "));

const doubled = (ids: readonly string[]): readonly string[] => [...new Set(ids.filter((id, index) => ids.indexOf(id) !== index))];

const isSameList = (a: readonly string[], b: readonly string[]): boolean => a.length === b.length && a.every((text, index) => text === b[index]);
