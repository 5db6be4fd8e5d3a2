// The `batch` tool: several calls in one, each journaled on its own (T-35, PP-42, OP-5).

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { batchTool, finishTurn, pending, tool, type Tool } from "../../src/index.ts";
import { byAssistantMessages, gate } from "../../src/testing/index.ts";
import { crashEverywhere } from "../support/crash-sweep.ts";
import { engineCases } from "../support/engines.ts";
import { activitiesOf, testLash, transcriptOf } from "../support/lash.ts";
import { heldLanes } from "../support/rows.ts";

const input = z.object({});
const plain = (name: string, run: () => unknown = () => `${name} did it`): Tool => tool({ name, description: "", input, run });
const entries = (...names: readonly string[]) => names.map((name) => ({ tool: name, parameters: {} }));
const asking = (tool_calls: unknown) => byAssistantMessages([{ toolCalls: [{ name: "batch", callId: "b", args: { tool_calls } }] }, "done"]);

/** What the model was told about the entries of the one batch. */
async function batched(tools: readonly Tool[], tool_calls: unknown) {
  const host = testLash({ script: asking(tool_calls), tools: [...tools, batchTool()] });
  const session = await host.lash.openSession("s");
  const result = await session.run("go", { turnId: "t" });
  const [block] = host.provider.requests[1]?.messages.at(-1)?.blocks ?? [];
  const { shownBytes } = session.observe().readView.messages.flatMap(({ parts }) => parts).find(({ kind }) => kind === "ToolResult") ?? {};
  // What is shown in part is no JSON any more; the record has all of it.
  const told = shownBytes !== undefined ? (result.toolCalls[0]?.output?.outcome.payload as never as { results: readonly Record<string, unknown>[] }) : block?.type === "toolResult" ? (JSON.parse(block.content) as { results: readonly Record<string, unknown>[] }) : { results: [] };
  return { ...host, session, result, told };
}

