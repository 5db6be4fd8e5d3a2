// Tool calls that are answered from outside: by whom, when, how often, and what the turn makes of it (T-70, E-18..E-23, PT-59..61).

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { pending, tool, type Resolution } from "../../src/index.ts";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import { byAssistantMessages, gate } from "../../src/testing/index.ts";
import { engineCases } from "../support/engines.ts";
import { askingLash, askTool, newAsked, quiet, untilWaiting, whileTimePasses } from "../support/asking.ts";
import { heldLanes, keysOf, rowsOf } from "../support/rows.ts";
import { testLash, transcriptOf } from "../support/lash.ts";

const yes: Resolution = { status: "ok", payload: { approved: true } };

/** A turn that waits for its answer. */
async function waiting(options: Parameters<typeof askingLash>[0] = {}) {
  const host = askingLash(options);
  const session = await host.lash.openSession("s");
  const turn = session.turn("go", { turnId: "t" });
  const result = turn.result;
  result.catch(() => undefined);
  await untilWaiting(host.engine);
  return { ...host, session, turn, result, key: host.asked.keys[0] ?? "" };
}

describe.each(engineCases())("on $name", ({ open }) => {
  test("an answer is the result of its call, and the turn goes on (T-70, PT-59, FA-40)", async () => {
    const { lash, result, key, session, engine, clock, asked } = await waiting({ engine: open() });
    expect(await lash.completions.resolve(key, yes)).toEqual({ status: "accepted" });
    expect(await whileTimePasses(clock, result)).toMatchObject({ text: "done", isSuccess: true, toolCalls: [{ toolName: "ask", status: "success" }] });
    expect(transcriptOf(session)).toEqual(["User: Text go", "Assistant: ToolCall {}", 'User: ToolResult {"approved":true}', "Assistant: Prose done"]);
    expect(asked.keys).toHaveLength(1);
    expect(await heldLanes(engine)).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("the first answer wins; a later one is told what was recorded, also long after the turn ended (E-20, PT-60, FA-40)", async () => {
    const { lash, result, key, clock } = await waiting({ engine: open() });
    await lash.completions.resolve(key, yes);
    const late = { status: "already_resolved", terminal: yes };
    expect(await lash.completions.resolve(key, { status: "ok", payload: "no" })).toEqual(late);
    await whileTimePasses(clock, result);
    expect(await lash.completions.resolve(key, { status: "cancelled" })).toEqual(late);
  });

  test("of two answers at the same moment one is accepted (E-20)", async () => {
    const { lash, key, engine, clock, result } = await waiting({ engine: open() });
    const other = testLash({ engine, clock }).lash;
    const outcomes = await Promise.all([
      lash.completions.resolve(key, { status: "ok", payload: "a" }),
      other.completions.resolve(key, { status: "ok", payload: "b" }),
    ]);
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(["accepted", "already_resolved"]);
    const winner = outcomes[0]?.status === "accepted" ? "a" : "b";
    expect((await whileTimePasses(clock, result)).toolCalls[0]?.output?.outcome.payload).toBe(winner);
  });

  test("an answer that comes before the tool says that it is pending is kept (E-20, PT-60)", async () => {
    const asked = newAsked();
    const taken = gate();
    const eager = tool({
      name: "ask", description: "", input: z.object({}),
      run: async (_args, call) => {
        asked.keys.push(await call.completionKey());
        await taken.pass();
        return pending();
      },
    });
    const host = askingLash({ engine: open(), asked, tools: [eager] });
    const result = (await host.lash.openSession("s")).run("go");
    await taken.reached;
    expect(await host.lash.completions.resolve(asked.keys[0] ?? "", yes)).toEqual({ status: "accepted" });
    taken.open();
    expect(await whileTimePasses(host.clock, result)).toMatchObject({ isSuccess: true, toolCalls: [{ status: "success" }] });
  });

  test("an answer by another process on the same store is found within a second (E-23, OP-9, FA-40)", async () => {
    const { engine, clock, result, key, asked } = await waiting({ engine: open() });
    const answering = testLash({ engine, clock }).lash;
    await clock.advance(60_000);
    expect(await answering.completions.resolve(key, yes)).toEqual({ status: "accepted" });
    const from = clock.now();
    expect(await whileTimePasses(clock, result)).toMatchObject({ isSuccess: true });
    expect(clock.now() - from).toBeLessThanOrEqual(1_000);
    expect(asked.keys).toHaveLength(1);
  });

  test("calls of one reply wait side by side and are answered in any order; results stand in call order (T-52, T-70)", async () => {
    const asked = newAsked();
    const script = byAssistantMessages([{ toolCalls: [{ name: "ask" }, { name: "quick" }, { name: "ask" }] }, "done"]);
    const quick = tool({ name: "quick", description: "", input: z.object({}), run: () => "quick" });
    const host = askingLash({ engine: open(), asked, script, tools: [askTool(asked), quick] });
    const result = (await host.lash.openSession("s")).run("go");
    await untilWaiting(host.engine, 2);
    expect(new Set(asked.keys).size).toBe(2);
    await host.lash.completions.resolve(asked.keys[1] ?? "", { status: "ok", payload: "second" });
    await host.lash.completions.resolve(asked.keys[0] ?? "", { status: "ok", payload: "first" });
    const { toolCalls } = await whileTimePasses(host.clock, result);
    expect(toolCalls.map(({ output }) => output?.outcome.payload)).toEqual(["first", "quick", "second"]);
  });

  test("serial calls wait one after another (T-52, T-70)", async () => {
    const asked = newAsked();
    const script = byAssistantMessages([{ toolCalls: [{ name: "ask" }, { name: "ask" }] }, "done"]);
    const host = askingLash({ engine: open(), asked, script, tools: [askTool(asked, {}, { execution: "serial" })] });
    const result = (await host.lash.openSession("s")).run("go");
    await untilWaiting(host.engine);
    await quiet();
    expect(asked.keys).toHaveLength(1);
    await host.lash.completions.resolve(asked.keys[0] ?? "", yes);
    await untilWaiting(host.engine, 2);
    await host.lash.completions.resolve(asked.keys[1] ?? "", yes);
    expect(await whileTimePasses(host.clock, result)).toMatchObject({ toolCalls: [{ status: "success" }, { status: "success" }] });
  });
});

describe("what an answer means", () => {
  test.each<[string, Resolution, unknown, string]>([
    ["err is a failure of class execution with its code", { status: "err", payload: { code: "too_late", message: "the shop is closed", raw: { shut: 18 } } }, { status: "failure", payload: { class: "execution", code: "too_late", message: "the shop is closed", source: "tool", retry: { type: "never" }, raw: { shut: 18 } } }, "too_late"],
    ["timeout is tool_completion_timeout", { status: "timeout" }, { status: "failure", payload: { class: "timeout", code: "tool_completion_timeout" } }, "tool_completion_timeout"],
    ["cancelled is a cancelled call", { status: "cancelled" }, { status: "cancelled" }, "cancelled"],
    ["null is a success", { status: "ok", payload: null }, { status: "success", payload: null }, "ToolResult null"],
  ])("%s, and the turn goes on (T-70, PT-59)", async (_title, resolution, outcome, shown) => {
    const { lash, key, clock, result, session } = await waiting();
    await lash.completions.resolve(key, resolution);
    const { toolCalls, isSuccess } = await clock.runUntil(result);
    expect(isSuccess).toBe(true);
    expect(toolCalls[0]?.output).toMatchObject({ outcome });
    expect(transcriptOf(session)[2]).toContain(shown);
  });

  test("a tool that is pending without a key has failed with pending_tool_missing_completion_key (T-70, PT-59)", async () => {
    const forgetful = tool({ name: "ask", description: "", input: z.object({}), run: () => pending() });
    const { lash, engine } = askingLash({ tools: [forgetful] });
    const { toolCalls, isSuccess } = await (await lash.openSession("s")).run("go");
    expect(isSuccess).toBe(true);
    expect(toolCalls[0]?.output).toMatchObject({ outcome: { status: "failure", payload: { code: "pending_tool_missing_completion_key" } } });
    expect((await rowsOf(engine)).filter(({ key }) => key[0] === "wait")).toEqual([]);
  });

  test("a key that was taken and not needed leaves no wait behind (PT-59)", async () => {
    const polite = tool({ name: "ask", description: "", input: z.object({}), run: async (_args, call) => (await call.completionKey()).length > 0 && "at once" });
    const { lash, engine } = askingLash({ tools: [polite] });
    expect(await (await lash.openSession("s")).run("go")).toMatchObject({ toolCalls: [{ status: "success" }] });
    expect((await rowsOf(engine)).filter(({ key }) => key[0] === "wait")).toEqual([]);
  });

  test("every take gives the same key (PT-59)", async () => {
    const keys: string[] = [];
    const twice = tool({ name: "ask", description: "", input: z.object({}), run: async (_args, call) => (keys.push(await call.completionKey(), await call.completionKey()), "fine") });
    await (await askingLash({ tools: [twice] }).lash.openSession("s")).run("go");
    expect(keys[0]).toBe(keys[1]);
  });

  test.each<[string, unknown, string]>([
    ["no status", {}, "resolution.status"],
    ["an unknown status", { status: "maybe" }, "resolution.status"],
    ["nothing", undefined, "resolution.status"],
    ["no payload", { status: "ok" }, "resolution.payload"],
    ["a payload that is no JSON", { status: "ok", payload: () => 1 }, "resolution.payload"],
    ["an error without a code", { status: "err", payload: { message: "no" } }, "resolution.payload"],
  ])("an answer with %s is refused naming %s, and the wait stays open (ER-1, design 10)", async (_title, resolution, field) => {
    const { lash, key, clock, result } = await waiting();
    await expect(lash.completions.resolve(key, resolution as Resolution)).rejects.toThrow(field);
    expect(await lash.completions.resolve(key, yes)).toEqual({ status: "accepted" });
    await clock.runUntil(result);
  });

  test("the exact size limit holds for an answer: more than 8 MiB is refused before anything is recorded (OP-17)", async () => {
    const { lash, key } = await waiting();
    await expect(lash.completions.resolve(key, { status: "ok", payload: "x".repeat(9 * 1024 * 1024) })).rejects.toMatchObject({ code: "limit_exceeded" });
    expect(await lash.completions.resolve(key, yes)).toEqual({ status: "accepted" });
  });
});

describe("keys (E-19)", () => {
  test("a key that was tampered with, cut, or made up names nothing (E-19)", async () => {
    const { lash, key } = await waiting();
    const [prefix, body = "", signature = ""] = key.split(".");
    const other = body.endsWith("A") ? "B" : "A";
    const forged = [
      `${prefix}.${body}.${signature.replace(/^./, (digit) => (digit === "0" ? "1" : "0"))}`,
      `${prefix}.${body.slice(0, -1)}${other}.${signature}`,
      `${prefix}.${body}`, `${key}.x`, key.slice(1), "", "lashwk1..", "x".repeat(10_000), `${prefix}.${btoa("[]")}.${signature}`,
    ];
    for (const one of forged) expect(await lash.completions.resolve(one, yes)).toEqual({ status: "unknown_or_revoked" });
    expect(await lash.completions.resolve(key, yes)).toEqual({ status: "accepted" });
  });

  test("a key of another store names nothing here (E-19, OP-13)", async () => {
    const { key } = await waiting();
    expect(await testLash().lash.completions.resolve(key, yes)).toEqual({ status: "unknown_or_revoked" });
  });

  test("with the host's own secret every store of the host understands the key; another secret does not (E-19, OP-13)", async () => {
    const waitSecret = "ab".repeat(32);
    const engine = askingLash().engine;
    const { key, clock } = await waiting({ engine, waitSecret });
    const stranger = testLash({ engine: testLash().engine, clock, waitSecret: "cd".repeat(32) }).lash;
    expect(await stranger.completions.resolve(key, yes)).toEqual({ status: "unknown_or_revoked" });
    expect(await testLash({ engine, clock, waitSecret }).lash.completions.resolve(key, yes)).toEqual({ status: "accepted" });
  });

  test("neither the secret nor a key is in the conversation, the journal, the logs or the inspection (E-19, design 10)", async () => {
    const seen: string[] = [];
    const { key, engine, logged, lash, result, clock } = await waiting({ inspect: (event) => seen.push(JSON.stringify("event" in event ? event.event : "")) });
    const rows = await rowsOf(engine);
    const secret = String(rows.find(({ key }) => key[0] === "secret")?.value);
    expect(secret).toMatch(/^[0-9a-f]{64}$/);
    await lash.completions.resolve(key, yes);
    await clock.runUntil(result);
    const kept = [...rows, ...(await rowsOf(engine))].filter(({ key }) => key[0] !== "secret").map((row) => JSON.stringify(row));
    for (const text of [...kept, ...seen, JSON.stringify(logged)]) {
      expect(text.includes(key)).toBe(false);
      expect(text.includes(secret)).toBe(false);
    }
  });
});

describe("time (E-21, PT-61)", () => {
  test("a wait that nobody answers in time is tool_completion_timeout for the model, and a late answer is told so (E-21, T-70)", async () => {
    const { clock, result, key, lash } = await waiting({ pending: { timeoutMs: 5_000 } });
    const ended = await clock.runUntil(result);
    expect(clock.now()).toBe(6_000);
    expect(ended).toMatchObject({ isSuccess: true, toolCalls: [{ output: { outcome: { payload: { code: "tool_completion_timeout", class: "timeout" } } } }] });
    expect(await lash.completions.resolve(key, yes)).toEqual({ status: "already_resolved", terminal: { status: "timeout" } });
  });

  test("with onTimeout fail_turn the turn stops as tool_failure and calls no model again (PT-61, T-71, design 7.9)", async () => {
    const { clock, result, provider, session } = await waiting({ pending: { timeoutMs: 5_000, onTimeout: "fail_turn" } });
    const ended = await clock.runUntil(result);
    expect(ended).toMatchObject({ isSuccess: false, outcome: { kind: "stopped", stop: "tool_failure" } });
    expect(provider.requests).toHaveLength(1);
    expect(transcriptOf(session)[2]).toContain("tool_completion_timeout");
    expect(await clock.runUntil(session.run("and now?"))).toMatchObject({ isSuccess: true });
  });

  test("an answer just in time wins over the timeout (E-20, E-21)", async () => {
    const { clock, result, key, lash } = await waiting({ pending: { timeoutMs: 5_000, onTimeout: "fail_turn" } });
    await clock.advance(4_999);
    expect(await lash.completions.resolve(key, yes)).toEqual({ status: "accepted" });
    expect(await clock.runUntil(result)).toMatchObject({ isSuccess: true, toolCalls: [{ status: "success" }] });
  });

  test.each([-1, 1.5, Number.NaN, Infinity, "soon"])("pending({ timeoutMs: %s }) is refused by name (design 10)", (timeoutMs) => {
    expect(() => pending({ timeoutMs: timeoutMs as number })).toThrow("timeoutMs");
  });

  test("pending refuses options it does not know (design 10)", () => {
    expect(() => pending({ onTimeout: "explode" as never })).toThrow("onTimeout");
    expect(() => pending({ onCancel: "explode" as never })).toThrow("onCancel");
    expect(() => pending({ timeout: 5 } as never)).toThrow("timeout");
  });
});

describe("while it waits", () => {
  test("while it waits nothing is committed, and it is the session's active turn (E-23, T-70)", async () => {
    const { session, engine, clock } = await waiting();
    expect(session.observe().readView.messages).toEqual([]);
    // Longer than a lease lives without renewal.
    await clock.advance(120_000);
    expect(await heldLanes(engine)).toEqual(["s"]);
    const other = testLash({ engine, clock });
    await expect((await other.lash.openSession("s")).run("me, too", { wait: false })).rejects.toMatchObject({ code: "session_execution_busy" });
  });
});

describe("cancelling while it waits (E-21, T-63, PT-61)", () => {
  test("the wait is resolved as cancelled, the turn ends as cancelled, a late answer is told so (E-21, T-63, T-64)", async () => {
    const { turn, result, clock, lash, key, session, engine, asked } = await waiting();
    turn.cancel();
    expect(await clock.runUntil(result)).toMatchObject({ outcome: { kind: "stopped", stop: "cancelled" }, toolCalls: [{ status: "cancelled" }] });
    expect(await lash.completions.resolve(key, yes)).toEqual({ status: "already_resolved", terminal: { status: "cancelled" } });
    expect(asked.calledOff).toEqual([]);
    expect(await heldLanes(engine)).toEqual([]);
    expect((await keysOf(engine)).filter((key) => key.startsWith('["turn"'))).toEqual([]);
    expect(await clock.runUntil(session.run("and now?"))).toMatchObject({ isSuccess: true });
    expect(clock.pendingTimers).toBe(0);
  });

  test("with onCancel cancel_external_work the tool is told (PT-61, T-71, design 7.9)", async () => {
    const { turn, result, clock, asked } = await waiting({ pending: { onCancel: "cancel_external_work" } });
    turn.cancel();
    await clock.runUntil(result);
    expect(asked.calledOff).toEqual([{}]);
  });

  test("a tool that fails to call its work off is logged, and the turn is cancelled all the same (PT-61, FA-78)", async () => {
    const asked = newAsked();
    const stubborn = { ...askTool(asked, { onCancel: "cancel_external_work" }), cancel: () => { throw new Error("no"); } };
    const { turn, result, clock, logged } = await waiting({ asked, tools: [stubborn] });
    turn.cancel();
    expect(await clock.runUntil(result)).toMatchObject({ outcome: { stop: "cancelled" } });
    expect(logged).toMatchObject([{ event: "tool.cancel_failed" }]);
  });

  test("an answer that was there first stays the result of its call; the turn is cancelled all the same (E-20, E-46)", async () => {
    const { turn, result, clock, lash, key } = await waiting();
    await lash.completions.resolve(key, yes);
    turn.cancel();
    expect(await clock.runUntil(result)).toMatchObject({ outcome: { stop: "cancelled" }, toolCalls: [{ status: "success" }] });
  });

  test("cancelRunningTurns reaches a turn that waits (S-47, T-62, FA-27)", async () => {
    const { session, result, clock } = await waiting();
    expect(session.cancelRunningTurns()).toBe(1);
    expect(await clock.runUntil(result)).toMatchObject({ outcome: { stop: "cancelled" } });
    expect(session.cancelRunningTurns()).toBe(0);
  });

  test.each(["journaled", "inline"] as const)("waits that are revoked in the store fail their calls, which says so to the model, and the turn goes on (%s) (E-22, PT-59)", async (effects) => {
    const { lash, result, clock, key, engine, provider } = await waiting({ effects });
    await createPersistence(engine, { clock }).waits.revoke("s");
    const failure = { class: "internal", code: "pending_tool_completion_failed", message: "await_event_unknown_or_revoked: the wait of this call was revoked" };
    expect(await whileTimePasses(clock, result)).toMatchObject({ text: "done", isSuccess: true, toolCalls: [{ status: "failure", output: { outcome: { payload: failure } } }] });
    expect(provider.requests[1]?.messages.at(-1)?.blocks).toMatchObject([{ type: "toolResult", content: expect.stringContaining("was revoked"), isError: true }]);
    expect(await lash.completions.resolve(key, yes)).toEqual({ status: "unknown_or_revoked" });
  });

  test("deleting the session revokes its waits: no answer is taken any more, the turn cannot commit, the id is retired (E-22, S-84, design 7.7)", async () => {
    const { lash, result, clock, key, engine } = await waiting();
    expect(await lash.deleteSession("s")).toEqual({ sessionId: "s", existed: true });
    expect(await lash.completions.resolve(key, yes)).toEqual({ status: "unknown_or_revoked" });
    await expect(clock.runUntil(result)).rejects.toMatchObject({ family: "runtime" });
    await expect(lash.openSession("s")).rejects.toMatchObject({ code: "session_id_retired" });
    expect((await keysOf(engine)).filter((row) => row.startsWith('["wait",') || row.startsWith('["turn"'))).toEqual([]);
  });
});
