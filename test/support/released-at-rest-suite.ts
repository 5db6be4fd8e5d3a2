// Sessions that the released code left at rest, gone on with by the code of today; part of the released suite.

import { expect, test } from "vitest";
import { LashError } from "../../src/index.ts";
import { aiSdk } from "../../src/providers/ai-sdk/index.ts";
import { sdkModel } from "../fixtures/0.1.0-0d25721/app.ts";
import { appOn, imagesOf, never, PNG, systemOf, transcript, type ReleasedStore } from "./released.ts";
import { AT_REST, OUTCOMES } from "./released-at-rest.ts";

export function atRest(open: () => Promise<ReleasedStore>): void {
  const opened = async (options: Parameters<typeof appOn>[1] = {}) => appOn((await open()).engine, options);

  test.each(AT_REST)("SC-31 $session has its conversation: $what", async ({ session: id, said, view = {} }) => {
    const app = await opened();
    expect(await app.lash.recover()).toEqual([]);
    const session = await app.lash.openSession(id);
    expect(transcript(session)).toEqual(said);
    expect(session.observe().readView).toMatchObject(view);
    expect(app.logged).toEqual([]);
  });

  test.each(OUTCOMES)("SC-31 asked for a turn that ended as $what, it is what was recorded, and nothing runs ($session)", async ({ session: id, input = "go", result }) => {
    const app = await opened();
    const session = await app.lash.openSession(id);
    expect(await session.run(input, { turnId: "t" })).toMatchObject({ turnId: "t", ...result });
    expect(app.allSteps()).toEqual([]);
  });

  test("SC-31 a session goes on from what was said: the model is sent the whole of it", async () => {
    const app = await opened();
    const session = await app.lash.openSession("failures");
    await session.run("again", { turnId: "t2" });
    const [request] = app.requests("failures");
    expect(request?.messages.map(({ role, blocks }) => [role, ...blocks.map(({ type }) => type)])).toEqual([
      ["system", "text"], ["user", "text"], ["assistant", "toolCall", "toolCall", "toolCall"], ["user", "toolResult", "toolResult", "toolResult"], ["assistant", "text"], ["user", "text"],
    ]);
    expect(session.observe().readView).toMatchObject({ turnIndex: 2, revision: 2, usage: { inputTokens: 30 } });
  });

  test.each([
    ["metadata of the AI SDK", "fake.responses", ['"redactedData":"c2VjcmV0"', '"signature":"sig-2"', '"phase":"commentary"', '"thoughtSignature":"dGhvdWdodA=="', '"itemId":"msg_2"']],
    ["anthropic", "anthropic.messages", ['"signature":"c2lnbmF0dXJl"', '"signature":"c2Vjb25k"', '"toolCallId":"call-1"']],
    ["openai", "wire.chat", ['"toolCallId":"call-1"', '"text":"Looking."', '"text":"It is so."']],
  ])("SC-31 %s: the AI SDK's model %s is sent again what it had said", async (id, provider, kept) => {
    const app = await opened();
    const calls: Parameters<typeof sdkModel>[1] = [];
    const session = await app.lash.openSession(id, { provider: aiSdk(sdkModel(provider, calls)) });
    expect(await session.run("again", { turnId: "t2" })).toMatchObject({ isSuccess: true, text: "It is so." });
    const sent = JSON.stringify(calls[0]?.prompt);
    for (const each of kept) expect(sent).toContain(each);
  });

  test("SC-31 a session that was recorded with another provider refuses this one", async () => {
    const app = await opened();
    const error = await app.lash.openSession("anthropic").then((session) => session.run("again")).catch((thrown: unknown) => thrown);
    expect(LashError.is(error) && error.code).toBe("provider_mismatch");
  });

  test("SC-31 branches, forks and what was pruned are as they were", async () => {
    const app = await opened();
    const branched = await app.lash.openSession("branched");
    expect(await branched.orphanedNodeIds()).toEqual(["t2:0", "t2:1"]);
    expect(await branched.historicNode("t2:1")).toMatchObject({ body: { message: { role: "Assistant" } } });
    await branched.branch({ at: "t1:1" });
    expect(transcript(branched)).toEqual(["User: Text go", "Assistant: Prose done"]);

    const pruned = await app.lash.openSession("pruned");
    expect([await pruned.orphanedNodeIds(), await pruned.historicNode("t2:0")]).toEqual([["t2:1"], undefined]);
    expect(await app.lash.maintenance.vacuum("pruned")).toMatchObject({ removedNodeCount: 1 });

    const fork = await app.lash.openSession("fork");
    await fork.run("again", { turnId: "t2" });
    expect(transcript(fork)).toHaveLength(4);
    expect(transcript(await app.lash.openSession("plain"))).toHaveLength(4);
  });

  test("SC-31 what came before a reset or a compaction stays readable, and what that cost stays booked", async () => {
    const app = await opened();
    for (const id of ["reset", "compacted"]) expect(await (await app.lash.openSession(id)).historicNode("t1:0")).toMatchObject({ body: { message: { role: "User" } } });
    expect((await (await app.lash.openSession("compacted")).usage()).bySource).toMatchObject({ turn: { inputTokens: 30 }, compaction: { inputTokens: 10 } });
  });

  test("SC-31 settings that a session was given hold for its next turn", async () => {
    const app = await opened();
    const session = await app.lash.openSession("configured");
    await session.run("again", { turnId: "t2" });
    const [request = never()] = app.requests("configured");
    expect(request.model).toBe("another-model");
    for (const each of ["You are a fixture.", "Be brief.", "Tone", "Friendly."]) expect(systemOf(request)).toContain(each);
    expect(session.observe().readView.policy).toMatchObject({ maxTurns: 12, model: { limits: { contextWindowTokens: 50_000 } } });
  });

  test("SC-31 tools that were taken away stay away, and can be given back", async () => {
    const app = await opened();
    const session = await app.lash.openSession("tools");
    const { tools } = await session.tools.state();
    expect(Object.entries(tools).flatMap(([id, { member }]) => (member === false ? [id] : [])).sort()).toEqual(["beta", "gamma"]);
    await session.tools.setMembership("beta", true);
    await session.run("again", { turnId: "t2" });
    const offered = app.requests("tools")[0]?.tools.map(({ name }) => name);
    expect(offered).toContain("beta");
    expect(offered).not.toContain("gamma");
  });

  test("SC-31 what was queued is listed in its order, and drained in it", async () => {
    const app = await opened();
    const session = await app.lash.openSession("queue");
    expect((await session.pendingTurnInputs()).map(({ sourceKey }) => sourceKey)).toEqual(["host:first", "injection:told", "host:image"]);
    expect((await session.queuedWork()).map(({ sourceKey }) => sourceKey)).toEqual(["job-1", "job-2", "alone"]);
    for (const [key, outcome] of [["host:heard", "already_completed"], ["host:back", "already_cancelled"]] as const) {
      expect((await session.cancelTurnInput({ kind: "source_key", value: key })).outcome).toBe(outcome);
    }
    for (const id of ["inputs", "jobs", "alone"]) await session.queuedTurn({ drainId: id });
    expect(transcript(session).filter((line) => line.startsWith("User"))).toEqual(["User: Text heard", "User: Text first\n\ntold\n\nLook: | Image", "User: Text job 1\n\njob 2", "User: Text alone"]);
    expect(imagesOf(app, "queue")[0]).toEqual([PNG(4)]);
    expect(await session.queuedTurn()).toBeUndefined();
  });

  test("SC-31 commands that were queued are applied before the next turn, each once", async () => {
    const app = await opened();
    const session = await app.lash.openSession("commands");
    expect((await session.queuedWork()).map(({ items }) => items[0]?.payload)).toMatchObject([{ command: { kind: "refresh_tool_catalog", reason: "new tools" } }, { command: { kind: "reset_session", reason: "afresh" } }]);
    await session.commands.reset("afresh", "reset-1");
    await session.run("again", { turnId: "t2" });
    expect(transcript(session)).toEqual(["User: Text again", "Assistant: Prose done again"]);
    expect(await session.queuedWork({ all: true })).toEqual([]);
  });

  test("SC-31 images of inputs and tools are still sent, and are not swept away", async () => {
    const app = await opened();
    expect(await app.lash.maintenance.sweepAttachments(Number.MAX_SAFE_INTEGER)).toMatchObject({ reclaimed: 0 });
    for (const [id, n] of [["image at rest", 1], ["photo at rest", 2]] as const) {
      await (await app.lash.openSession(id)).run("again", { turnId: "t2" });
      expect(imagesOf(app, id)).toEqual([[PNG(n)]]);
    }
  });

  test("SC-31 children are listed with what made them, and their usage is their parent's", async () => {
    const app = await opened();
    const session = await app.lash.openSession("parent at rest");
    expect(await session.children.list()).toMatchObject([
      { sessionId: "child of parent at rest", createdAt: "2026-01-01T00:00:00.000Z", usageSource: "helper", depth: 1, maxDepth: 5, causedBy: { type: "tool_call", turnId: "t", toolName: "delegate" } },
    ]);
    expect((await session.usage()).bySource).toMatchObject({ turn: { inputTokens: 20 }, helper: { inputTokens: 20 } });
    const child = await app.lash.openSession("child of parent at rest");
    await child.run("again", { turnId: "t2" });
    expect((await session.usage()).bySource).toMatchObject({ helper: { inputTokens: 30 } });
  });

  test("SC-31 a plugin goes on from the state that it had saved", async () => {
    const app = await opened({ plugged: true });
    const session = await app.lash.openSession("plugged at rest");
    await session.run("hello", { turnId: "t3" });
    expect(transcript(session).slice(-4)).toEqual(["User: Text hello", "User: Text turn 3", "Assistant: Prose done again", "User: Text end 3"]);
  });

  test("SC-31 the id of a deleted session stays used, a parked session is resumed", async () => {
    const app = await opened();
    await expect(app.lash.openSession("deleted")).rejects.toMatchObject({ code: "session_id_retired" });
    expect(await app.lash.deleteSession("deleted")).toMatchObject({ existed: false });
    expect(transcript(await app.lash.resume({ sessionId: "parked" }))).toEqual(["User: Text go", "Assistant: Prose done"]);
  });

  test("SC-31 upkeep takes away nothing that a session needs", async () => {
    const { engine } = await open();
    await appOn(engine).lash.maintenance.collect();
    const app = appOn(engine);
    for (const { session: id, said } of AT_REST) {
      const session = await app.lash.openSession(id);
      expect(transcript(session)).toEqual(said);
    }
  });
}
