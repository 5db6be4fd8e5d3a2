// Plugins as a host sees them: what they contribute to a turn, and what becomes of a turn when they fail.

import { build } from "esbuild";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { pending, tool, type TurnActivity } from "../../src/index.ts";
import { plugin, toolFailure, toolSuccess, type PluginContributions, type QueuedMessage } from "../../src/plugins/index.ts";
import type { Engine } from "../../src/stores/engine.ts";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import { byToolResults, gate } from "../../src/testing/index.ts";
import { testLash, transcriptOf, type TestLashOptions } from "../support/lash.ts";

const ran: unknown[] = [];
const look = tool({ name: "look", description: "", input: z.object({ at: z.string().optional() }), readOnly: true, run: ({ at }) => (ran.push(at), `saw ${at ?? "it"}`) });
const script = byToolResults([{ toolCalls: [{ name: "look", args: {} }] }, "done"]);
const boom = (): never => {
  throw new Error("boom");
};
const say = (...messages: readonly QueuedMessage[]) => ({ type: "enqueue_messages", messages }) as const;

const made = (parts: PluginContributions, id = "p") => plugin({ id, build: () => parts });

async function opened(parts: PluginContributions | readonly PluginContributions[], options: TestLashOptions = {}) {
  ran.length = 0;
  const plugins = [parts].flat().map((each, index) => made(each as PluginContributions, index === 0 ? "p" : `p${index + 1}`));
  const host = testLash({ script, tools: [look], plugins, ...options });
  return { ...host, session: await host.lash.openSession("s") };
}

const inFlight = async (engine: Engine) => (await createPersistence(engine, { clock: testLash().clock }).turns.inFlight("s")).length;

describe("from end to end", () => {
  test("a plugin's tool, prompt and before-turn message take part in a turn (PT-3, T-11, T-12, T-16)", async () => {
    const guide = plugin({
      id: "guide",
      build: ({ sessionId }) => ({ tools: [look], prompt: () => `You guide ${sessionId}.`, beforeTurn: () => say({ role: "System", text: "be kind" }) }),
    });
    const { lash, provider } = testLash({ plugins: [guide], prompt: "Base.", script });
    const session = await lash.openSession("s");
    expect(await session.run("where?")).toMatchObject({ text: "done", isSuccess: true });
    expect(provider.requests[0]?.messages[0]?.blocks[0]).toMatchObject({ text: "Base.\n\n## Guidance\n\nYou guide s." });
    expect(provider.requests[0]?.tools.map(({ name }) => name)).toEqual(["look"]);
    expect(transcriptOf(session)).toEqual(["User: Text where?", "System: Text be kind", "Assistant: ToolCall {}", "User: ToolResult saw it", "Assistant: Prose done"]);
  });

  test("the main entry brings nothing of plugins along (S-86)", async () => {
    const { metafile } = await build({ entryPoints: ["src/index.ts"], bundle: true, write: false, metafile: true, format: "esm", platform: "node", logLevel: "silent" });
    expect(Object.keys(metafile.inputs).filter((file) => file.includes("src/plugins/"))).toEqual([]);
  });

  test("transforms are chained by priority: view, prompt and tools hold for their turn alone (T-11, PT-14, PP-43)", async () => {
    const extra = tool({ name: "extra", description: "", input: z.object({}), readOnly: true, run: () => "extra" });
    const order: string[] = [];
    const { session, provider } = await opened(
      [
        { transformContext: ({ view }) => (order.push("low"), { view: view.slice(-1), prompt: { intro: [{ content: "Gated.", gate: { tools: ["look"] } }] } }) },
        { transformContext: { priority: 5, run: ({ view }) => (order.push("high"), { view: [...view, { role: "User", text: "seen only" }], tools: [extra], includeBaseTools: false }) } },
      ],
      { script: ["one", "two"] },
    );
    await session.run("a", { turnId: "a" });
    await session.run("b");
    expect(order).toEqual(["high", "low", "high", "low"]);
    const shown = provider.requests.map(({ messages, tools }) => [messages.map(({ role, blocks }) => `${role} ${JSON.stringify(blocks)}`), tools.map(({ name }) => name)]);
    const text = (said: string) => expect.stringContaining(said);
    expect(shown).toEqual([[[text("seen only"), text("a")], ["extra"]], [[text("seen only"), text("b")], ["extra"]]]);
    expect(transcriptOf(session)).toEqual(["User: Text a", "Assistant: Prose one", "User: Text b", "Assistant: Prose two"]);
  });

  test("prompt and hidden tools are asked for again before every model call (T-33, PT-36)", async () => {
    const { session, provider } = await opened({ prompt: ({ iteration }) => ({ guidance: `Round ${iteration}.` }), hideTools: ({ iteration }) => (iteration > 0 ? ["look"] : []) });
    await session.run("go");
    expect(provider.requests.map(({ messages, tools }) => [JSON.stringify(messages[0]).match(/Round \d/)?.[0], tools.length])).toEqual([["Round 0", 1], ["Round 1", 0]]);
  });

  test("a call of a hidden tool is refused although the model makes it (PT-36)", async () => {
    const { session } = await opened({ hideTools: () => ["look"] });
    expect((await session.run("go")).toolCalls).toMatchObject([{ output: { outcome: { payload: { code: "tool_unavailable" } } } }]);
    expect(ran).toEqual([]);
  });

  test("a hook before a model call moves the turn into another frame (T-66)", async () => {
    const { session } = await opened({ beforeModelCall: ({ messages }) => (messages[0]?.parts[0]?.content === "go" ? { frameId: "side", task: "the task" } : undefined) }, { script: ["there"] });
    expect(await session.run("go")).toMatchObject({ text: "there" });
    expect(session.observe().readView.currentFrameId).toBe("side");
    expect(transcriptOf(session)).toEqual(["User: Text the task", "Assistant: Prose there"]);
  });
});

