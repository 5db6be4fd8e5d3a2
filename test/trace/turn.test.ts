// What a trace tells of a turn, and what it costs the turn: nothing.

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { batchTool, createLash, tool, withImages, type LogRecord, type Tool } from "../../src/index.ts";
import type { Provider } from "../../src/index.ts";
import { summarize } from "../../src/compaction.ts";
import { byAssistantMessages, manualClock } from "../../src/testing/index.ts";
import { memoryTrace, teeTrace, traceSink, type TraceRecord, type TraceSink } from "../../src/trace/index.ts";
import { layered } from "../../src/trace/context.ts";
import { activitiesOf, testLash, transcriptOf, type TestLashOptions } from "../support/lash.ts";
import { png } from "../support/pictures.ts";
import { ofType, outlineOf, pairsOf } from "../support/trace-pairs.ts";

const input = z.object({});
const look: Tool = tool({ name: "look", description: "looks", input, readOnly: true, run: () => "seen" });
const asks = byAssistantMessages([{ text: "hm", toolCalls: [{ name: "look", callId: "a" }, { name: "nobody", callId: "a" }, { name: "batch", callId: "b", args: { tool_calls: [{ tool: "look", parameters: {} }] } }] }, "done"]);

/** One turn of a traced session. */
async function traced(options: TestLashOptions = {}, level: "standard" | "extended" = "standard") {
  const sink = memoryTrace();
  const host = testLash({ script: asks, tools: [look, batchTool()], trace: { sink, level, context: { run_id: "r" } }, ...options });
  const session = await host.lash.openSession("s");
  const result = await session.run("go", { turnId: "t" });
  return { ...host, session, result, records: sink.records };
}

