// The verdict: what the file of side effects, the store and the model server say, held against each other. Pure.

// An app writes `from "lash-runtime"`.
import type { Message, TokenUsage } from "../../src/index.ts";
import type { SideEffect } from "./witness.ts";

export interface Evidence {
  readonly question: string;
  readonly witness: readonly SideEffect[];
  /** Read from the store by a process that ran nothing. */
  readonly messages: readonly Message[];
  readonly usage: TokenUsage;
  readonly turnsInFlight: number;
  readonly ended: { readonly outcome: string; readonly text: string } | undefined;
  /** What the scripted server saw; undefined for endpoints that we cannot look into. */
  readonly server: { readonly calls: number; readonly inputTokens: number; readonly outputTokens: number } | undefined;
  readonly kills: { readonly planned: number; readonly done: number };
}

export interface Check {
  readonly claim: string;
  /** Empty: the claim holds. */
  readonly problems: readonly string[];
}

export function judge(evidence: Evidence): readonly Check[] {
  return [
    { claim: "every tool that finished ran once", problems: finishedTwice(evidence.witness) },
    { claim: "nothing was booked twice", problems: didTwice(evidence.witness) },
    { claim: "the turn ended, and none is left in flight", problems: unfinished(evidence) },
    { claim: "the transcript is whole: question, calls with results, answer", problems: gaps(evidence) },
    { claim: "every model call was made once and is counted once", problems: miscounted(evidence) },
    { claim: `killed ${evidence.kills.planned} times, in the middle of a tool`, problems: missedKills(evidence) },
  ];
}

function finishedTwice(witness: readonly SideEffect[]): readonly string[] {
  const finished = new Set<string>();
  const problems: string[] = [];
  for (const { key, tool, what } of witness) {
    const call = callOf({ key, tool }, witness);
    if (what === "began" && finished.has(call)) problems.push(`${tool} had finished and ran again`);
    if (what === "finished") finished.add(call);
  }
  return problems;
}

/** A tool that changes the world does so once, whatever its calls are named. */
function didTwice(witness: readonly SideEffect[]): readonly string[] {
  const bookings = witness.filter(({ tool, what }) => tool === "book" && what === "did");
  const notes = bookings.map(({ note }) => note);
  return notes.filter((note, index) => notes.indexOf(note) < index).map((note) => `${note} more than once`);
}

function unfinished({ ended, turnsInFlight }: Evidence): readonly string[] {
  const problems: string[] = [];
  if (!ended) problems.push("no process brought the turn to its end");
  else if (ended.outcome !== "finished") problems.push(`the turn ended as ${ended.outcome}`);
  if (turnsInFlight > 0) problems.push(`${turnsInFlight} turn is still in flight`);
  return problems;
}

function gaps({ question, messages, ended, witness }: Evidence): readonly string[] {
  const problems: string[] = [];
  const parts = messages.flatMap((message) => message.parts);
  const questions = parts.filter(({ kind, content }) => kind === "Text" && content === question).length;
  if (questions !== 1) problems.push(`the question is there ${questions} times`);
  const calls = parts.filter(({ kind }) => kind === "ToolCall");
  const results = parts.filter(({ kind }) => kind === "ToolResult");
  for (const { toolCallId, toolName = "?" } of calls) {
    const answers = results.filter((result) => result.toolCallId === toolCallId).length;
    if (answers !== 1) problems.push(`a call of ${toolName} has ${answers} results`);
  }
  for (const tool of new Set(witness.map((effect) => effect.tool))) {
    if (!calls.some(({ toolName }) => toolName === tool)) problems.push(`${tool} ran, and the transcript does not know of it`);
  }
  const prose = (messages.at(-1)?.parts ?? []).filter(({ kind }) => kind === "Prose" || kind === "Text").map(({ content }) => content.trim());
  if (ended && prose.join("\n\n") !== ended.text) problems.push("the transcript does not end in the answer");
  return problems;
}

function miscounted({ server, messages, usage }: Evidence): readonly string[] {
  if (!server) return [];
  const replies = messages.filter(({ role }) => role === "Assistant").length;
  const problems: string[] = [];
  if (server.calls !== replies) problems.push(`the server saw ${server.calls} calls for ${replies} replies`);
  if (server.inputTokens !== usage.inputTokens || server.outputTokens !== usage.outputTokens) {
    problems.push(`the server billed ${server.inputTokens} + ${server.outputTokens} tokens, the session counts ${usage.inputTokens} + ${usage.outputTokens}`);
  }
  return problems;
}

/** A real model may do without a tool that we meant to interrupt. */
function missedKills({ kills, server }: Evidence): readonly string[] {
  return server && kills.done < kills.planned ? [`killed ${kills.done} times only: a tool was over before its kill came`] : [];
}

/** A call by its tool and its place among the tool's calls of one run, so that a rerun under a new key is seen as one too. */
function callOf({ key, tool }: Pick<SideEffect, "key" | "tool">, witness: readonly SideEffect[]): string {
  const pidOf = witness.find((effect) => effect.key === key)?.pid;
  const keys = [...new Set(witness.filter((effect) => effect.tool === tool && effect.pid === pidOf).map((effect) => effect.key))];
  return `${tool} ${keys.indexOf(key)}`;
}