describe("what hooks may throw", () => {
  test.each<[string, PluginContributions, string]>([
    ["a transform", { transformContext: boom }, "context_prepare_turn"],
    ["a before-turn hook", { beforeTurn: boom }, "plugin_prepare_turn"],
    ["a before-turn hook that answers what it may not", { beforeTurn: () => ({ type: "replace_tool_args", args: {} }) as never }, "plugin_prepare_turn"],
    ["a before-turn hook with an assistant's message", { beforeTurn: () => say({ role: "Assistant" as "User", text: "no" }) }, "plugin_prepare_turn"],
    ["an after-turn hook", { afterTurn: boom }, "plugin_finalize_turn"],
    ["an after-turn hook that aborts", { afterTurn: () => ({ type: "abort_turn", code: "x", message: "x" }) as never }, "plugin_finalize_turn"],
  ])("%s rejects the run, commits nothing and leaves the turn to a fixed plugin (T-11, T-12, T-61, T-72)", async (_title, parts, code) => {
    const { session, engine, lash } = await opened(parts);
    await expect(session.run("go", { turnId: "t" })).rejects.toMatchObject({ code, details: { pluginId: "p" } });
    expect([session.observe().readView.revision, await inFlight(engine)]).toEqual([0, 1]);
    await lash.close();
    const fixed = testLash({ engine, plugins: [made({})], script, tools: [look] });
    expect(await fixed.lash.recover()).toMatchObject([{ turnId: "t", result: { text: "done" } }]);
    expect(ran).toEqual([undefined]);
  });

  test.each<[string, PluginContributions, object]>([
    ["prompt", { prompt: boom }, { kind: "plugin_prompt", message: "plugin p: boom" }],
    ["hideTools", { hideTools: boom }, { kind: "execution_environment", code: "reconfigure_failed" }],
    ["beforeModelCall", { beforeModelCall: boom }, { kind: "protocol_before_llm_call", code: "before_llm_call_failed" }],
    ["onText", { onText: boom }, { kind: "llm_provider", code: "plugin_assistant_stream", retryable: false }],
    ["onResponse", { onResponse: boom }, { kind: "llm_provider", code: "plugin_assistant_response", retryable: false }],
    ["atCheckpoint", { atCheckpoint: boom }, { code: "plugin_checkpoint" }],
  ])("%s ends the turn with its code, and what had finished is kept (T-16, T-33, T-45, ER-6, ER-15)", async (_hook, parts, issue) => {
    const { session, engine } = await opened(parts, { script: byToolResults([{ text: "hm", toolCalls: [{ name: "look", args: {} }] }, "done"]) });
    const result = await session.run("go");
    expect(result.isSuccess).toBe(false);
    expect(result.errors).toContainEqual(expect.objectContaining(issue));
    expect([session.observe().readView.revision, await inFlight(engine)]).toEqual([1, 0]);
  });

  test("hooks that only observe are logged, and the commit stands (PT-20)", async () => {
    const { session, logged } = await opened({ onTurnFinalized: boom, onTurnPersisted: boom, onStreamFinished: boom });
    expect(await session.run("go")).toMatchObject({ isSuccess: true, headRevision: 1 });
    expect([...new Set(logged.map(({ code, message }) => `${code} ${message}`))]).toEqual(
      ["onStreamFinished", "onTurnFinalized", "onTurnPersisted"].map((hook) => `plugin_invoke ${hook}: plugin p: boom`),
    );
  });
});

