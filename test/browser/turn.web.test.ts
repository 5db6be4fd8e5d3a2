// The runtime in a page: one turn on IndexedDB, and two runtimes that share a database as two tabs do.

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { createLash, tool, type LashOptions, type SessionSighting } from "../../src/index.ts";
import { indexedDb } from "../../src/stores/indexeddb/store.ts";
import { byAssistantMessages, byToolResults, gate, scriptedProvider, type ProviderScript } from "../../src/testing/index.ts";

const open = (name: string, script: ProviderScript, options: LashOptions = {}) =>
  createLash({ store: indexedDb(name), provider: scriptedProvider(script), logger: () => {}, ...options });

const fresh = (): string => `tab ${crypto.randomUUID()}`;

async function next<T extends SessionSighting["type"]>(sightings: AsyncIterator<SessionSighting>, type: T): Promise<Extract<SessionSighting, { type: T }>> {
  for (;;) {
    const { value, done } = await sightings.next();
    if (done) throw new Error(`the session was closed before ${type}`);
    if (value.type === type) return value as Extract<SessionSighting, { type: T }>;
  }
}

describe("a turn in a page", () => {
  test("calls its tool, is committed, and is there after a reopen (FA-2)", async () => {
    const name = fresh();
    const clock = tool({ name: "clock", description: "time", input: z.object({}), readOnly: true, run: () => "noon" });
    const script = byToolResults([{ toolCalls: [{ name: "clock" }] }, "it is noon"]);
    const first = open(name, script, { tools: [clock] });
    const session = await first.openSession("chat");
    const result = await session.run("what time is it?", { turnId: "t" });
    expect(result).toMatchObject({ text: "it is noon", isSuccess: true, toolCalls: [{ toolName: "clock", status: "success" }] });
    await first.close();

    const second = open(name, script, { tools: [clock] });
    const reopened = await second.openSession("chat");
    expect(reopened.observe().readView.messages.map(({ role }) => role)).toEqual(["User", "Assistant", "User", "Assistant"]);
    expect(await reopened.run("what time is it?", { turnId: "t" })).toMatchObject({ text: "it is noon", headRevision: 1 });
    await second.close();
  });

  test("frees its lock when the lash is closed, and not before (OP-14)", async () => {
    const name = fresh();
    const lash = open(name, ["hello"]);
    const session = await lash.openSession("chat");
    await session.run("hi");
    const locks = async () => (await navigator.locks.query()).held?.filter((lock) => lock.name?.startsWith(`lash:indexeddb:${name}:`)).length;
    expect(await locks()).toBe(1);
    await lash.close();
    await expect.poll(locks).toBe(0);
  });
});

describe("two runtimes on one database", () => {
  test("the one that watches sees the deltas of the one that drives, and then the commit (design 7.13)", async () => {
    const name = fresh();
    const hold = gate();
    const [driving, watching] = [open(name, [{ text: ["one ", hold, "two"] }]), open(name, ["never asked"])];
    const driver = await driving.openSession("chat");
    const watcher = await watching.openSession("chat");
    const sightings = watcher.watch();
    const before = watcher.observe().cursor;
    const result = driver.run("count", { turnId: "t" });
    expect(await next(sightings, "turn_started")).toMatchObject({ turnId: "t", here: false, recovered: false });
    await hold.reached;
    await next(sightings, "turn_activity");
    const words = [(await next(sightings, "turn_activity")).activity];
    hold.open();
    words.push((await next(sightings, "turn_activity")).activity);
    expect(words.map((activity) => activity.type === "assistant_prose_delta" && activity.text)).toEqual(["one ", "two"]);
    expect(await next(sightings, "turn_ended")).toMatchObject({ turnId: "t", here: false });
    const { headRevision } = await result;
    await expect.poll(() => watcher.observe().readView.revision).toBe(headRevision);
    expect(watcher.observe().readView.messages).toHaveLength(2);
    // Told by the driver, or, where this runtime has looked into the store before that, by a gap (OP-16).
    const resumed = watcher.resume(before);
    expect(resumed.type === "gap" ? resumed.observation.revision : resumed.events.at(-1)?.revision).toBe(headRevision);
    await Promise.all([driving.close(), watching.close()]);
  });

  test("one that opens in the middle of a turn is told what it missed (O-61)", async () => {
    const name = fresh();
    const hold = gate();
    const driving = open(name, [{ text: ["so far", hold, " and on"] }]);
    const result = (await driving.openSession("chat")).run("go", { turnId: "t" });
    await hold.reached;
    const watching = open(name, ["never asked"]);
    const sightings = (await watching.openSession("chat")).watch();
    expect(await next(sightings, "turn_started")).toMatchObject({ turnId: "t", here: false });
    expect((await next(sightings, "turn_activity")).activity.type).toBe("model_request_started");
    expect((await next(sightings, "turn_activity")).activity).toMatchObject({ type: "assistant_prose_delta", text: "so far" });
    hold.open();
    await result;
    await Promise.all([driving.close(), watching.close()]);
  });

  test("a turn asked of the one that watches, and that does not wait, is session_execution_busy, loses nothing, and works afterwards (T-1)", async () => {
    const name = fresh();
    const hold = gate();
    const script = byAssistantMessages([{ text: "one", before: hold }, "two"]);
    const [driving, watching] = [open(name, script), open(name, script)];
    const [driver, watcher] = [await driving.openSession("chat"), await watching.openSession("chat")];
    const first = driver.run("a");
    await hold.reached;
    await expect(watcher.run("b", { turnId: "mine", wait: false })).rejects.toMatchObject({ code: "session_execution_busy" });
    hold.open();
    expect((await first).text).toBe("one");
    expect(await watcher.run("b", { turnId: "mine" })).toMatchObject({ text: "two", headRevision: 2 });
    await expect.poll(() => driver.observe().readView.revision).toBe(2);
    await Promise.all([driving.close(), watching.close()]);
  });

  test("a branch made by one is seen by the other", async () => {
    const name = fresh();
    const [driving, watching] = [open(name, ["one"]), open(name, ["never asked"])];
    const [driver, watcher] = [await driving.openSession("chat"), await watching.openSession("chat")];
    await driver.run("a");
    await expect.poll(() => watcher.observe().readView.messages.length).toBe(2);
    await driver.branch({ at: null });
    expect(driver.observe().readView.messages).toHaveLength(0);
    await expect.poll(() => watcher.observe().readView.messages.length).toBe(0);
    await Promise.all([driving.close(), watching.close()]);
  });

  test("an answer to a pending tool given in one wakes the turn of the other at once (OP-9)", async () => {
    const { pending } = await import("../../src/index.ts");
    const name = fresh();
    const key = Promise.withResolvers<string>();
    const ask = tool({ name: "ask", description: "asks a person", input: z.object({}), run: async (_args, call) => (key.resolve(await call.completionKey()), pending()) });
    const script = byToolResults([{ toolCalls: [{ name: "ask" }] }, "thanks"]);
    const [driving, answering] = [open(name, script, { tools: [ask] }), open(name, script, { tools: [ask] })];
    const result = (await driving.openSession("chat")).run("go");
    expect(await answering.completions.resolve(await key.promise, { status: "ok", payload: "yes" })).toMatchObject({ status: "accepted" });
    expect((await result).text).toBe("thanks");
    await Promise.all([driving.close(), answering.close()]);
  });
});
