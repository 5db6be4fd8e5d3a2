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
  /** Empty: the claim holds, unless it could not be looked into. */
  readonly problems: readonly string[];
  /** Why the claim could not be looked into. */
  readonly unchecked?: string;
}

export function judge(evidence: Evidence): readonly Check[] {
  return [
    { claim: "every tool that finished ran once", problems: finishedTwice(evidence) },
    { claim: "nothing was booked twice", problems: bookedTwice(evidence) },
    { claim: "the turn ended, and none is left in flight", problems: unfinished(evidence) },
    { claim: "the transcript is whole: question, calls with results, answer", problems: gaps(evidence) },
    modelCalls(evidence),
    kills(evidence),
  ];
}

/** By the name of the call; and by numbers, in case a call was run again under another name. */
function finishedTwice({ witness, messages }: Evidence): readonly string[] {
  const again = new Set<string>();
  const finished = new Map<string, string>();
  for (const { key, tool, what } of witness) {
    if (what === "began" && finished.has(key)) again.add(tool);
    if (what === "finished") finished.set(key, tool);
  }
  const problems = [...again].map((tool) => `${tool} had finished and ran again`);
  for (const tool of new Set(finished.values())) {
    const times = witness.filter((effect) => effect.tool === tool && effect.what === "finished").length;
    const calls = callsOf(tool, messages);
    if (times > calls && !again.has(tool)) problems.push(`${tool} finished ${times} times for ${calls} calls`);
  }
  return problems;
}

function bookedTwice({ witness, messages }: Evidence): readonly string[] {
  const bookings = witness.filter(({ tool, what }) => tool === "book" && what === "did").length;
  const calls = callsOf("book", messages);
  return bookings > calls ? [`${bookings} bookings for ${calls} calls`] : [];
}

const callsOf = (tool: string, messages: readonly Message[]): number =>
  messages.flatMap(({ parts }) => parts).filter(({ kind, toolName }) => kind === "ToolCall" && toolName === tool).length;

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
  if (ended?.outcome === "finished" && prose.join("\n\n") !== ended.text) problems.push("the transcript does not end in the answer");
  return problems;
}

function modelCalls({ server, messages, usage }: Evidence): Check {
  const claim = "every model call was made once and is counted once";
  if (!server) return { claim, problems: [], unchecked: "the endpoint does not tell us what it saw" };
  const replies = messages.filter(({ role }) => role === "Assistant").length;
  const problems: string[] = [];
  if (server.calls !== replies) problems.push(`the server saw ${server.calls} calls for ${replies} replies`);
  if (server.inputTokens !== usage.inputTokens || server.outputTokens !== usage.outputTokens) {
    problems.push(`the server billed ${server.inputTokens} + ${server.outputTokens} tokens, the session counts ${usage.inputTokens} + ${usage.outputTokens}`);
  }
  return { claim, problems };
}

function kills({ kills: { planned, done }, server }: Evidence): Check {
  const claim = `killed ${planned} times, in the middle of a tool`;
  if (done === planned) return { claim, problems: [] };
  // A real model may do without a tool that was to be cut off.
  if (!server) return { claim, problems: [], unchecked: `killed ${done} times: the model went another way` };
  return { claim, problems: [`killed ${done} times only: a tool was over before its kill came`] };
}
