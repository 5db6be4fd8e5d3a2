// What has to hold of what killed processes left, as a pure function: the verdict names everything that does not.

import { childrenUsageOf } from "../../src/domain/child-usage.ts";
import type { TraceRecord } from "../../src/trace/index.ts";
import { CALLS, CHILD_SOURCE, ROOT, type Counts, type Witnessed } from "./kill-everything-job.ts";
import { offerFaults, settingsFaults } from "./kill-everything-offers.ts";
import type { Left, SessionLeft } from "./kill-everything.ts";
import { pairsOf } from "./trace-pairs.ts";

type Turn = SessionLeft["turns"][number];
type Call = Extract<Witnessed, { at: "begin" | "end" }>;

export interface Verdict {
  readonly turns: number;
  readonly children: number;
  /** Tool calls that were cut off and reported to the model, or run again. */
  readonly reported: number;
  readonly repeated: number;
  readonly torn: number;
  readonly violations: readonly string[];
}

export function verdictOn(left: Left): Verdict {
  const { root, children, witness, trace } = left;
  const sessions = [root, ...children];
  const shown = new Map(sessions.flatMap(({ turns }) => turns.map((turn) => [turn.turnId, resultsOf(turn)] as const)));
  const runs = callsOf(witness);
  const violations = [
    ...left.failures,
    ...leftRows(left),
    ...sessions.flatMap((session) => turnFaults(session).map((fault) => `${session.sessionId}: ${fault}`)),
    ...mainTurnFaults(left),
    ...effectFaults(runs, shown),
    ...offerFaults(left),
    ...childFaults(left),
    ...settingsFaults(left),
    ...traceFaults(trace, witness),
  ];
  const reported = [...shown.values()].filter((results) => results.get("a")?.includes("tool_interrupted")).length;
  const repeated = [...runs.values()].filter((lines) => lines.filter(({ at }) => at === "begin").length > 1).length;
  return { turns: sessions.reduce((sum, { turns }) => sum + turns.length, 0), children: children.length, reported, repeated, torn: trace.filter((line) => line === null).length, violations };
}

// ---- store ----------------------------------------------------------------------------------------------------------

const IN_FLIGHT: readonly unknown[] = ["turn", "wait", "waits", "intent", "blob"];
/** Of a session: inputs that wait, queued batches and their indexes (layout.ts). */
const QUEUED: readonly unknown[] = [6, 10, 11, 12];

const leftRows = ({ rows }: Left): readonly string[] =>
  rows.flatMap(({ key, value }) => {
    if (IN_FLIGHT.includes(key[0]) || (key[0] === "s" && QUEUED.includes(key[2]))) return [`row ${JSON.stringify(key)} is left`];
    if (key[3] !== "lease") return [];
    const { holder, work } = value as { readonly holder?: unknown; readonly work?: number };
    return [...(holder === undefined ? [] : [`the lease of ${String(key[1])} is held`]), ...(work === undefined ? [] : [`${work} batches of ${String(key[1])} are counted`])];
  });

// ---- turns ----------------------------------------------------------------------------------------------------------

/** Committed once each, in one piece, with what they used and what the plugin did in them. */
function turnFaults({ sessionId, turns, turnIndex, messageCount, counts, ledger }: SessionLeft): readonly string[] {
  const faults: string[] = [];
  const check = (holds: boolean, fault: () => string): void => void (holds || faults.push(fault()));
  check(turns.length === turnIndex, () => `${turns.length} turns are stamped, ${turnIndex} counted`);
  check(turns.reduce((sum, { nodeCount }) => sum + nodeCount, 0) === messageCount, () => `${messageCount} messages, not those of its turns`);
  let next = 0;
  for (const turn of turns) {
    const { turnId, outcome, issues, usage, modelCalls, firstNode, nodeCount, messages } = turn;
    check(firstNode === next, () => `${turnId} begins at node ${firstNode}, not ${next}`);
    next = firstNode + nodeCount;
    check("finished" in outcome && issues.length === 0, () => `${turnId} ended as ${JSON.stringify({ outcome, issues })}`);
    const answers = messages.filter(({ role }) => role === "Assistant").length;
    const expected = answers * (sessionId === ROOT ? 10 : 100);
    const own = modelCalls.filter(({ child }) => !child);
    check(usage.inputTokens === expected && sumOf(own.map((call) => call.usage)) === expected, () => `${turnId} used ${usage.inputTokens}, not ${expected}`);
    const results = [...resultsOf(turn)];
    // A call of a tool that is not there has no attempt, and so no hook behind it.
    const hooked = results.filter(([, text]) => !text.includes("tool_unavailable")).map(([callId]) => callId);
    const said = messages.flatMap(({ origin, parts }) => (origin?.kind === "plugin" ? parts.map(({ content }) => content) : []));
    const words = [`before ${turnId}`, ...hooked.map((callId) => `saw ${turnId} ${callId}`), `after ${turnId}`];
    check(same(said, words), () => `in ${turnId} the plugin said ${said.join(", ")}`);
    const count = counts[turnId];
    check(count?.before === 1 && count.after === 1 && count.tools === hooked.length, () => `the plugin counted ${JSON.stringify(count)} in ${turnId}`);
  }
  const booked = sumOf(ledger.flatMap(({ source, usage }) => (source === "turn" ? [usage] : [])));
  const used = sumOf(turns.map(({ usage }) => usage));
  check(booked === used, () => `its ledger has ${booked} of its turns, which used ${used}`);
  return faults;
}

