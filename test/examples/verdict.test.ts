import { describe, expect, test } from "vitest";
import { judge, type Evidence } from "../../examples/agent-host/verdict.ts";
import type { SideEffect } from "../../examples/agent-host/witness.ts";
import { createMessage, type Message, type PartDraft } from "../../src/domain/messages.ts";
import { zeroUsage } from "../../src/domain/usage.ts";

const call = (toolName: string, toolCallId: string): PartDraft => ({ kind: "ToolCall", content: "{}", toolName, toolCallId });
const result = (toolName: string, toolCallId: string): PartDraft => ({ kind: "ToolResult", content: "{}", toolName, toolCallId });

const messages: readonly Message[] = [
  createMessage("m0", "User", [{ kind: "Text", content: "Book me a room." }]),
  createMessage("m1", "Assistant", [call("forecast", "c1"), call("book", "c2")]),
  createMessage("m2", "User", [result("forecast", "c1"), result("book", "c2")]),
  createMessage("m3", "Assistant", [{ kind: "Prose", content: "Done." }]),
];

const effect = (pid: number, tool: string, what: SideEffect["what"], note = "", key = `${tool}-key`): SideEffect => ({ atMs: 0, pid, tool, key, what, note });

const witness: readonly SideEffect[] = [
  effect(1, "forecast", "began"),
  effect(1, "forecast", "finished"),
  effect(1, "book", "began"),
  effect(1, "book", "did", "booked Hotel Fjord"),
  effect(2, "book", "probed", "the hotel has the booking"),
];

const sound: Evidence = {
  question: "Book me a room.",
  witness,
  messages,
  usage: { ...zeroUsage, inputTokens: 30, outputTokens: 5 },
  turnsInFlight: 0,
  ended: { outcome: "finished", text: "Done." },
  server: { calls: 2, inputTokens: 30, outputTokens: 5 },
  kills: { planned: 1, done: 1 },
};

const problemsOf = (change: Partial<Evidence>): readonly string[] => judge({ ...sound, ...change }).flatMap(({ problems }) => problems);

describe("verdict of the main job", () => {
  test("sound evidence has no problems", () => {
    expect(problemsOf({})).toEqual([]);
  });

  test("a finished tool that began again is a problem", () => {
    expect(problemsOf({ witness: [...witness, effect(2, "forecast", "began")] })).toEqual(["forecast had finished and ran again"]);
  });

  test("a tool that finished more often than it was called is a problem too", () => {
    expect(problemsOf({ witness: [...witness, effect(2, "forecast", "finished", "", "other-key")] })).toEqual(["forecast finished 2 times for 1 calls"]);
  });

  test("a tool that was cut off may begin again", () => {
    const cutOff = [effect(1, "forecast", "began"), effect(2, "forecast", "began"), effect(2, "forecast", "finished")];
    expect(problemsOf({ witness: cutOff })).toEqual([]);
  });

  test("a second booking is a problem", () => {
    expect(problemsOf({ witness: [...witness, effect(2, "book", "did", "booked Hotel Fjord", "other-key")] })).toEqual(["2 bookings for 1 calls"]);
  });

  test("a lost result, question or answer is a problem", () => {
    const lacking = (id: string): readonly Message[] => messages.filter((message) => message.id !== id);
    expect(problemsOf({ messages: lacking("m2") })).toEqual(["a call of forecast has 0 results", "a call of book has 0 results"]);
    expect(problemsOf({ messages: lacking("m0") })).toEqual(["the question is there 0 times"]);
    expect(problemsOf({ messages: lacking("m3"), server: undefined })).toEqual(["the transcript does not end in the answer"]);
  });

  test("a tool that ran behind the transcript's back is a problem", () => {
    expect(problemsOf({ witness: [...witness, effect(1, "rooms", "began")] })).toEqual(["rooms ran, and the transcript does not know of it"]);
  });

  test("a model call made twice, or counted twice, is a problem", () => {
    expect(problemsOf({ server: { calls: 3, inputTokens: 30, outputTokens: 5 } })).toEqual(["the server saw 3 calls for 2 replies"]);
    expect(problemsOf({ usage: { ...zeroUsage, inputTokens: 60, outputTokens: 5 } })).toEqual([
      "the server billed 30 + 5 tokens, the session counts 60 + 5",
    ]);
  });

  test("a turn that did not end, ended badly or is still in flight is a problem", () => {
    expect(problemsOf({ ended: undefined })).toEqual(["no process brought the turn to its end"]);
    expect(problemsOf({ ended: { outcome: "stopped: cancelled", text: "Done." } })).toEqual(["the turn ended as stopped: cancelled"]);
    expect(problemsOf({ turnsInFlight: 1 })).toEqual(["1 turn is still in flight"]);
  });

  test("a kill that came too late proves nothing", () => {
    expect(problemsOf({ kills: { planned: 2, done: 1 } })).toEqual(["killed 1 times only: a tool was over before its kill came"]);
  });

  test("what an endpoint of somebody else's does not show is said to be unchecked, not to hold", () => {
    const checks = judge({ ...sound, server: undefined, kills: { planned: 2, done: 0 } });
    expect(checks.map(({ unchecked }) => unchecked).filter((why) => why !== undefined)).toEqual([
      "the endpoint does not tell us what it saw",
      "killed 0 times: the model went another way",
    ]);
  });
});