describe("what hooks may stop", () => {
  test("a before-turn abort ends the turn with the plugin's own code, without a commit; its input is not taken again (T-13, PT-17, OP-4)", async () => {
    const { session, engine } = await opened({ beforeTurn: () => ({ type: "abort_turn", code: "my.limit", message: "enough" }) });
    const seen: TurnActivity[] = [];
    const result = await session.run("go", { turnId: "t", onActivity: (activity) => void seen.push(activity) });
    expect(result).toMatchObject({ outcome: { kind: "stopped", stop: "plugin_abort" }, errors: [{ kind: "plugin", code: "my.limit", message: "enough" }] });
    expect(seen.map((activity) => activity.type === "error" && activity.message)).toEqual(["enough"]);
    expect([session.observe().readView.revision, await inFlight(engine)]).toEqual([0, 0]);
    expect(await session.run("go", { turnId: "t" })).toMatchObject({ errors: [{ code: "my.limit" }] });
  });

  test("a checkpoint's abort ends the turn as plugin_abort and keeps what was done (T-55, ER-9)", async () => {
    const { session } = await opened({ atCheckpoint: () => ({ type: "abort_turn", code: "stop", message: "no more" }) });
    expect(await session.run("go")).toMatchObject({ outcome: { stop: "plugin_abort" }, errors: [{ kind: "plugin", code: "stop" }] });
    expect(transcriptOf(session)).toEqual(["User: Text go", "Assistant: ToolCall {}", "User: ToolResult saw it"]);
  });

  test("a cancel does not wait for a hook at a checkpoint (T-63)", async () => {
    const held = gate();
    const { session } = await opened({ atCheckpoint: async () => held.pass() });
    const turn = session.turn("go");
    const { result } = turn;
    await held.reached;
    void turn.cancel();
    expect(await result).toMatchObject({ outcome: { stop: "cancelled" }, toolCalls: [{ status: "success" }] });
  });

  test("a transform that is cut off by a cancel does not fail its turn (T-63)", async () => {
    const held = gate();
    const { session } = await opened({
      transformContext: async ({ signal }) => {
        held.open();
        await new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("cut off"))));
      },
    });
    const turn = session.turn("go");
    const { result } = turn;
    await held.opened;
    void turn.cancel();
    expect(await result).toMatchObject({ outcome: { stop: "cancelled" } });
  });

  test("a cancel ends a turn whose hook hangs or fails, before it and for ever after (T-63, T-64)", async () => {
    const held = gate();
    const { session, lash, engine } = await opened({ beforeTurn: async () => (await held.pass(), boom()) });
    const turn = session.turn("go");
    const result = turn.result;
    await held.reached;
    void turn.cancel();
    expect(await result).toMatchObject({ outcome: { stop: "cancelled" } });
    held.open();
    await expect(session.run("next", { turnId: "n" })).rejects.toMatchObject({ code: "plugin_prepare_turn" });
    expect(await lash.cancelTurn("s", "n")).toEqual({ status: "accepted" });
    expect(await session.run("next", { turnId: "n" })).toMatchObject({ outcome: { stop: "cancelled" } });
    expect(await inFlight(engine)).toBe(0);
  });
});

