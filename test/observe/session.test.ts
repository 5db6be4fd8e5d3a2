// Observing a session by cursor: what a host sees with observe, resume and subscribe (observation.md sections 2 to 6).

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { inMemoryLiveReplay, switchFrame, tool, type GapRecovery, type LiveReplayStore, type ObservationPayload, type Session, type SessionObservationEvent, type SubscriptionItem } from "../../src/index.ts";
import { byAssistantMessages, gate } from "../../src/testing/index.ts";
import { engineCases } from "../support/engines.ts";
import { testLash, transcriptOf } from "../support/lash.ts";

/** What an event is about, in a word. */
function brief({ payload }: SessionObservationEvent): string {
  if (payload.type === "turn_activity") return "text" in payload.activity ? payload.activity.text : payload.activity.type;
  if (payload.type === "committed") return `committed ${payload.readView.revision}: ${payload.readView.messages.length}`;
  return payload.type === "queue_changed" ? `${payload.kind} ${payload.batchIds.length}` : `switched to ${payload.frameId}`;
}

const replayed = (session: Session, cursor: string): readonly string[] => {
  const resumed = session.resume(cursor);
  return resumed.type === "replayed" ? resumed.events.map(brief) : [`gap: ${resumed.gap.reason}`];
};

const itemOf = ({ event, gap }: SubscriptionItem): string => (event ? brief(event) : `gap: ${gap?.reason}`);

/** The next item as it is, however long it takes. */
async function next(items: AsyncIterator<SubscriptionItem>): Promise<SubscriptionItem> {
  const { value, done } = await items.next();
  if (done === true) throw new Error("it has ended");
  return value;
}

/** Everything up to and with the next commit. */
async function untilCommit(items: AsyncIterator<SubscriptionItem>): Promise<readonly string[]> {
  const seen: string[] = [];
  for (;;) {
    const item = itemOf(await next(items));
    seen.push(item);
    if (item.startsWith("committed")) return seen;
  }
}

type OnAsked = (name: string, args: readonly unknown[]) => void;

/** A replay store that counts what it is asked, and fails where it is told to. */
function watchedReplay(): { readonly store: LiveReplayStore; readonly asked: string[]; fail(failing: (name: string) => boolean): void; onAsked(listener: OnAsked): void } {
  const inner = inMemoryLiveReplay();
  const asked: string[] = [];
  let fails = (_name: string): boolean => false;
  let listen: OnAsked = () => {};
  const store = new Proxy(inner, {
    get: (target, name) => (...args: unknown[]) => {
      asked.push(String(name));
      listen(String(name), args);
      if (fails(String(name))) throw new Error("the buffer is gone");
      return (target[name as keyof LiveReplayStore] as (...all: unknown[]) => unknown).apply(target, args);
    },
  });
  return { store, asked, fail: (failing) => void (fails = failing), onAsked: (listener) => void (listen = listener) };
}

