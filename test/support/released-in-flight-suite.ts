// Turns that the released code left in flight, taken up by the code of today; part of the released suite.

import { beforeAll, describe, expect, test } from "vitest";
import type { Recovered } from "../../src/index.ts";
import { META } from "../fixtures/0.1.0-0d25721/app.ts";
import { appOn, imagesOf, never, PNG, settled, systemOf, transcript, type App, type ReleasedStore } from "./released.ts";
import { ENDINGS, PLUGGED_ENDINGS, type Ending } from "./released-in-flight.ts";

const QUEUED_JOB = { deliveryPolicy: "after_current_turn_commit", slotPolicy: "exclusive" } as const;

export function inFlight(open: () => Promise<ReleasedStore>): void {
  describe("before anybody takes it up", () => {
    let store: ReleasedStore;
    let observer: App;
    beforeAll(async () => {
      store = await open();
      observer = appOn(store.engine, { looksOnly: true });
    });
    const look = (sessionId: string) => observer.lash.openSession(sessionId);

    test("SC-31 an observer sees what is committed, and nothing of the turns in flight", async () => {
      expect(transcript(await look("answering"))).toEqual(["User: Text before", "Assistant: Prose before this"]);
      expect(transcript(await look("running"))).toEqual([]);
      expect((await look("moved")).observe().readView).toMatchObject({ currentFrameId: "work", turnIndex: 1 });
      expect(transcript(await look("child of told parent"))).toEqual(["User: Text dig", "Assistant: ToolCall {}", "User: ToolResult beta did it", "Assistant: Prose found it"]);
      expect(observer.allSteps()).toEqual([]);
    });

    test("SC-31 inputs and work that wait are listed, what a turn has taken is not", async () => {
      expect(await (await look("injected")).pendingTurnInputs()).toMatchObject([{ sourceKey: "injection:more", input: { items: [{ type: "text", text: "and this" }] } }]);
      expect(await (await look("queued")).pendingTurnInputs()).toMatchObject([{ sourceKey: "host:later" }]);
      expect((await (await look("queued")).queuedWork()).map(({ items }) => items[0]?.payload.type)).toEqual(["turn_input", "session_command"]);
      for (const taken of ["claiming", "heard", "yielding", "drained"]) expect(await (await look(taken)).pendingTurnInputs()).toEqual([]);
      for (const taken of ["claiming work", "worked"]) expect(await (await look(taken)).queuedWork()).toEqual([]);
      expect((await (await look("worked")).queuedWork({ all: true })).map(({ sourceKey }) => sourceKey)).toEqual(["job-1", "job-2"]);
    });

    test("SC-31 what was enqueued under an id is still that one input", async () => {
      const again = await (await look("queued")).enqueue("later", { id: "later" });
      expect(await (await look("queued")).pendingTurnInputs()).toEqual([again]);
      expect(await (await look("queued")).enqueueTurnInput("much later", { ...QUEUED_JOB, sourceKey: "job" })).toMatchObject({ enqueueSeq: 1 });
    });

    test("SC-31 a wait that was answered has its answer, and its key is accepted for that alone", async () => {
      expect(await observer.lash.completions.resolve(store.keys["answered"] ?? "", { status: "ok", payload: "no" })).toEqual({ status: "already_resolved", terminal: { status: "ok", payload: "yes" } });
      expect(await observer.lash.completions.resolve(`${store.keys["waiting"] ?? ""}0`, { status: "ok", payload: "no" })).toEqual({ status: "unknown_or_revoked" });
    });
  });

  describe("taken up by recover()", () => {
    let store: ReleasedStore;
    const apps = new Map<boolean, { readonly app: App; readonly found: readonly Recovered[] }>();
    beforeAll(async () => {
      store = await open();
      for (const plugged of [false, true]) {
        const app = appOn(store.engine, { plugged });
        apps.set(plugged, { app, found: await settled(app.clock, app.lash.recover()) });
      }
    });
    const by = (plugged: boolean) => {
      const known = apps.get(plugged);
      if (!known) throw new Error("nothing was recovered");
      return known;
    };
    const endOf = async (plugged: boolean, session: string) => {
      const { app, found } = by(plugged);
      const ended = found.find(({ sessionId }) => sessionId === session);
      if (!ended || !("result" in ended)) throw new Error(`the turn of ${session} has not ended: ${JSON.stringify(ended)}`);
      const { turnId, result: { outcome, errors, usage } } = ended;
      const steps = app.steps(session);
      return { turnId, outcome, errors: errors.map(({ code }) => code), tokens: [usage.inputTokens, usage.outputTokens], steps, said: transcript(await app.lash.openSession(session)) };
    };
    const asWritten = ({ turnId = "t", outcome = { kind: "finished" }, errors = [], tokens, steps, said }: Ending) => ({
      turnId, outcome: expect.objectContaining(outcome), errors, tokens: [tokens, tokens / 2], steps, said,
    });

    test.each(ENDINGS)("SC-31 a turn that was left $left is ended, and nothing that was recorded is done again ($session)", async (ending) => {
      expect(await endOf(false, ending.session)).toEqual(asWritten(ending));
    });

    test.each(PLUGGED_ENDINGS)("SC-31 a turn with a plugin that was left $left is ended, hooks whose answers were recorded are not asked again ($session)", async (ending) => {
      expect(await endOf(true, ending.session)).toEqual(asWritten(ending));
    });

    test("SC-31 no other turn was in flight, and those that wait for their plugin or an answer say so", () => {
      const [plain, plugged] = [by(false).found, by(true).found].map((found) => [...found].filter((each) => !("result" in each)).map(({ sessionId, ...rest }) => [sessionId, "error" in rest ? rest.error.code : "suspended"]).sort());
      expect(plain).toEqual([["half waiting", "suspended"], ...PLUGGED_ENDINGS.map(({ session }) => [session, "plugin_missing"]).sort(), ["waiting", "suspended"]]);
      // Those that wait were parked by the first sweep, so the second one does not come across them (AE-9).
      expect(plugged).toEqual([]);
      expect(by(false).found.flatMap((each) => ("result" in each ? [each.sessionId] : [])).sort()).toEqual([...ENDINGS.map(({ session }) => session), "metadata", "child of parent"].sort());
      expect([by(false).app, by(true).app].flatMap(({ logged }) => logged)).toEqual([]);
    });

    test("SC-31 a child's turn is ended by the tool that waits for it, and booked by its parent once", async () => {
      const { app, found } = by(false);
      for (const [parent, steps] of [["parent", ["beta begins again", "beta ends again", "model"]], ["told parent", []]] as const) {
        expect(app.steps(`child of ${parent}`)).toEqual(steps);
        expect(found.find(({ sessionId }) => sessionId === parent)).toMatchObject({ result: { childrenUsage: [{ source: "helper", usage: { inputTokens: 20 } }] } });
        const session = await app.lash.openSession(parent);
        expect(await session.children.list()).toMatchObject([{ sessionId: `child of ${parent}`, usageSource: "helper", depth: 1 }]);
        expect((await session.usage()).bySource).toMatchObject({ turn: { inputTokens: 20 }, helper: { inputTokens: 20 } });
        expect(transcript(await app.lash.openSession(`child of ${parent}`))).toEqual(["User: Text dig", "Assistant: ToolCall {}", "User: ToolResult beta did it", "Assistant: Prose found it"]);
      }
    });

    test("SC-31 the model is shown the images of inputs and tools that were stored", () => {
      const { app } = by(false);
      expect(imagesOf(app, "image")).toEqual([[PNG(1)]]);
      expect(imagesOf(app, "photo")).toEqual([[PNG(2)]]);
      expect(imagesOf(app, "drained")).toEqual([[PNG(3)]]);
    });

    test("SC-31 the model is shown again what its provider had said beside its answer", () => {
      const { app, found } = by(false);
      expect(found.find(({ sessionId }) => sessionId === "metadata")).toMatchObject({ result: { isSuccess: true, usage: { inputTokens: 20 } } });
      expect(app.steps("metadata")).toEqual(["model"]);
      const blocks = app.requests("metadata")[0]?.messages.find(({ role }) => role === "assistant")?.blocks;
      expect(blocks).toHaveLength(3);
      expect(blocks).toEqual(expect.arrayContaining([
        expect.objectContaining({ type: "text", text: "Looking.", responseMeta: META.text }),
        expect.objectContaining({ type: "reasoning", text: "Hm.", replay: META.reasoning }),
        expect.objectContaining({ type: "toolCall", toolName: "beta", inputJson: "{}", replay: META.tool }),
      ]));
    });

    test("SC-31 a turn ends with the settings it was accepted with, the session goes on with its own", async () => {
      const { app } = by(false);
      expect(systemOf(app.requests("overlaid")[0] ?? never())).toContain("Only this once.");
      const overlaid = await app.lash.openSession("overlaid");
      expect(overlaid.observe().readView.policy.maxTurns).toBeNull();
      await overlaid.run("again");
      expect(systemOf(app.requests("overlaid")[1] ?? never())).not.toContain("Only this once.");

      expect(systemOf(app.requests("configuring")[0] ?? never())).not.toContain("Configured meanwhile.");
      const configured = await app.lash.openSession("configuring");
      expect(configured.observe().readView.policy.maxTurns).toBe(9);
      await configured.run("again");
      expect(systemOf(app.requests("configuring")[1] ?? never())).toContain("Configured meanwhile.");
    });

    test("SC-31 requests to cancel are in the results of the turns they ended", () => {
      const cancellations = ["cancel asked", "cancelling"].map((session) => by(false).found.find(({ sessionId }) => sessionId === session));
      expect(cancellations).toMatchObject([
        { result: { cancellation: { origin: "lash", reason: "not needed any more" } } },
        { result: { cancellation: { origin: "turn", reason: "not needed any more" } } },
      ]);
    });

    test("SC-31 inputs and work that a turn had taken are done with it, and can be taken back no more", async () => {
      const { app } = by(false);
      for (const [id, ...keys] of [["claiming", "injection:more"], ["heard", "injection:more"], ["yielding", "host:more"], ["injected", "injection:more"], ["drained", "host:1", "host:2"]] as const) {
        const session = await app.lash.openSession(id);
        const outcomes = await session.cancelTurnInputs(keys.map((value) => ({ kind: "source_key", value })));
        expect(outcomes.map(({ outcome }) => outcome)).toEqual(keys.map(() => "already_completed"));
        expect(await session.pendingTurnInputs()).toEqual([]);
      }
      for (const id of ["claiming work", "worked"]) expect(await (await app.lash.openSession(id)).queuedWork({ all: true })).toEqual([]);
    });

    test("SC-31 what was queued behind a turn comes after it, commands first", async () => {
      const { app } = by(false);
      const queued = await app.lash.openSession("queued");
      expect(await queued.queuedTurn({ drainId: "next" })).toMatchObject({ turnId: "next", isSuccess: true });
      expect(transcript(queued)).toEqual(["User: Text go", "Assistant: Prose done", "User: Text later", "Assistant: Prose done"]);
      expect(await queued.queuedTurn({ drainId: "work" })).toMatchObject({ isSuccess: true });
      expect(transcript(queued).slice(-2)).toEqual(["User: Text much later", "Assistant: Prose done"]);
      expect(await queued.queuedTurn()).toBeUndefined();
      expect(transcript(queued)).toEqual([]);
    });

    test("SC-31 a process that opens the store after that finds nothing in flight, and every session goes on", async () => {
      const { lash, clock } = by(true).app;
      for (const id of ["waiting", "half waiting"]) {
        await lash.completions.resolve(store.keys[id] ?? "", { status: "ok", payload: "at last" });
        await settled(clock, (await lash.openSession(id)).run("go", { turnId: "t" }));
      }
      const app = appOn(store.engine, { plugged: true });
      expect(await settled(app.clock, app.lash.recover())).toEqual([]);
      expect(app.allSteps()).toEqual([]);
      // A command is queued behind that one's turn, which begins its conversation anew.
      for (const { session: id } of [...ENDINGS, ...PLUGGED_ENDINGS].filter(({ session }) => session !== "queued")) {
        const session = await app.lash.openSession(id);
        const before = transcript(session);
        expect(await session.run("hello", { turnId: "after" })).toMatchObject({ isSuccess: true });
        expect(transcript(session).slice(0, before.length + 1)).toEqual([...before, "User: Text hello"]);
      }
    });
  });

  /** Two takeovers of the turn that waits beside tools that were cut off. */
  const takenUpTwice = async (): Promise<readonly App[]> => {
    const { engine } = await open();
    const apps = [appOn(engine), appOn(engine)];
    for (const app of apps) await settled(app.clock, app.lash.recover());
    return apps;
  };

  test("SC-31 a turn that waits beside tools that were cut off runs those again that may be, and waits", async () => {
    const [first] = await takenUpTwice();
    expect(first?.steps("half waiting")).toEqual(["beta begins again", "beta ends again"]);
  });

  // What the last running call of a batch came to is not recorded while another call of it waits for an answer.
  test("SC-31 a tool that ended beside a call that waits is not run by every process that takes the turn up", async () => {
    const [, second] = await takenUpTwice();
    expect(second?.steps("half waiting")).toEqual([]);
  });

  test.each([
    ["waiting", ["model"], "User: ToolResult yes | ToolResult alpha did it"],
    ["half waiting", ["beta begins again", "beta ends again", "model"], "User: ToolResult yes | ToolResult beta did it | ToolResult !tool_interrupted"],
  ])("SC-31 a turn that waits goes on with the answer, and asks nobody twice (%s)", async (id, steps, results) => {
    const { engine, keys } = await open();
    const app = appOn(engine);
    expect(await app.lash.completions.resolve(keys[id] ?? "", { status: "ok", payload: "yes" })).toEqual({ status: "accepted" });
    const session = await app.lash.openSession(id);
    expect(await settled(app.clock, session.run("go", { turnId: "t" }))).toMatchObject({ isSuccess: true, usage: { inputTokens: 20 } });
    expect(app.steps(id)).toEqual(steps);
    expect(transcript(session)[2]).toBe(results);
  });

  test("SC-31 who opens a session and asks for its turn by id is given that turn, ended", async () => {
    const { engine } = await open();
    const app = appOn(engine);
    const session = await app.lash.openSession("running");
    expect(await settled(app.clock, session.run("go", { turnId: "t" }))).toMatchObject({ turnId: "t", isSuccess: true, usage: { inputTokens: 20 } });
    expect(app.steps("running")).toEqual(["beta begins again", "beta ends again", "delta begins", "delta ends", "model"]);
    await expect(session.run("something else", { turnId: "t" })).rejects.toMatchObject({ code: "runtime_turn_commit_conflict" });
  });
}