describe("hooks around tools", () => {
  const outputOf = async (parts: PluginContributions | readonly PluginContributions[]) => {
    const { session, provider } = await opened(parts);
    const { toolCalls } = await session.run("go");
    return { outcome: toolCalls[0]?.output?.outcome, args: toolCalls[0]?.args, shown: JSON.stringify(provider.requests[1]?.messages.at(-1)?.blocks), transcript: transcriptOf(session) };
  };
  const deny: PluginContributions = { beforeToolCall: () => ({ type: "short_circuit_tool", output: toolFailure({ class: "permission_denied", code: "denied", message: "no" }) }) };
  const answer: PluginContributions = { beforeToolCall: () => ({ type: "short_circuit_tool", output: toolSuccess("cached") }) };
  const abort: PluginContributions = { beforeToolCall: () => ({ type: "abort_turn", code: "aborted", message: "stop" }) };

  test.each<[string, readonly PluginContributions[], string]>([
    ["a throw", [{ beforeToolCall: boom }, answer], "before_tool_call_failed"],
    ["an abort, though a later hook would answer", [abort, answer], "aborted"],
    ["the first denial, though others follow", [answer, deny, answer], "denied"],
    ["messages, which it may not give", [{ beforeToolCall: () => say({ role: "User", text: "x" }) as never }], "before_tool_call_failed"],
    ["a pending answer", [{ beforeToolCall: () => ({ type: "short_circuit_tool", output: pending() as never }) }], "pending_tool_short_circuit"],
    ["arguments that do not fit", [{ beforeToolCall: () => ({ type: "replace_tool_args", args: { at: 5 } }) }], "invalid_tool_args"],
  ])("before a call: %s is the failure of the call, and it does not run (T-51, PT-18, PT-19)", async (_title, parts, code) => {
    expect((await outputOf(parts)).outcome).toMatchObject({ status: "failure", payload: { code } });
    expect(ran).toEqual([]);
  });

  test("arguments are replaced before they are validated, and who looked before looks again (T-51, PT-19)", async () => {
    const seen: unknown[] = [];
    const watch = { beforeToolCall: ({ args }: { args: unknown }) => void seen.push(args) };
    const { outcome, args } = await outputOf([watch, { beforeToolCall: () => ({ type: "replace_tool_args", args: { at: "sea" } }) }]);
    expect([seen, ran, args, outcome]).toEqual([[{}, { at: "sea" }], ["sea"], { at: "sea" }, { status: "success", payload: "saw sea" }]);
  });

  test.each<[string, PluginContributions, object]>([
    ["a throw", { afterToolCall: boom }, { status: "failure", payload: { code: "after_tool_call_failed" } }],
    ["arguments, which it may not give", { afterToolCall: () => ({ type: "replace_tool_args", args: {} }) as never }, { status: "failure", payload: { code: "after_tool_call_failed" } }],
    ["an abort", { afterToolCall: () => ({ type: "abort_turn", code: "bad", message: "bad" }) }, { status: "failure", payload: { code: "bad", source: "plugin" } }],
    ["another output", { afterToolCall: () => ({ type: "short_circuit_tool", output: toolSuccess("better") }) }, { status: "success", payload: "better" }],
  ])("after a call: %s takes the place of its result (T-54)", async (_title, parts, outcome) => {
    expect((await outputOf(parts)).outcome).toMatchObject(outcome);
    expect(ran).toHaveLength(1);
  });

  test("the model is shown the projection, records keep the whole output; a projection that throws shows its error (PT-4, PT-55, T-54)", async () => {
    const short = await outputOf({ projectToolResult: (_call, shown) => `${shown.slice(0, 3)}...` });
    expect(short.outcome).toEqual({ status: "success", payload: "saw it" });
    expect(short.shown).toContain('"saw..."');
    expect((await outputOf({ projectToolResult: boom })).shown).toContain("plugin p: boom");
  });

  test("hooks on a pending call run once, when it was answered (PT-59)", async () => {
    const asked = gate();
    let key = "";
    const wait = tool({ name: "look", description: "", input: z.object({}), run: async (_args, call) => ((key = await call.completionKey()), asked.open(), pending()) });
    const seen: unknown[] = [];
    const { session, lash } = await opened({ afterToolCall: ({ output }) => (seen.push(output.outcome), say({ role: "User", text: "answered" })) }, { tools: [wait] });
    const result = session.run("go");
    await asked.opened;
    await lash.completions.resolve(key, { status: "ok", payload: "late" });
    expect(await result).toMatchObject({ toolCalls: [{ output: { outcome: { payload: "late" } } }] });
    expect(seen).toEqual([{ status: "success", payload: "late" }]);
    expect(transcriptOf(session).slice(2)).toEqual(["User: ToolResult late", "User: Text answered", "Assistant: Prose done"]);
  });
});