/** Those that were asked for are there, and say what a turn says that nothing happened to. */
function mainTurnFaults({ root, witness }: Left): readonly string[] {
  const faults: string[] = [];
  const asked = new Set(witness.flatMap((line) => (line.at === "ask" ? [line.what] : [])));
  for (const turnId of asked) {
    const turn = root.turns.find((each) => each.turnId === turnId);
    if (!turn) {
      faults.push(`${turnId} was lost`);
      continue;
    }
    const results = resultsOf(turn);
    if ([...results.keys()].join("") !== Object.keys(CALLS).join("")) faults.push(`${turnId} has results of ${[...results.keys()].join()}`);
    for (const [callId, name] of Object.entries(CALLS)) {
      const text = results.get(callId) ?? "";
      const isExpected =
        callId === "e" ? text.includes("tool_unavailable") : callId === "c" ? text === "re dig, re more" : text === `${name} did it in ${turnId}` || (callId === "a" && text.includes("tool_interrupted"));
      if (!isExpected) faults.push(`${callId} (${name}) of ${turnId} answered ${text}`);
    }
    if (turn.text !== "done") faults.push(`${turnId} answered ${turn.text}`);
  }
  for (const { turnId } of root.turns) if (turnId.startsWith("turn-") && !asked.has(turnId)) faults.push(`nobody asked for ${turnId}`);
  return faults;
}

/** Text of each result, by call id in order. A call that has two shows in what the plugin said. */
const resultsOf = ({ messages }: Turn): ReadonlyMap<string, string> =>
  new Map(messages.flatMap(({ parts }) => parts.flatMap(({ kind, toolCallId, content }) => (kind === "ToolResult" ? [[toolCallId ?? "", content] as const] : []))));

// ---- side effects ---------------------------------------------------------------------------------------------------

/** By turn and call. */
function callsOf(witness: readonly Witnessed[]): ReadonlyMap<string, readonly Call[]> {
  const calls = new Map<string, Call[]>();
  for (const line of witness) {
    if (line.at !== "begin" && line.at !== "end") continue;
    const id = `${line.turn} ${line.call}`;
    calls.set(id, [...(calls.get(id) ?? []), line]);
  }
  return calls;
}

/** At most once without a promise to be repeatable, at least once with one; under one key that nobody else has. */
function effectFaults(runs: ReadonlyMap<string, readonly Call[]>, shown: ReadonlyMap<string, ReadonlyMap<string, string>>): readonly string[] {
  const faults: string[] = [];
  const owners = new Map<string, string>();
  for (const [id, lines] of runs) {
    const begun = lines.filter(({ at }) => at === "begin");
    const [first] = begun;
    const result = first && shown.get(first.turn)?.get(first.call);
    if (result === undefined) faults.push(`${id} ran, and no committed turn has it`);
    if (new Set(lines.map(({ key }) => key)).size !== 1) faults.push(`${id} had several keys`);
    for (const key of new Set(lines.map((line) => line.key))) {
      if (owners.has(key)) faults.push(`${id} had the key of ${owners.get(key)}`);
      owners.set(key, id);
    }
    if (first?.what === "alpha" && begun.length > 1) faults.push(`${id} (alpha) ran ${begun.length} times`);
    if (begun.slice(1).some(({ interrupted }) => !interrupted)) faults.push(`${id} ran again without being told so`);
  }
  for (const [turn, results] of shown) {
    for (const [call, text] of results) {
      const isRefused = text.includes("tool_unavailable") || text.includes("tool_interrupted");
      if (!isRefused && !runs.get(`${turn} ${call}`)?.some(({ at }) => at === "end")) faults.push(`${turn} ${call} answered and never ended`);
    }
  }
  return faults;
}

