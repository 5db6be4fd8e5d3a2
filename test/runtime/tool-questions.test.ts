// Direct completions inside a turn: questions that a tool asks a model (PP-47 to PP-49, PT-63, OP-5).

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { tool, ToolError, type DirectRequest, type Tool, type ToolCall } from "../../src/index.ts";
import type { LlmRequest } from "../../src/providers/contract.ts";
import type { Engine } from "../../src/stores/engine.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { storeError } from "../../src/domain/errors.ts";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import { gate, manualClock, type ScriptedReply } from "../../src/testing/index.ts";
import { crashEverywhere } from "../support/crash-sweep.ts";
import { engineCases } from "../support/engines.ts";
import { staysOpen, testLash, transcriptOf } from "../support/lash.ts";
import { Mortal } from "../support/mortal.ts";
import { heldLanes } from "../support/rows.ts";

const asking = (content: string, rest: Partial<DirectRequest> = {}): DirectRequest => ({ messages: [{ role: "user", content }], ...rest });
const isDirect = ({ scope }: LlmRequest): boolean => scope.agentFrameId === "direct";

/** The turn calls `ask` once and is done; the questions are answered by `answers`, by what they say. */
const script = (answers: (question: string, nth: number) => ScriptedReply = (question) => `re ${question}`) => {
  const seen: string[] = [];
  return (request: LlmRequest): ScriptedReply => {
    const [block] = request.messages.at(-1)?.blocks ?? [];
    if (isDirect(request)) return answers(block?.type === "text" ? block.text : "", seen.push(""));
    return block?.type === "toolResult" ? "done" : { toolCalls: [{ name: "ask" }] };
  };
};

const asker = (run: (call: ToolCall) => unknown, options: object = { readOnly: true }): Tool => tool({ name: "ask", description: "", input: z.object({}), ...options, run: (_, call) => run(call) });
const told = (content: string) => [`User: Text go`, "Assistant: ToolCall {}", `User: ToolResult ${content}`, "Assistant: Prose done"];
const ledgerOf = async (engine: Engine) => (await createPersistence(engine, { clock: manualClock() }).sessions.load("s", { kind: "active_path" }))?.ledger;

async function asked(run: (call: ToolCall) => unknown, answers?: Parameters<typeof script>[0]) {
  const host = testLash({ script: script(answers), tools: [asker(run)] });
  const session = await host.lash.openSession("s");
  const result = await session.run("go", { turnId: "t" });
  return { ...host, session, result, questions: host.provider.requests.filter(isDirect) };
}