describe("batch", () => {
  test("its parallel calls run together, then its serial ones in order; results come in index order (T-35, PP-42, T-52)", async () => {
    const events: string[] = [];
    const looked = gate();
    const { told, result } = await batched(
      [
        tool({ name: "write", description: "", input: z.object({ text: z.string() }), execution: "serial", run: ({ text }) => (events.push(`write ${text}`), text) }),
        plain("slow", async () => (await looked.reached, events.push("slow"), looked.open(), { ok: true })),
        plain("quick", async () => (await looked.pass(), events.push("quick"), "seen")),
      ],
      [{ tool: "write", parameters: { text: "1" } }, ...entries("slow", "quick"), { tool: "write", parameters: { text: "2" } }],
    );
    expect(events).toEqual(["slow", "quick", "write 1", "write 2"]);
    expect(told.results).toEqual([
      { index: 0, tool: "write", success: true, duration_ms: 0, result: "1" },
      { index: 1, tool: "slow", success: true, duration_ms: 0, result: { ok: true } },
      { index: 2, tool: "quick", success: true, duration_ms: 0, result: "seen" },
      { index: 3, tool: "write", success: true, duration_ms: 0, result: "2" },
    ]);
    expect(result).toMatchObject({ text: "done", toolCalls: [{ callId: "b", toolName: "batch", status: "success" }] });
  });

  test("each call is announced and completed once under its own id, with the batch as its parent (PP-42)", async () => {
    const { lash } = testLash({ script: asking(entries("one", "two")), tools: [plain("one"), plain("two"), batchTool()] });
    const seen = await activitiesOf((await lash.openSession("s")).turn("go"));
    const calls = seen.flatMap((activity) => (activity.type === "tool_call_started" || activity.type === "tool_call_completed" ? [`${activity.type.slice(10)} ${activity.callId} of ${activity.parentCallId ?? "the reply"}`] : []));
    expect(calls.toSorted()).toEqual([
      "completed b of the reply", "completed b:00 of b", "completed b:01 of b",
      "started b of the reply", "started b:00 of b", "started b:01 of b",
    ]);
    expect([calls[0], calls.at(-1)]).toEqual(["started b of the reply", "completed b of the reply"]);
  });

  test("an entry that cannot run fails alone: unknown, nested, wrong arguments, no name, past the 25th (T-35, PP-42)", async () => {
    let runs = 0;
    const { told } = await batched(
      [plain("count", () => ++runs), tool({ name: "strict", description: "", input: z.object({ n: z.number() }), run: ({ n }) => n })],
      [...entries("nobody", "batch", "strict"), { parameters: {} }, "text", { tool: "strict", parameters: { n: 1 } }, ...entries(...Array.from({ length: 20 }, () => "count"))],
    );
    const codes = told.results.map(({ success, error }) => (success === true ? "ok" : (error as { code: string }).code));
    expect(codes).toEqual(["tool_unavailable", "batch_nested", "invalid_tool_args", "tool_unavailable", "tool_unavailable", "ok", ...Array.from({ length: 19 }, () => "ok"), "batch_too_long"]);
    expect(runs).toBe(19);
  });

  test.each([["no list", {}], ["an empty list", []], ["a text", "count"]])("a batch with %s instead of calls is refused, and the turn goes on (T-51)", async (_title, calls) => {
    const { result } = await batched([plain("count")], calls);
    expect(result).toMatchObject({ text: "done", toolCalls: [{ output: { outcome: { status: "failure", payload: { class: "invalid_request", code: "invalid_tool_args" } } } }] });
  });

  test("what a call asks of the turn is heard (T-31)", async () => {
    const { result, provider } = await batched([plain("look"), plain("end", () => finishTurn({ total: 3 }))], entries("look", "end"));
    expect(result.outcome).toMatchObject({ finish: "tool_value", value: { total: 3 } });
    expect(provider.requests).toHaveLength(1);
  });

  test("results that are too large together are cut where they no longer fit, and none of their calls is told as failed (ME-8, OP-17)", async () => {
    const { told } = await batched([plain("big", () => "x".repeat(5 * 1024 * 1024)), plain("small")], entries("big", "big", "small"));
    expect(told.results).toMatchObject([{ success: true, result: "x".repeat(5 * 1024 * 1024) }, { success: true, result: expect.stringMatching(/^x{1000000,}\[cut: \d+ more characters\]$/) }, { success: true, result: "small did it" }]);
  });

  test("a call that waits for an answer from outside holds up its batch only (T-70)", async () => {
    const asked = Promise.withResolvers<string>();
    const approve = tool({ name: "approve", description: "", input, run: async (_, call) => (asked.resolve(await call.completionKey()), pending()) });
    const { lash } = testLash({ script: asking(entries("look", "approve")), tools: [plain("look"), approve, batchTool()] });
    const turn = (await lash.openSession("s")).turn("go");
    const ended = turn.result;
    await lash.completions.resolve(await asked.promise, { status: "ok", payload: "yes" });
    const { toolCalls } = await ended;
    expect(toolCalls).toMatchObject([{ output: { outcome: { payload: { results: [{ result: "look did it" }, { result: "yes" }] } } } }]);
  });

  test.each(engineCases())("dying at any engine call on $name, a batch ends whole: no call with an outcome runs again, one that changes the world never (OP-5, OP-3, E-45)", { timeout: 60_000 }, async ({ open }) => {
    const script = byAssistantMessages([{ toolCalls: [{ name: "batch", callId: "b", args: { tool_calls: entries("look", "change", "last") } }, { name: "look" }] }, { toolCalls: [{ name: "look" }] }, "done"]);
    interface World { readonly runs: string[] }
    const tools = ({ runs }: World): readonly Tool[] => [
      tool({ name: "look", description: "", input, readOnly: true, run: () => (runs.push("look"), "seen") }),
      tool({ name: "change", description: "", input, run: () => (runs.push("change"), "changed") }),
      tool({ name: "last", description: "", input, execution: "serial", run: () => (runs.push("last"), "written") }),
      batchTool(),
    ];
    const deaths = await crashEverywhere<World>({
      open,
      world: () => ({ runs: [] }),
      job: async (process, clock, world) => {
        const { lash } = testLash({ engine: process.engine, clock, script, tools: tools(world) });
        await (await lash.openSession("s")).run("go", { turnId: "t" });
        await lash.close();
      },
      check: async (disk, clock, world) => {
        const { lash } = testLash({ engine: disk, clock, script, tools: tools(world) });
        await lash.recover();
        const session = await lash.openSession("s");
        const result = await session.run("go", { turnId: "t" });
        expect(result).toMatchObject({ text: "done", toolCalls: [{ toolName: "batch", status: "success" }, { toolName: "look" }, { toolName: "look" }] });
        const told = session.observe().readView.messages[2]?.parts[0]?.content ?? "";
        const { results } = JSON.parse(told) as { results: readonly { result?: string; error?: { code: string } }[] };
        expect(results.map(({ result: given, error }) => given ?? error?.code)).toEqual(["seen", expect.toBeOneOf(["changed", "tool_interrupted"]), expect.toBeOneOf(["written", "tool_interrupted"])]);
        for (const name of ["change", "last"]) expect(world.runs.filter((run) => run === name).length).toBeLessThanOrEqual(1);
        expect(transcriptOf(session)).toHaveLength(6);
        expect(await heldLanes(disk)).toEqual([]);
        await lash.close();
      },
    });
    expect(deaths).toBeGreaterThan(20);
  });

  test("a lash without it offers no such tool (T-35)", async () => {
    const { lash } = testLash({ script: asking(entries("look")), tools: [plain("look")] });
    const { toolCalls } = await (await lash.openSession("s")).run("go");
    expect(toolCalls).toMatchObject([{ output: { outcome: { payload: { code: "tool_unavailable" } } } }]);
  });
});