// ---- children -------------------------------------------------------------------------------------------------------

/** One per turn that delegates; its two turns once each, paid by its parent once, with the plugin's state as its parent had committed it. */
function childFaults({ root, children }: Left): readonly string[] {
  const faults: string[] = [];
  const parents = new Map(root.turns.flatMap((turn) => turn.modelCalls.flatMap(({ child }) => (child ? [[child.sessionId, turn] as const] : []))));
  const delegating = root.turns.filter((turn) => resultsOf(turn).has("c"));
  if (children.length !== delegating.length) faults.push(`${children.length} children for ${delegating.length} calls`);
  for (const { sessionId, turns, counts } of children) {
    const parent = parents.get(sessionId);
    if (!parent) {
      faults.push(`no turn has ${sessionId}`);
      continue;
    }
    const said = turns.map(({ text }) => text);
    if (!same(said, ["re dig", "re more"])) faults.push(`${sessionId} answered ${said.join(", ")}`);
    const used = sumOf(turns.map(({ usage }) => usage));
    const told = sumOf(childrenUsageOf(parent.modelCalls).map(({ usage }) => usage));
    if (told !== used) faults.push(`${parent.turnId} was told that ${sessionId} used ${told}, not ${used}`);
    const own = new Set(turns.map(({ turnId }) => turnId));
    const before = root.turns.filter(({ headRevision }) => headRevision < parent.headRevision).map(({ turnId }) => turnId);
    const inherited = Object.entries(counts).filter(([turnId]) => !own.has(turnId));
    if (!isSubsetOf(inherited, root.counts) || !same(inherited.map(([turnId]) => turnId).sort(), before.sort())) faults.push(`${sessionId} began with the counts of ${inherited.length} turns, not of ${before.length}`);
  }
  const unknown = Object.keys(root.counts).filter((turnId) => !root.turns.some((turn) => turn.turnId === turnId));
  if (unknown.length > 0) faults.push(`the plugin counted turns that are not committed: ${unknown.join()}`);
  const booked = sumOf(root.ledger.flatMap(({ source, usage }) => (source === CHILD_SOURCE ? [usage] : [])));
  const used = sumOf(children.flatMap(({ turns }) => turns.map(({ usage }) => usage)));
  if (booked !== used) faults.push(`the parent booked ${booked} of its children, which used ${used}`);
  const others = root.ledger.filter(({ source }) => source !== "turn" && source !== CHILD_SOURCE);
  if (others.length > 0) faults.push(`the ledger has ${others.map(({ source }) => source).join()}`);
  return faults;
}

const isSubsetOf = (some: readonly (readonly [string, Counts[string]])[], all: Counts): boolean => some.every(([turnId, count]) => JSON.stringify(all[turnId]) === JSON.stringify(count));

// ---- trace ----------------------------------------------------------------------------------------------------------

/** Whole lines but for the last of a life, and pairs within a life; nothing is left open by the last one, which was not killed. */
function traceFaults(trace: Left["trace"], witness: readonly Witnessed[]): readonly string[] {
  const faults: string[] = [];
  const lives = witness.flatMap((line) => (line.at === "life" ? [line.what] : []));
  const records = new Map<string, TraceRecord[]>(lives.map((life) => [life, []]));
  let latest: string | undefined;
  let torn: string | undefined;
  for (const record of trace) {
    if (record === null) {
      torn = latest;
      continue;
    }
    latest = record.context.run_id ?? "";
    if (latest === torn) faults.push(`life ${latest} has a torn line that is not its last`);
    const own = records.get(latest);
    if (own) own.push(record);
    else faults.push(`a record of an unknown life ${latest}`);
  }
  for (const [life, own] of records) {
    const { open, wrong } = pairsOf(own);
    faults.push(...wrong.map((what) => `trace of life ${life}: ${what}`));
    if (life === lives.at(-1)) faults.push(...open.map((what) => `trace of the last life: ${what} is open`));
  }
  return faults;
}

const sumOf = (usages: readonly ({ readonly inputTokens: number } | null)[]): number => usages.reduce((sum, usage) => sum + (usage?.inputTokens ?? 0), 0);
const same = (one: readonly string[], other: readonly string[]): boolean => one.length === other.length && one.every((each, index) => each === other[index]);
