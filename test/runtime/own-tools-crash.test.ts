// What the package ships for tools to use, each through the crash sweep that users have (lash-runtime/testing): every write killed,
// failed and of unknown outcome, every model call and tool killed.

import { expect, test } from "vitest";
import * as z from "zod";
import { childSessions } from "../../src/children/index.ts";
import { batchTool, finishTurn, pending, switchFrame, tool, type Tool, type ToolOptions, type TurnResult, withFiles } from "../../src/index.ts";
import { byToolResults, type CrashSweep, crashSweep, scriptedProvider } from "../../src/testing/index.ts";

const LONG = 60_000;

const named = (name: string, run: Tool["run"], more: Partial<Pick<ToolOptions<unknown>, "idempotent" | "retry">> = {}): Tool =>
  tool({ name, description: name, input: z.object({}), run, ...more });

const found = async <Result, World>(sweep: CrashSweep<Result, World>): Promise<string> => String(await crashSweep(sweep));
const NOTHING = / 0 violations$/;

const ended = (result: TurnResult, text: string): readonly string[] => (result.text === text ? [] : [`the turn came to ${JSON.stringify(result.outcome)}, "${result.text}"`]);

test("calls of a batch run once each or are reported, wherever their turn is disturbed (E-45, OP-3)", { timeout: LONG }, async () => {
  const calls = ["a", "b"].map((name) => ({ tool: name, parameters: {} }));
  const report = await found({
    make: () => ({
      provider: scriptedProvider(byToolResults([{ toolCalls: [{ name: "batch", args: { tool_calls: calls } }] }, "done"])),
      tools: [batchTool(), named("a", () => "a"), named("b", () => "b")],
    }),
    job: async (lash) => (await lash.openSession("s")).run("go", { turnId: "t" }),
    check: ({ result, toolRuns, kill }) => [...ended(result, "done"), ...(kill === null && toolRuns.length !== 2 ? [`${toolRuns.length} tools ran`] : [])],
  });
  expect(report).toMatch(NOTHING);
});

test("a task that a tool delegates is done in one child, once, wherever either of their turns is disturbed (E-45, OP-3)", { timeout: LONG }, async () => {
  const report = await found({
    make: () => ({
      provider: scriptedProvider(({ scope, messages }) => (scope.sessionId !== "s" ? "42" : messages.length > 2 ? "It is 42." : { toolCalls: [{ name: "ask" }] })),
      tools: [named("ask", async (_args, call) => (await (await call.children.create()).run("Think")).text, { idempotent: true })],
      children: childSessions(),
    }),
    job: async (lash) => (await lash.openSession("s")).run("go", { turnId: "t" }),
    check: async ({ result, lash, histories }) => {
      const children = await (await lash.openSession("s")).children.list();
      const said = children.map(({ sessionId }) => histories[sessionId]?.length);
      return [...ended(result, "It is 42."), ...(said.length === 1 && said[0] === 2 ? [] : [`children said ${JSON.stringify(said)}`])];
    },
  });
  expect(report).toMatch(NOTHING);
});

test("a question of a tool and the file that it gives are there once, wherever its turn is disturbed (E-45, OP-3)", { timeout: LONG }, async () => {
  const report = await found({
    make: () => ({
      provider: scriptedProvider((request) => (request.scope.agentFrameId === "direct" ? "because" : request.messages.length > 2 ? "done" : { toolCalls: [{ name: "why" }] })),
      tools: [
        named("why", async (_args, call) => {
          const { text } = await call.complete({ messages: [{ role: "user", content: "Why?" }] });
          return withFiles(text, [{ data: new TextEncoder().encode("a,b"), mediaType: "text/csv" }]);
        }, { idempotent: true }),
      ],
    }),
    job: async (lash) => (await lash.openSession("s")).run("go", { turnId: "t" }),
    check: ({ result, history }) => {
      const files = history.flatMap(({ parts }) => parts.filter(({ kind }) => kind === "File"));
      return [...ended(result, "done"), ...(files.length === 1 ? [] : [`${files.length} files`])];
    },
  });
  expect(report).toMatch(NOTHING);
});