describe.each(engineCases())("on $name", ({ open }) => {
  test("a cursor replays the running turn to one that comes late, then what comes, then the commit, and nothing twice (O-1, O-14, O-24, O-61, OP-16, FA-51)", async () => {
    const hold = gate();
    const { lash } = testLash({ engine: open(), script: ["before", { text: ["one ", "two ", hold, "three"] }] });
    const session = await lash.openSession("s");
    await session.run("a");
    const { cursor } = session.observe();
    const running = session.run("b");
    await hold.reached;
    expect(session.observe()).toMatchObject({ cursor, revision: 1 });
    expect(replayed(session, cursor)).toEqual(["model_request_started", "one two "]);
    const late = session.subscribe();
    const seen = [itemOf(await next(late)), itemOf(await next(late))];
    const waiting = next(late);
    hold.open();
    seen.push(itemOf(await waiting), ...(await untilCommit(late)));
    await running;
    expect(seen).toEqual(["model_request_started", "one two ", "three", "usage", "committed 2: 4"]);
    expect(replayed(session, cursor)).toEqual(["model_request_started", "one two three", "usage", "committed 2: 4"]);
    expect(replayed(session, session.observe().cursor)).toEqual([]);
    await lash.close();
    expect(await late.next()).toEqual({ done: true, value: undefined });
  });

  test("an observation is one value that never changes, with policy, usage by source and model, and what is recorded (O-3, O-49, O-50, O-52, O-61)", async () => {
    const look = tool({ name: "look", description: "Looks.", input: z.object({}), run: () => "seen" });
    const engine = open();
    const { lash } = testLash({ engine, script: byAssistantMessages(["one", "two"]), tools: [look], model: { id: "big" } });
    const session = await lash.openSession("s");
    const empty = session.observe();
    expect(empty).toMatchObject({ sessionId: "s", revision: 0, policy: { model: { id: "big" } }, usageReport: { entryCount: 0, usage: { totalTokens: 0 }, bySource: {} } });
    await session.run("a");
    await session.run("b");
    const observed = session.observe();
    expect(session.observe()).toBe(observed);
    expect(observed.readView).toBe(session.view.getSnapshot().context.view);
    const totals = { inputTokens: 20, outputTokens: 10, totalTokens: 30 };
    expect(observed.usageReport).toMatchObject({ entryCount: 1, usage: totals, bySource: { turn: totals }, byModel: { big: totals }, bySourceModel: [{ source: "turn", model: "big", usage: totals }] });
    expect(observed.persistedState).toMatchObject({ headRevision: 2, turnIndex: 2, frames: [{ reason: "initial" }] });
    expect(observed.toolCatalog).toMatchObject([{ name: "look", description: "Looks.", inputSchema: { type: "object" } }]);
    expect([empty.revision, empty.readView.messages, Object.isFrozen(observed)]).toEqual([0, [], true]);
    await lash.close();
    // What is read back is what was counted.
    const reopened = testLash({ engine });
    expect((await reopened.lash.openSession("s")).observe().usageReport).toEqual(observed.usageReport);
  });
});

describe("events", () => {
  test("a switch of frames comes right before its commit, which is shown already (T-69, S-22, O-10, O-16)", async () => {
    const move = tool({ name: "move", description: "", input: z.object({}), readOnly: true, run: () => switchFrame({ frameId: "work", task: "carry on" }) });
    const { store, onAsked } = watchedReplay();
    const { lash } = testLash({ script: [{ toolCalls: [{ name: "move" }] }, "arrived"], tools: [move], liveReplay: store });
    const session = await lash.openSession("s");
    const { cursor } = session.observe();
    const shownBefore: unknown[] = [];
    onAsked((name, [, revision, payload]) => {
      if (name === "append" && (payload as ObservationPayload).type === "committed") shownBefore.push([revision, session.observe().revision]);
    });
    const shown: string[] = [];
    session.view.subscribe(({ context }) => shown.push(context.view.currentFrameId));
    await session.run("go");
    const events = replayed(session, cursor).filter((event) => /switched|committed/.test(event));
    expect(events).toEqual(["switched to work", "committed 1: 0", "committed 2: 2"]);
    const resumed = session.resume(cursor);
    const commits = resumed.type === "replayed" ? resumed.events.flatMap(({ payload }) => (payload.type === "committed" ? [payload.readView] : [])) : [];
    expect(commits.map(({ currentFrameId, turnIndex }) => [currentFrameId, turnIndex])).toEqual([["work", 1], ["work", 2]]);
    expect(shown).toEqual(["work", "work"]);
    expect(shownBefore).toEqual([[1, 1], [2, 2]]);
  });

  test("inputs that are enqueued and really cancelled are told by id, one event per call, also while a turn runs (O-15, I-44, FA-53)", async () => {
    const hold = gate();
    const { lash } = testLash({ script: [{ text: "one", before: hold }] });
    const session = await lash.openSession("s");
    const running = session.run("go");
    await hold.reached;
    const start = session.observe().cursor;
    const [a, b] = [await session.enqueue("a"), await session.enqueue("b", { id: "b" })];
    await session.cancelTurnInput({ kind: "input_id", value: a.inputId });
    await session.cancelTurnInputs([{ kind: "input_id", value: a.inputId }, { kind: "source_key", value: "nobody's" }]);
    await session.cancelTurnInputsFrom({ kind: "input_id", value: a.inputId });
    await expect(session.enqueue("other", { id: "b" })).rejects.toMatchObject({ code: "store_commit_failed" });
    const resumed = session.resume(start);
    const changes = resumed.type === "replayed" ? resumed.events.flatMap(({ payload }) => (payload.type === "queue_changed" ? [[payload.kind, ...payload.batchIds]] : [])) : [];
    expect(changes).toEqual([["enqueued", a.inputId], ["enqueued", b.inputId], ["cancelled", a.inputId], ["cancelled", b.inputId]]);
    hold.open();
    await running;
  });

  test("changes beside turns are told at once, what fails or changes nothing is not (O-12)", async () => {
    const { lash } = testLash({ script: ["one"] });
    const session = await lash.openSession("s");
    const { cursor } = session.observe();
    await session.configure({ maxTurns: 3 });
    expect(session.observe()).toMatchObject({ revision: 1, policy: { maxTurns: 3 } });
    await session.configure({ maxTurns: 3 });
    await expect(session.branch({ at: "nothing" })).rejects.toMatchObject({ code: "invalid_argument" });
    await session.reset();
    expect(replayed(session, cursor)).toEqual(["committed 1: 0", expect.stringMatching(/^switched to s:frame:reset:/), "committed 2: 0"]);
  });

  test("handles of one session in one runtime see the same, whoever of them drives", async () => {
    const hold = gate();
    const { lash } = testLash({ script: [{ text: ["so far", hold, " and on"] }] });
    const [driver, other] = [await lash.openSession("s"), await lash.openSession("s")];
    const { cursor } = other.observe();
    const running = driver.run("go");
    await hold.reached;
    expect(replayed(other, cursor)).toEqual(["model_request_started", "so far"]);
    hold.open();
    await running;
    expect(other.observe()).toMatchObject({ revision: 1, cursor: driver.observe().cursor });
    expect(transcriptOf(other)).toEqual(transcriptOf(driver));
    expect(other.view.getSnapshot().context.view.revision).toBe(1);
    await driver.close();
    expect(replayed(other, cursor)).toEqual(["model_request_started", "so far and on", "usage", "committed 1: 2"]);
    await other.close();
    // Nobody keeps it any more: what was told in this life is not told in the next.
    expect(replayed(await lash.openSession("s"), cursor)).toEqual(["gap: unavailable"]);
  });
});