describe("records", () => {
  test("TR-3 TR-4 TR-12 S-64 a turn is told from its start to its end: every call, refused ones and those of a batch, is one pair", async () => {
    const { records } = await traced();
    expect(pairsOf(records)).toEqual({ open: [], wrong: [] });
    expect(outlineOf(records)).toEqual([
      "session_started",
      "turn_started",
      "session_execution_lease.acquired",
      "prompt_built",
      "model_limits.unknown",
      "llm_call_started",
      "llm_call_completed",
      "token_usage",
      "tool_call_started b",
      "tool_call_started a",
      "tool_call_started a",
      "tool_call_started b:00",
      "tool_call_completed a failure",
      "tool_call_completed b:00 success",
      "tool_call_completed b success",
      "tool_call_completed a success",
      "llm_call_started",
      "llm_call_completed",
      "token_usage",
      "session_execution_lease.released",
      "turn_completed completed assistant_message",
    ]);
    expect(ofType(records, "tool_call_completed").map(({ parent_call_id, result }) => [parent_call_id, result])).toMatchObject([
      [undefined, { code: "tool_unavailable" }],
      ["b", "seen"],
      [undefined, { results: [{ tool: "look", success: true }] }],
      [undefined, "seen"],
    ]);
  });

  test("TR-5 the context of a record is layered: host, session, turn, iteration, call; the inner one wins, metadata merges", async () => {
    const sink = memoryTrace();
    const { lash, clock } = testLash({ trace: { sink, context: { run_id: "r", turn_id: "theirs", metadata: { app: "x" } } } });
    await (await lash.openSession("s")).run("go", { turnId: "t" });
    const call = ofType(sink.records, "llm_call_completed")[0];
    expect(call?.context).toEqual({ run_id: "r", session_id: "s", turn_id: "t", turn_index: 0, protocol_iteration: 0, effect_id: "1", llm_call_id: expect.any(String), metadata: { app: "x" } });
    expect(call).toMatchObject({ schema_version: 2, id: expect.any(String), timestamp: new Date(clock.now()).toISOString() });
    expect(new Set(sink.records.map(({ id }) => id)).size).toBe(sink.records.length);
    expect(layered({ run_id: "r", metadata: { a: 1, b: 1 } }, { run_id: "s", metadata: { b: 2 } })).toEqual({ run_id: "s", metadata: { a: 1, b: 2 } });
    expect(sink.records[0]?.context).toEqual({ run_id: "r", turn_id: "theirs", session_id: "s", metadata: { app: "x" } });
  });

  test("T-21 each model call says its iteration, how many messages it was sent, and its tools, before it is made", async () => {
    const sink = memoryTrace();
    const seen: number[] = [];
    await traced({ trace: { sink }, script: (request, index) => (seen.push(ofType(sink.records, "llm_call_started").length), index === 0 ? { toolCalls: [{ name: "look" }] } : `${request.messages.length}`) });
    expect(seen).toEqual([1, 2]);
    expect(ofType(sink.records, "llm_call_started").map(({ context, request }) => [context.protocol_iteration, request.message_count, request.tool_names])).toEqual([[0, 1, "look,batch"], [1, 3, "look,batch"]]);
  });

  test("TR-4 a call that was tried again is one pair, with its attempts in it and its usage told once", async () => {
    const usage = { inputTokens: 3 };
    const clock = manualClock(1_000);
    const sink = memoryTrace();
    const { lash } = testLash({ clock, trace: { sink }, script: [{ text: "half", failure: { message: "reset by peer: Bearer abcdefgh123" } }, { text: "done", usage }] });
    await clock.runUntil((await lash.openSession("s")).run("go"));
    expect(pairsOf(sink.records)).toEqual({ open: [], wrong: [] });
    expect(ofType(sink.records, "llm_call_completed")).toMatchObject([
      {
        attempts: [{ attempt: 1, status: "failed", usage: null, error: { kind: "transport", message: "reset by peer: Bearer [redacted]" } }, { attempt: 2, status: "completed", usage: { input_tokens: 3 } }],
        response: { text: "done", duration_ms: 2_000 },
        stream_summary: { text_chars: 8, resets: 1, first_event_ms: 0 },
      },
    ]);
    expect(ofType(sink.records, "token_usage")).toMatchObject([{ source: "turn", usage: { input_tokens: 3 }, cumulative: { input_tokens: 3 } }]);
  });

  test("questions that tools ask and summaries are calls of their own, with their own source; of the former the turn's sum knows nothing", async () => {
    const ask = tool({ name: "ask", description: "", input, run: async (_args, call) => (await call.complete({ messages: [{ role: "user", content: "?" }] })).text });
    const { records, session, result } = await traced({ tools: [ask], script: (request) => (request.tools.length === 0 ? "42" : request.messages.length === 1 ? { toolCalls: [{ name: "ask" }] } : "done") });
    await session.compact(summarize());
    expect(pairsOf(records)).toEqual({ open: [], wrong: [] });
    expect(ofType(records, "llm_call_completed").map(({ source, context }) => `${source} ${context.turn_id}`)).toEqual(["turn t", "direct t", "turn t", "compaction undefined"]);
    expect(ofType(records, "token_usage").map(({ source, cumulative }) => [source, cumulative?.input_tokens])).toEqual([["turn", 10], ["direct", undefined], ["turn", 20], ["compaction", undefined]]);
    expect(result.usage.inputTokens).toBe(20);
  });

  test("I-54 claims of input are told with their boundary, without what would prove them", async () => {
    const sink = memoryTrace();
    const held = tool({ name: "look", description: "", input, run: async () => void (await session.inject("more", { id: "k" })) });
    const { lash } = testLash({ trace: { sink }, script: asks, tools: [held] });
    const session = await lash.openSession("s");
    await session.enqueue("go");
    await session.queuedTurn({ drainId: "d" });
    const claims = ofType(sink.records, "custom").filter(({ name }) => name === "turn_input.claimed");
    expect(claims.map(({ context, payload }) => [context.turn_id, payload["boundary"], (payload["input_ids"] as readonly string[]).length])).toEqual([["d", "next_turn", 1], ["d", "after_work", 1]]);
    expect(JSON.stringify(claims)).not.toMatch(/token"/i);
  });

  test("TR-8 stream events are told on `extended` only, as we understand them and as the provider sent them", async () => {
    const raw = { type: "response.output_text.delta", item_id: "i", output_index: 2, delta: "hi", encrypted_content: "gAAAA", redacted: { type: "redacted_thinking", data: "EncRy" }, partial_image_b64: "iVBOR" };
    const provider: Provider = {
      id: "p",
      modelId: "m",
      complete: async (_request, call) => {
        call.onProviderTrace?.(raw);
        await call.onStreamEvent?.({ type: "textDelta", itemId: "i", text: "hi" });
        return { fullText: "hi", parts: [{ type: "text", text: "hi" }], usage: { inputTokens: 1, outputTokens: 1, cacheReadInputTokens: 0, cacheWriteInputTokens: 0, reasoningOutputTokens: 0 }, terminalReason: "stop" };
      },
    };
    const run = async (level: "standard" | "extended") => {
      const sink = memoryTrace();
      const lash = createLash({ provider, trace: { sink, level } });
      await (await lash.openSession("s")).run("go");
      await lash.close();
      return sink.records;
    };
    const told = await run("extended");
    expect(ofType(told, "provider_stream_event")).toMatchObject([
      { provider: "p", sequence: 1, event_name: "response.output_text.delta", item_id: "i", output_index: 2, raw_len: JSON.stringify(raw).length, raw_json: { delta: "hi", encrypted_content: "[redacted]", redacted: { has_encrypted: true }, partial_image_b64: "[bytes]" } },
    ]);
    expect(ofType(told, "runtime_stream_event")).toMatchObject([{ sequence: 1, event: { type: "text_delta", item_id: "i", text: "hi" } }]);
    expect((await run("standard")).filter(({ type }) => type.endsWith("_stream_event"))).toEqual([]);
  });
});

describe("what is not in records", () => {
  test("TR-2 OP-13 neither bytes, signatures, encrypted content nor secrets, wherever they come from", async () => {
    const bytes = png(7);
    const secret = "sk-live-abcdefghijklmnop1234";
    const key: string[] = [];
    const leak = tool({
      name: "leak",
      description: "",
      input: z.object({}).loose(),
      run: async (_args, call) => {
        const mine = await call.completionKey();
        key.push(mine);
        return withImages({ password: "hunter2", nested: JSON.stringify({ api_key: "hunter3" }), url: `data:image/png;base64,${"iVBORw0KGgo".repeat(20)}`, key: mine }, [bytes]);
      },
    });
    const { records } = await traced(
      {
        tools: [leak],
        script: byAssistantMessages([
          { reasoning: { text: "thinking", replay: { signature: "SIGNED", encryptedContent: "CIPHER" } }, toolCalls: [{ name: "leak", inputJson: JSON.stringify({ authorization: "hunter4", note: secret }) }] },
          { failure: { kind: "auth", message: `no such key ${secret}`, raw: `{"error":{"token":"hunter5"}}` } },
        ]),
      },
      "extended",
    );
    const text = JSON.stringify(records);
    const hidden = [secret, "hunter", "SIGNED", "CIPHER", "iVBORw0KGgoiVBOR", Buffer.from(bytes).toString("base64").slice(0, 40), key[0] ?? "no key"];
    expect(hidden.filter((each) => text.includes(each))).toEqual([]);
    expect(text).toContain('"has_signature":true,"has_encrypted":true');
    expect(ofType(records, "llm_call_started")[1]?.request.attachments).toEqual([{ mime: "image/png", bytes_sha256: expect.stringMatching(/^[0-9a-f]{64}$/), bytes_len: bytes.length }]);
    expect(ofType(records, "tool_call_completed")[0]).toMatchObject({ args: { authorization: "[redacted]" }, result: { password: "[redacted]" }, attachments: [{ mime: "image/png", bytes_len: bytes.length }] });
    expect(pairsOf(records)).toEqual({ open: [], wrong: [] });
  });

  test("TR-2 hostile content is cut: a record stays below 700 kB, whatever a model or a tool says, and its pair is whole", async () => {
    let deep: unknown = "end";
    for (let level = 0; level < 60; level++) deep = { [`k${level}`]: deep };
    const flood = tool({ name: "flood", description: "", input: z.unknown(), run: () => ({ wide: Array.from({ length: 8_000 }, (_, n) => `entry ${n}`.padEnd(150)), deep, ["k".repeat(100_000)]: "x".repeat(400_000), ["__proto__x"]: 1 }) });
    const { records } = await traced({ tools: [flood], script: byAssistantMessages([{ text: "y".repeat(700_000), toolCalls: Array.from({ length: 2 }, () => ({ name: "flood", inputJson: JSON.stringify({ a: "z".repeat(400_000) }) })) }, "done"]) });
    expect(pairsOf(records)).toEqual({ open: [], wrong: [] });
    expect(Math.max(...records.map((record) => JSON.stringify(record).length))).toBeLessThan(700_000);
    const second = ofType(records, "llm_call_started")[1];
    expect(second?.request.message_count).toBe(3);
    expect(second?.request.messages.length).toBeLessThanOrEqual(3);
  });
});

describe("what a sink can do", () => {
  const failing: Readonly<Record<string, () => TraceSink>> = {
    "throws at every record": () => ({ append: () => { throw new Error("full"); } }),
    "rejects at every record": () => ({ append: () => Promise.reject(new Error("full")) as unknown as void }),
    "is one of several and throws": () => teeTrace({ append: () => { throw new Error("full"); } }, memoryTrace()),
    "spoils what it is given": () => ({ append: (record) => spoil(record as unknown as Record<string, unknown>) }),
  };
  test.each(Object.entries(failing))("TR-1 TR-11 a sink that %s changes neither turn, activities nor inspection, and is logged once", async (name, make) => {
    const told = async (trace: TestLashOptions["trace"]) => {
      const events: string[] = [];
      const { lash, logged } = testLash({ script: asks, tools: [look, batchTool()], ...(trace && { trace }), inspect: (event) => void events.push(event.type) });
      const session = await lash.openSession("s");
      const turn = session.turn("go", { turnId: "t" });
      const activities = await activitiesOf(turn);
      const result = await turn.result;
      await lash.close();
      await new Promise((resolve) => setImmediate(resolve));
      return { seen: { activities, result, transcript: transcriptOf(session), events }, logged: logged as readonly LogRecord[] };
    };
    const plain = await told(undefined);
    const { seen, logged } = await told({ sink: traceSink(make()) });
    expect(seen).toEqual(plain.seen);
    expect(logged.filter(({ event }) => event === "trace.sink_failed")).toHaveLength(name.startsWith("spoils") ? 0 : 1);
    expect(logged).toHaveLength(name.startsWith("spoils") ? 0 : 1);
  });

  test("TR-1 a sink that keeps the runtime waiting is logged once", async () => {
    const clock = manualClock(1_000);
    let waited = 0;
    const { lash, logged } = testLash({ clock: { ...clock, monotonic: () => clock.monotonic() + waited }, trace: { sink: traceSink({ append: () => void (waited += 300) }) } });
    expect(await (await lash.openSession("s")).run("go")).toMatchObject({ text: "done" });
    expect(logged.map(({ event }) => event)).toEqual(["trace.sink_slow"]);
  });

  test("ER-21 a flush that fails is `trace_flush` with its cause; closing only logs it; without a trace there is nothing to flush", async () => {
    const cause = new Error("no disk");
    const { lash, logged } = testLash({ trace: { sink: traceSink({ append: () => undefined, flush: () => Promise.reject(cause) }) } });
    await expect(lash.flushTrace()).rejects.toMatchObject({ code: "trace_flush", family: "trace", cause, isRetryable: false, isTerminal: false });
    await lash.close();
    expect(logged).toMatchObject([{ event: "trace.flush_failed", code: "trace_flush" }]);
    await testLash().lash.flushTrace();
  });

  test("a tee hands every record to all of its sinks (TR-7); memory keeps the latest", async () => {
    const [all, latest] = [memoryTrace(), memoryTrace({ capacity: 2 })];
    const { lash } = testLash({ trace: { sink: teeTrace(all, latest) } });
    await (await lash.openSession("s")).run("go");
    expect(latest.records).toEqual(all.records.slice(-2));
    latest.clear();
    expect(latest.records).toEqual([]);
  });

  test.each([
    ["trace.sink", { sink: { append: () => undefined } }],
    ["trace.sink", {}],
    ["trace: lvel", { sink: memoryTrace(), lvel: "extended" }],
    ["trace.level", { sink: memoryTrace(), level: "all" }],
    ["trace.context: user", { sink: memoryTrace(), context: { user: "u" } }],
    ["trace.context.run_id", { sink: memoryTrace(), context: { run_id: 5 } }],
    ["trace.context.metadata", { sink: memoryTrace(), context: { metadata: { when: new Date(0) } } }],
    ["trace.context", { sink: memoryTrace(), context: { split: "x".repeat(20_000) } }],
  ])("wiring that cannot be is refused by its field: %s", (field, trace) => {
    expect(() => createLash({ trace: trace as never })).toThrow(expect.objectContaining({ code: "invalid_argument", details: { field } }));
  });

  test("a secret in the host's own context is not repeated in every record", () => {
    const sink = memoryTrace();
    const { lash } = testLash({ trace: { sink, context: { metadata: { api_key: "hunter2" } } } });
    return lash.openSession("s").then(() => expect((sink.records[0] as TraceRecord).context.metadata).toEqual({ api_key: "[redacted]" }));
  });
});

function spoil(value: Record<string, unknown>): void {
  for (const [key, member] of Object.entries(value)) {
    if (typeof member === "object" && member !== null) spoil(member as Record<string, unknown>);
    Reflect.set(value, key, "spoiled");
  }
}