test("a call that waits for an answer from outside gets it, wherever its turn or the answer is disturbed (E-45, OP-3)", { timeout: LONG }, async () => {
  const report = await found({
    world: () => ({ key: "" }),
    make: ({ world }) => ({
      provider: scriptedProvider(byToolResults([{ toolCalls: [{ name: "approve" }] }, "Approved."])),
      tools: [
        named("approve", async (_args, call) => {
          world.key = await call.completionKey();
          return pending({ timeoutMs: 86_400_000 });
        }, { idempotent: true }),
      ],
    }),
    job: async (lash, { world, clock }) => {
      const session = await lash.openSession("s");
      const answer = async (): Promise<void> => {
        for (let n = 0; world.key === "" && n < 600; n++) await clock.sleep(100);
        if (world.key !== "") await lash.completions.resolve(world.key, { status: "ok", payload: "yes" });
      };
      const [result] = await Promise.all([session.run("go", { turnId: "t" }), answer()]);
      return result;
    },
    check: ({ result }) => ended(result, "Approved."),
  });
  expect(report).toMatch(NOTHING);
});

test("a tool that is tried again, and one that ends the turn, do so wherever the turn is disturbed (E-45, OP-3)", { timeout: LONG }, async () => {
  const report = await found({
    world: () => ({ tries: 0 }),
    make: ({ world }) => ({
      provider: scriptedProvider(byToolResults([{ toolCalls: [{ name: "flaky" }] }, { toolCalls: [{ name: "finish" }] }, "never"])),
      tools: [
        named("flaky", () => {
          if (++world.tries === 1) throw new Error("again");
          return "fine";
        }, { idempotent: true, retry: { maxAttempts: 3 } }),
        named("finish", () => finishTurn("over"), { idempotent: true }),
      ],
    }),
    job: async (lash) => (await lash.openSession("s")).run("go", { turnId: "t" }),
    check: ({ result }) => (result.value === "over" ? [] : [`the turn came to ${JSON.stringify(result.outcome)}`]),
  });
  expect(report).toMatch(NOTHING);
});

test("a turn that goes on in another frame arrives there, wherever it is disturbed (E-45, OP-3)", { timeout: LONG }, async () => {
  const report = await found({
    make: () => ({
      provider: scriptedProvider(({ messages }) => (JSON.stringify(messages).includes("fresh task") ? "done there" : { toolCalls: [{ name: "move" }] })),
      tools: [named("move", () => switchFrame({ frameId: "f2", task: "fresh task" }), { idempotent: true })],
    }),
    job: async (lash) => {
      const session = await lash.openSession("s");
      await session.run("go", { turnId: "t" });
      return session.observe().readView.currentFrameId;
    },
    check: ({ result, history }) => [...(result === "f2" ? [] : [`it is in frame ${result}`]), ...(history.at(-1)?.parts.at(-1)?.content === "done there" ? [] : ["nothing is done there"])],
  });
  expect(report).toMatch(NOTHING);
});

test("work that is enqueued is done once, wherever its drain is disturbed; a drain that failed goes on with recover() (E-45, OP-3)", { timeout: LONG }, async () => {
  const report = await found({
    make: () => ({ drain: "auto", provider: scriptedProvider(({ messages }) => `answer ${messages.length}`) }),
    job: async (lash, { clock }) => {
      const session = await lash.openSession("s");
      await session.run("one", { turnId: "t1" });
      await session.enqueue("two", { id: "q2" });
      for (let n = 0; n < 600 && session.observe().readView.turnIndex < 2; n++) await clock.sleep(100).then(() => lash.recover());
      return session.observe().readView.turnIndex;
    },
    check: ({ result }) => (result === 2 ? [] : [`${result} turns`]),
  });
  expect(report).toMatch(NOTHING);
});