describe("cursors that lead nowhere", () => {
  test("malformed ones and those of another session are refused before the replay store is asked, and name what is wrong (O-5, O-18, FA-52)", async () => {
    const { store, asked } = watchedReplay();
    const { lash } = testLash({ liveReplay: store });
    const [session, other] = [await lash.openSession("s:1"), await lash.openSession("s:2")];
    const foreign = other.observe().cursor;
    asked.length = 0;
    for (const ask of [session.resume.bind(session), session.subscribe.bind(session), session.subscribeFrom.bind(session)]) {
      for (const [cursor, code] of [["", "session_cursor_malformed"], ["lashsc1:0:0:s:1", "session_cursor_malformed"], [null, "session_cursor_malformed"], [foreign, "session_cursor_wrong_session"]] as const) {
        const caught = expect.objectContaining({ code: "live_replay", cause: expect.objectContaining({ code }) });
        expect(() => ask(cursor as string)).toThrow(caught);
      }
      expect(() => ask(foreign)).toThrow(/s:2.*s:1/);
    }
    expect(asked).toEqual([]);
  });

  test("a gap comes as an item with what is committed, and then it goes on; the turn that runs is told whole if it is kept (O-5, O-28, O-29, FA-52)", async () => {
    const hold = gate();
    const { lash } = testLash({ script: ["one", { text: ["kept", hold, " too"] }], liveReplay: inMemoryLiveReplay({ maxEvents: 4 }) });
    const session = await lash.openSession("s");
    const { cursor } = session.observe();
    await session.run("a");
    const running = session.run("b");
    await hold.reached;
    const items = session.subscribe(cursor);
    const { gap, observation } = (await next(items)) as GapRecovery;
    expect(gap).toEqual({ sessionId: "s", requestedCursor: cursor, latestCursor: observation.cursor, latestRevision: 1, reason: "trimmed" });
    expect(observation).toMatchObject({ revision: 1, readView: { messages: [{ role: "User" }, { role: "Assistant" }] } });
    expect([itemOf(await next(items)), itemOf(await next(items))]).toEqual(["model_request_started", "kept"]);
    hold.open();
    expect(await untilCommit(items)).toEqual([" too", "usage", "committed 2: 4"]);
    await running;
    expect(session.subscribeFrom(cursor)).toMatchObject({ type: "gap", gap: { reason: "trimmed" } });
  });

  test("one that reads slowly changes nothing for the turn, and learns what it has missed by a gap (O-25, O-28, FA-53)", async () => {
    const script = [{ toolCalls: Array.from({ length: 30 }, () => ({ name: "look" })) }, "done"];
    const look = tool({ name: "look", description: "", input: z.object({}), readOnly: true, run: () => "seen" });
    const { lash } = testLash({ script, tools: [look], liveReplay: inMemoryLiveReplay({ maxEvents: 8 }) });
    const session = await lash.openSession("s");
    const [items, plain] = [session.subscribe(), session.subscribeFrom(session.observe().cursor)];
    const first = next(items);
    if (plain.type === "gap") throw new Error("a gap");
    const result = await session.run("go");
    expect(result.toolCalls).toHaveLength(30);
    await first;
    expect(await next(items)).toMatchObject({ gap: { reason: "trimmed", latestCursor: session.observe().cursor }, observation: { revision: 1 } });
    await expect(plain.subscription.next()).rejects.toMatchObject({ code: "live_replay", cause: { code: "live_replay_lagged", details: { count: expect.any(Number) } } });
    expect(brief((await plain.subscription.next()).value)).toMatch(/tool_call|model_request/);
    await session.enqueue("more");
    expect(itemOf(await next(items))).toBe("enqueued 1");
  });
});