describe("hooks on what streams", () => {
  test("chunks are rewritten and reasoning added for observers; what onResponse makes of the answer takes their place (T-45, ME-6)", async () => {
    const finished: string[] = [];
    const { session } = await opened(
      {
        onText: (_call, text) => ({ text: text.toUpperCase(), reasoning: "hm", events: [{ type: "status", key: "k", label: "l" }] }),
        onResponse: (_call, response) => ({ ...response, parts: [{ type: "text", text: "said otherwise" }] }),
        onStreamFinished: (_call, reason) => void finished.push(reason),
      },
      { script: [{ text: ["a", "b"] }] },
    );
    const seen: string[] = [];
    const result = await session.run("go", {
      onActivity: (activity) => {
        if ("text" in activity) seen.push(`${activity.type} ${activity.text}`);
        if (activity.type === "model_attempt_reset") seen.push(`takes back ${activity.assistantProseCorrelationIds.join()} ${activity.reasoningCorrelationIds.join()}`);
      },
    });
    expect([result.text, finished]).toEqual(["said otherwise", ["complete"]]);
    expect(seen).toEqual([
      "reasoning_delta hm", "assistant_prose_delta A", "reasoning_delta hm", "assistant_prose_delta B",
      "takes back llm:1:text ", "assistant_prose_delta said otherwise",
    ]);
  });

  test("what onText gives in place of a piece is shown, is the answer, and is what the model is shown again (ME-6)", async () => {
    const { session, provider } = await opened(
      { onText: (_call, text) => (text === "secret " ? "" : { text: text.toUpperCase() }) },
      { script: [{ text: ["one ", "secret ", "two"] }, "ok"] },
    );
    const seen: string[] = [];
    const result = await session.run("go", { onActivity: (activity) => void (activity.type === "assistant_prose_delta" && seen.push(activity.text)) });
    expect([result.text, seen.join("")]).toEqual(["ONE TWO", "ONE TWO"]);
    await session.run("again");
    expect(JSON.stringify(provider.requests[1]?.messages)).not.toMatch(/secret/);
  });

  test("a hook that has heard enough ends the call with what was said: a success (PT-11)", async () => {
    const finished: string[] = [];
    const { session } = await opened(
      { onText: (_call, text) => ({ text, abortStream: text === "two " }), onStreamFinished: (_call, reason) => void finished.push(reason) },
      { script: [{ text: ["one ", "two ", "three"], hang: true }] },
    );
    expect(await session.run("go")).toMatchObject({ isSuccess: true, text: "one two" });
    expect(finished).toEqual(["aborted"]);
  });
});

test("a directive that a hook may not give does not typecheck (PT section 4)", () => {
  const args = { type: "replace_tool_args", args: {} } as const;
  const abort = { type: "abort_turn", code: "c", message: "m" } as const;
  // @ts-expect-error -- there is no call yet
  made({ beforeTurn: () => args });
  // @ts-expect-error -- the call has run
  made({ afterToolCall: () => args });
  // @ts-expect-error -- messages come after a call
  made({ beforeToolCall: () => say() });
  // @ts-expect-error -- the turn has ended
  made({ afterTurn: () => abort });
  const allowed = made({ beforeTurn: () => [abort, say()], atCheckpoint: () => abort, beforeToolCall: () => [args, abort], afterToolCall: () => say() });
  expect(allowed.id).toBe("p");
});

test("runtime events reach watchers as they come; those of the turn's end only after its commit (PT-13)", async () => {
  const event = (name: string) => ({ type: "emit_runtime_events", events: [{ type: "custom", name, payload: null }] }) as const;
  const { session } = await opened({ beforeTurn: () => event("first"), afterTurn: () => event("last") }, { script: ["done"] });
  const seen: unknown[] = [];
  await session.run("go", { onActivity: (activity) => void (activity.type === "plugin_runtime" && seen.push([activity.pluginId, activity.event, session.observe().readView.revision])) });
  expect(seen.map((entry) => JSON.stringify(entry))).toEqual(['["p",{"type":"custom","name":"first","payload":null},0]', '["p",{"type":"custom","name":"last","payload":null},1]']);
});

test("messages of an ended turn are in its commit, behind its last words; transient ones nowhere (T-57b, T-72, PT-16)", async () => {
  const { session, engine } = await opened({ afterTurn: () => say({ role: "User", text: "noted" }, { role: "User", text: "gone", transient: true }) }, { script: ["done", "again"] });
  await session.run("go");
  expect(transcriptOf(session)).toEqual(["User: Text go", "Assistant: Prose done", "User: Text noted"]);
  expect(session.observe().readView.messages[2]?.origin).toEqual({ kind: "plugin", pluginId: "p" });
  await session.run("more");
  expect(transcriptOf(await testLash({ engine }).lash.openSession("s"))).toEqual(transcriptOf(session));
});
