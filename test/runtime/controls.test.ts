// Tools that end their turn, and turns that cannot go on: by control, by exhaustion (T-31, PT-57, OP-6).

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { failTurn, finishTurn, tool, type Tool } from "../../src/index.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { byAssistantMessages, gate, manualClock } from "../../src/testing/index.ts";
import { Mortal } from "../support/mortal.ts";
import { testLash, transcriptOf } from "../support/lash.ts";
import { heldLanes, keysOf } from "../support/rows.ts";

const giving = (name: string, run: () => unknown): Tool => tool({ name, description: "", input: z.object({}), run });

async function called(...tools: readonly Tool[]) {
  const host = testLash({ script: byAssistantMessages([{ toolCalls: tools.map(({ name }) => ({ name })) }, "went on"]), tools });
  const session = await host.lash.openSession("s");
  return { ...host, session, result: await session.run("go", { turnId: "t" }) };
}

describe("controls", () => {
  test("finishTurn ends the turn with its value, which is the text, too; no further model call (T-31, PT-57, T-59)", async () => {
    const { result, provider } = await called(giving("end", () => finishTurn({ total: 3 })));
    expect(result).toMatchObject({ isSuccess: true, outcome: { kind: "finished", finish: "tool_value", toolName: "end", value: { total: 3 } } });
    expect(JSON.parse(result.text)).toEqual({ total: 3 });
    expect(provider.requests).toHaveLength(1);
  });

  test("failTurn stops it as tool_error with its value (T-31, PT-57)", async () => {
    const { result, session } = await called(giving("end", () => failTurn("no stock")));
    expect(result).toMatchObject({ isSuccess: false, outcome: { kind: "stopped", stop: "tool_error", toolName: "end", value: "no stock" } });
    expect(await session.run("and now?")).toMatchObject({ text: "went on" });
  });

  test("of several controls the first in call order counts; all results are in the history (T-31, PT-57)", async () => {
    const { result, session } = await called(giving("plain", () => "x"), giving("first", () => finishTurn(1)), giving("second", () => failTurn(2)));
    expect(result.outcome).toMatchObject({ finish: "tool_value", toolName: "first", value: 1 });
    expect(transcriptOf(session).at(-1)?.split("ToolResult")).toHaveLength(4);
  });

  test("a value that is no JSON is told as well as possible, and ends the turn all the same (ME-8, PT-57)", async () => {
    const { result } = await called(giving("end", () => finishTurn(10n as never)));
    expect(result).toMatchObject({ text: "10", outcome: { finish: "tool_value", value: "10" }, toolCalls: [{ status: "success" }] });
  });

  test("a turn that a control ended gives the same result when asked for again (E-29, design 7.2)", async () => {
    const { session, result } = await called(giving("end", () => finishTurn([1])));
    expect(await session.run("go", { turnId: "t" })).toMatchObject({ outcome: result.outcome, text: result.text });
  });
});

describe("exhaustion (OP-6)", () => {
  test.each([0, 2, 5])("with maxRecoveries %i a turn whose recovery dies each time ends as runtime_error after that many; what it did is kept (OP-6)", async (maxRecoveries) => {
    const engine = memoryEngine();
    const clock = manualClock(1_000);
    const script = byAssistantMessages([{ text: "Trying.", toolCalls: [{ name: "deadly" }] }, "never"]);
    let deaths = 0;
    let last: unknown;
    for (; deaths < 10 && last === undefined; deaths++) {
      const begun = gate();
      const process = new Mortal(engine);
      const deadly = tool({ name: "deadly", description: "", input: z.object({}), readOnly: true, run: () => begun.pass() });
      const { lash } = testLash({ engine: process.engine, clock, script, tools: [deadly], maxRecoveries });
      const session = await lash.openSession("s");
      const result = session.run("go", { turnId: "t" });
      last = await Promise.race([result, begun.reached]);
      process.kill();
      await clock.advance(31_000);
    }
    expect(deaths).toBe(maxRecoveries + 2);
    expect(last).toMatchObject({ outcome: { kind: "stopped", stop: "runtime_error" }, text: "Trying.", usage: { inputTokens: 10 } });
    expect((last as { errors: readonly unknown[] }).errors).toContainEqual(expect.objectContaining({ code: "turn_recovery_exhausted", retryable: false }));
    expect(await heldLanes(engine)).toEqual([]);
    expect((await keysOf(engine)).filter((key) => key.startsWith('["turn"'))).toEqual([]);
    const after = testLash({ engine, clock, script: ["better"] });
    expect(await (await after.lash.openSession("s")).run("again")).toMatchObject({ text: "better" });
  });
});