test.each([["append", /^append$/], ["everything", /./]])("a replay store in which %s fails is logged, and neither the turn nor the queue hears of it; readers recover by a gap (O-11, FA-53)", async (_name, failing) => {
  const { store, fail } = watchedReplay();
  const { lash, logged } = testLash({ script: ["one", "two"], liveReplay: store });
  const session = await lash.openSession("s");
  await session.run("a");
  const { cursor } = session.observe();
  fail((name) => failing.test(name));
  expect((await session.run("b")).text).toBe("two");
  await session.enqueue("c");
  expect(session.observe()).toMatchObject({ revision: 2, readView: { turnIndex: 2 } });
  if (failing.test("replayAfterCursor")) {
    expect(() => session.resume(cursor)).toThrow(expect.objectContaining({ code: "live_replay", cause: expect.objectContaining({ code: "live_replay_store" }) }));
    await expect(session.subscribe(cursor).next()).rejects.toMatchObject({ code: "live_replay" });
  }
  expect(logged.filter(({ event }) => event === "live_replay.append_failed")).toEqual([expect.objectContaining({ level: "warn", sessionId: "s", message: "the buffer is gone" })]);
  fail(() => false);
  await session.enqueue("d");
  // The commit was not told: who waited for it must not be left in the dark.
  expect(session.resume(cursor)).toMatchObject({ type: "gap", observation: { revision: 2 } });
  expect(replayed(session, session.observe().cursor)).toContain("enqueued 1");
});

test("what is still under way when the last handle is closed is told to nobody, and keeps nothing (O-11)", async () => {
  const { store, asked } = watchedReplay();
  const { lash } = testLash({ liveReplay: store });
  const session = await lash.openSession("s");
  await session.run("a");
  const enqueuing = session.enqueue("b");
  await session.close();
  await enqueuing;
  expect(asked.filter((name) => name === "forget")).toHaveLength(1);
  expect(asked.at(-1)).toBe("forget");
  expect(session.observe()).toMatchObject({ revision: 1 });
});

test("reading ends with its signal, by leaving and with its handle, also while it waits (O-28)", async () => {
  const { lash } = testLash();
  const session = await lash.openSession("s");
  const [clone, stop] = [session.clone(), new AbortController()];
  const readers = [session.subscribe(undefined, { signal: stop.signal }), session.subscribe(), clone.subscribe()] as const;
  const waiting = readers.map((reader) => reader.next());
  stop.abort();
  await readers[1].return?.();
  await clone[Symbol.asyncDispose]();
  expect(await Promise.all(waiting)).toEqual(readers.map(() => ({ done: true, value: undefined })));
  expect(() => clone.subscribe()).toThrow(expect.objectContaining({ code: "session_closed" }));
  for (const liveReplay of [{}, null, "memory", { append: () => undefined }]) {
    expect(() => testLash({ liveReplay: liveReplay as never })).toThrow(expect.objectContaining({ code: "invalid_argument", details: { field: "liveReplay" } }));
  }
});