describe("call.complete", () => {
  test("asks the session's model without tools, under the session's name, and gives text and tokens (PP-47, PP-3)", async () => {
    const { session, questions } = await asked(async (call) => {
      const { output, text, usage } = await call.complete(asking("why?"));
      return { output, text, spent: usage.outputTokens };
    });
    expect(transcriptOf(session)).toEqual(told('{"output":"re why?","text":"re why?","spent":5}'));
    expect(questions).toMatchObject([{ model: "scripted-model", tools: [], toolChoice: "none", scope: { sessionId: "s", requestId: expect.stringContaining(":direct:") } }]);
  });

  test("gives the value of a structured answer, and refuses one that does not fit its schema (PP-49)", async () => {
    const output = { type: "jsonSchema", name: "mood", schema: { type: "object", properties: { mood: { type: "string" } }, required: ["mood"] } } as const;
    const { session } = await asked(
      async (call) => {
        const bad = await call.complete(asking("first", { output })).catch((error: { code: string }) => error.code);
        return [bad, (await call.complete(asking("first", { output }))).output];
      },
      (_, nth) => (nth === 1 ? '{"mood":1}' : '{"mood":"good"}'),
    );
    expect(transcriptOf(session)).toEqual(told('["invalid_structured_output",{"mood":"good"}]'));
  });

  test("equal questions of one call are asked once, also at the same time; a key of their own makes them two (PP-48)", async () => {
    const { questions } = await asked(async (call) => {
      await Promise.all([call.complete(asking("same")), call.complete(asking("same"))]);
      await call.complete(asking("same"));
      await call.complete(asking("same", { replayKey: "again" }));
    });
    expect(questions).toHaveLength(2);
  });

  test("one key for two questions is refused, and neither is mistaken for the other (E-9)", async () => {
    const { result } = await asked(async (call) => {
      await call.complete(asking("one", { replayKey: "k" }));
      await call.complete(asking("two", { replayKey: "k" }));
    });
    expect(result.toolCalls).toMatchObject([{ output: { outcome: { status: "failure", payload: { code: "journaled_effect_replay_hash_conflict" } } } }]);
  });

  test("its tokens are in the ledger under `direct`, not in the turn's own usage (T-79)", async () => {
    const { result, engine } = await asked((call) => Promise.all([call.complete(asking("a")), call.complete(asking("b", { model: "small" }))]).then(() => "ok"));
    expect(result.usage).toMatchObject({ inputTokens: 20, outputTokens: 10 });
    expect(await ledgerOf(engine)).toMatchObject([
      { source: "turn", usage: { outputTokens: 10 } },
      { source: "direct", model: "scripted-model", usage: { outputTokens: 5 } },
      { source: "direct", model: "small", usage: { outputTokens: 5 } },
    ]);
  });

  test("a turn that is given up books it once, and not as its own (T-79, OP-6)", async () => {
    const [disk, clock, asked] = [memoryEngine(), manualClock(1_000), gate()];
    const dying = new Mortal(disk);
    const tools = [asker(async (call) => {
      await call.complete(asking("a"));
      await asked.pass();
    })];
    (await testLash({ engine: dying.engine, clock, script: script(), tools }).lash.openSession("s")).run("go", { turnId: "t" }).catch(() => {});
    await asked.reached;
    dying.kill();
    await clock.advance(31_000);
    const { lash } = testLash({ engine: disk, clock, script: script(), tools, maxRecoveries: 0 });
    expect(await lash.recover()).toMatchObject([{ result: { usage: { outputTokens: 5 }, errors: [{ code: "turn_recovery_exhausted" }] } }]);
    expect((await ledgerOf(disk))?.map(({ source, usage }) => [source, usage.outputTokens])).toEqual([["turn", 5], ["direct", 5]]);
  });

  test("a failed question is the tool's to handle: asked again it is asked again (E-8)", async () => {
    const { session, questions } = await asked(
      async (call) => {
        const failed = await call.complete(asking("x")).catch((error: { name: string }) => error.name);
        return [failed, (await call.complete(asking("x"))).text];
      },
      (_, nth) => (nth === 1 ? { failure: { kind: "auth", retryable: false } } : "at last"),
    );
    expect(transcriptOf(session)).toEqual(told('["DirectCompletionError","at last"]'));
    expect(questions).toHaveLength(2);
  });

  test("a retry of the tool gets the answers that its first attempt got (OP-5, T-53)", async () => {
    const failed = gate();
    const ask = asker(
      async (call) => {
        const { text } = await call.complete(asking("once"));
        if (call.attempt > 1) return text;
        failed.open();
        throw new ToolError({ class: "external", code: "flaky", message: "again", retry: { type: "safe" } });
      },
      { retry: { maxAttempts: 2, baseDelayMs: 100 } },
    );
    const { lash, clock, provider } = testLash({ script: script(), tools: [ask] });
    const ended = (await lash.openSession("s")).run("go");
    await failed.pass();
    await clock.advance(100);
    expect((await ended).toolCalls).toMatchObject([{ status: "success", output: { outcome: { payload: "re once" } } }]);
    expect(provider.requests.filter(isDirect)).toHaveLength(1);
  });

  test.each<[string, unknown]>([["no messages", { messages: [] }], ["only system words", { messages: [{ role: "system", content: "x" }] }], ["nothing", undefined]])("a question with %s is refused before anything is asked (design 10)", async (_title, question) => {
    const { result, questions } = await asked((call) => call.complete(question as DirectRequest));
    expect(result).toMatchObject({ text: "done", toolCalls: [{ status: "failure" }] });
    expect(questions).toHaveLength(0);
  });

  test("a tool that returned without waiting for its question writes nothing more (OP-3)", async () => {
    let late: Promise<unknown> = Promise.resolve();
    const { result, session } = await asked((call) => {
      late = call.complete(asking("late")).catch((error: { code: string }) => error.code);
      return "gone";
    });
    expect(result.text).toBe("done");
    expect(await late).toBe("durable_effects_unavailable_in_tool_attempt");
    expect(transcriptOf(session)).toEqual(told("gone"));
  });

  test("a store that cannot take an answer is no failure of the tool, also where the tool swallows it: the turn stays in flight (E-6)", async () => {
    const disk = memoryEngine();
    let writes = 0;
    const engine: Engine = {
      ...staysOpen(disk),
      write: (body) => disk.write(async (tx) => {
        const written = await body(tx);
        // Acceptance, the step that opens the batch, and the one that keeps the answer.
        if (++writes === 3) throw storeError("store_full", "the disk is full; nothing was written");
        return written;
      }),
    };
    const tools = [asker((call) => call.complete(asking("a")).then(({ text }) => text, () => "no answer"))];
    const first = testLash({ engine, script: script(), tools });
    await expect((await first.lash.openSession("s")).run("go", { turnId: "t" })).rejects.toMatchObject({ code: "store_commit_failed" });
    const { lash } = testLash({ engine: disk, script: script(), tools });
    expect(await lash.recover()).toMatchObject([{ turnId: "t", result: { text: "done" } }]);
    expect(transcriptOf(await lash.openSession("s"))).toEqual(told("re a"));
  });

  test.each(engineCases())("dying at any engine call on $name, no answer that the tool has had is asked for again, and each is booked once (OP-5, T-79, E-45)", { timeout: 60_000 }, async ({ open }) => {
    interface World { readonly had: string[]; readonly asked: string[] }
    const make = (world: World) => ({
      script: script((question) => (world.asked.push(question), `re ${question}`)),
      tools: [asker(async (call) => {
        for (const question of ["a", "b"]) {
          await call.complete(asking(question));
          world.had.push(question);
        }
        return "both";
      })],
    });
    await crashEverywhere<World>({
      open,
      world: () => ({ had: [], asked: [] }),
      job: async (process, clock, world) => void (await (await testLash({ engine: process.engine, clock, ...make(world) }).lash.openSession("s")).run("go", { turnId: "t" })),
      check: async (disk, clock, world) => {
        const askedBefore = world.asked.length;
        const had = [...world.had];
        const { lash } = testLash({ engine: disk, clock, ...make(world) });
        const session = await lash.openSession("s");
        expect(await session.run("go", { turnId: "t" })).toMatchObject({ text: "done", toolCalls: [{ status: "success" }] });
        for (const question of had) expect(world.asked.slice(askedBefore)).not.toContain(question);
        expect(transcriptOf(session)).toEqual(told("both"));
        expect((await ledgerOf(disk))?.find(({ source }) => source === "direct")?.usage.outputTokens).toBe(10);
        expect(await heldLanes(disk)).toEqual([]);
        await lash.close();
      },
    });
  });
});
