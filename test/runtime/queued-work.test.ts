// Queued work of a session: drained as turns, taken by running turns at their checkpoints, listed, taken back, waited for.

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { tool, type Session, type TurnActivity } from "../../src/index.ts";
import type { Json } from "../../src/domain/json.ts";
import type { Engine } from "../../src/stores/engine.ts";
import type { WorkDraft } from "../../src/stores/ingress-contract.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import { byToolResults, gate, manualClock, type ManualClock } from "../../src/testing/index.ts";
import { crashEverywhere } from "../support/crash-sweep.ts";
import { engineCases } from "../support/engines.ts";
import { testLash, transcriptOf } from "../support/lash.ts";
import { bury } from "../support/mortal.ts";
import { png } from "../support/pictures.ts";
import { heldLanes, keysOf, rowsOf } from "../support/rows.ts";

const IDLE = { deliveryPolicy: "after_current_turn_commit" } as const;
const NOW = { deliveryPolicy: "earliest_safe_boundary" } as const;

/** A wake as a process sends it. */
const delivery = (n: number, input: Json = `news ${n}`): Json => ({ wakeId: `wake:${n}`, processId: "p", eventType: "done", sequence: n, input });
const send = (engine: Engine, n: number, overrides: Partial<WorkDraft> = {}, clock = manualClock(1_000)) =>
  createPersistence(engine, { clock }).queue.enqueue({ sessionId: "s", ...NOW, slotPolicy: "exclusive", payloads: [{ type: "process_wake", wake: delivery(n) }], ...overrides });
const said = (n: number, input = `news ${n}`): string => `Event: Text Background process wake\nProcess: p\nEvent: done #${n}\nWake input:\n${input}`;

/** A tool during which `during` happens, and a model that calls it once. */
const looking = (during: () => Promise<unknown>) => ({
  tools: [tool({ name: "look", description: "", input: z.object({}), readOnly: true, run: async () => (await during(), "seen") })],
  script: byToolResults([{ toolCalls: [{ name: "look" }] }, "first", "second"]),
});
const nothing = (): Promise<void> => Promise.resolve();

describe.each(engineCases())("on $name", ({ open }) => {
  test("a wake is a turn of one event, told to the model last and remembered as what it was (I-27, T-10, T-36, FA-29)", async () => {
    const engine = open();
    const { lash, provider } = testLash({ engine, script: ["hm", "yes", "later"] });
    const session = await lash.openSession("s");
    await session.run("hello");
    const { batchId } = await send(engine, 1, { payloads: [{ type: "process_wake", wake: delivery(1) }, { type: "process_wake", wake: delivery(1) }, { type: "process_wake", wake: delivery(2, { value: { a: 1 } }) }] });
    const seen: TurnActivity[] = [];
    expect(await session.queuedTurn({ onActivity: (activity) => void seen.push(activity) })).toMatchObject({ text: "yes", isSuccess: true, turnId: expect.stringMatching(/^queue-drain:/) });
    expect(transcriptOf(session)).toEqual(["User: Text hello", "Assistant: Prose hm", said(1), said(2, '{"a":1}'), "Assistant: Prose yes"]);
    expect(session.observe().readView.messages[2]).toMatchObject({ id: "wake:1", role: "Event", origin: { kind: "process", processId: "p", eventType: "done", sequence: 1, wakeId: "wake:1" } });
    expect(seen[0]).toMatchObject({ type: "queued_work_started", boundary: "idle", batchIds: [batchId], causes: [{ id: "wake:1", eventType: "done" }, { id: "wake:2" }] });
    const told = (index: number) => provider.requests[index]?.messages.map(({ role, blocks }) => `${role}: ${blocks.map((block) => ("text" in block ? block.text : block.type)).join()}`) ?? [];
    expect(told(1).slice(0, 2)).toEqual(["user: hello", "assistant: hm"]);
    expect(told(1)[2]).toMatch(/^user: === TURN EVENTS ===\n--- event\[0\] · done · wake:1 ---\nOrigin: process p #1\nBackground process wake\n[^]*\n\n--- event\[1\] · done · wake:2 ---/);
    expect(told(1)).toHaveLength(3);
    await session.run("and?");
    expect(told(2)[2]).toMatch(/^user: Runtime event:\nBackground process wake/);
    expect([await session.queuedWork({ all: true }), await session.queuedTurn(), await heldLanes(engine)]).toEqual([[], undefined, []]);
  });

  test("a wake that comes while tools run, or while the last answer is given, enters that turn, once; later work waits (I-31, I-33, I-34, T-55, T-56, T-57)", async () => {
    const engine = open();
    let model = nothing;
    const { script, tools } = looking(async () => [await send(engine, 1), await send(engine, 1)]);
    const { lash } = testLash({ engine, tools, script: async (request, index) => (await model(), (script as (r: unknown, i: number) => never)(request, index)) });
    const session = await lash.openSession("s");
    let calls = 0;
    model = async () => {
      calls += 1;
      if (calls === 2) await send(engine, 2);
      if (calls === 3) await send(engine, 3, IDLE);
    };
    const seen: TurnActivity[] = [];
    const result = await session.run("go", { onActivity: (activity) => void seen.push(activity) });
    expect(result).toMatchObject({ isSuccess: true });
    expect(transcriptOf(session).filter((line) => line.startsWith("Event"))).toEqual([said(1), said(2)]);
    expect(transcriptOf(session).slice(0, 4)).toEqual(["User: Text go", "Assistant: ToolCall {}", "User: ToolResult seen", said(1)]);
    expect(seen.filter(({ type }) => type.startsWith("queued")).map(({ type, ...rest }) => [type, "boundary" in rest ? rest.boundary : "messages" in rest ? rest.messages.length : 0])).toEqual([
      ["queued_work_started", "active_turn_checkpoint"], ["queued_messages_committed", 1],
      ["queued_work_started", "active_turn_checkpoint"],
      ["queued_work_started", "active_turn_checkpoint"], ["queued_messages_committed", 1],
    ]);
    expect(await session.queuedWork({ all: true })).toMatchObject([{ items: [{ payload: { wake: { sequence: 3 } } }] }]);
    expect(await session.queuedTurn()).toBeDefined();
    expect(transcriptOf(session).at(-2)).toBe(said(3));
  });

  test("a drain of inputs absorbs a wake at its checkpoint; a turn that is cancelled has done its wake (I-26, I-33)", async () => {
    const engine = open();
    const hold = gate();
    const { lash } = testLash({ engine, ...looking(nothing), script: [{ toolCalls: [{ name: "look" }] }, { text: "x", before: hold }] });
    const session = await lash.openSession("s");
    await send(engine, 1);
    await session.enqueue("said");
    const cancel = new AbortController();
    const drain = session.queuedTurn({ signal: cancel.signal });
    await hold.reached;
    expect([await session.queuedWork(), (await session.queuedWork({ all: true })).length]).toEqual([[], 1]);
    cancel.abort();
    hold.open();
    expect(await drain).toMatchObject({ outcome: { stop: "cancelled" } });
    expect(transcriptOf(session)).toEqual(["User: Text said", "Assistant: ToolCall {}", "User: ToolResult seen", said(1)]);
    expect([await session.queuedWork({ all: true }), await session.queuedTurn()]).toEqual([[], undefined]);
  });

  test("a wake that is delivered again after its turn is told again and breaks nothing (I-50)", async () => {
    const engine = open();
    const session = await testLash({ engine, script: () => "ok" }).lash.openSession("s");
    for (let round = 0; round < 2; round++) {
      await send(engine, 1);
      expect(await session.queuedTurn()).toMatchObject({ isSuccess: true });
    }
    expect(session.observe().readView.messages.map(({ id }) => id.replace(/queue-drain:[^:]*/, "d"))).toEqual(["wake:1", "d:1", "d:0", "d:1"]);
  });

  test("chosen batches are drained under the first one's id, and only if they are next; inputs are spared (FA-29, I-22, I-29)", async () => {
    const engine = open();
    const session = await testLash({ engine, script: () => "ok" }).lash.openSession("s");
    const [a, b] = [await send(engine, 1, IDLE), await send(engine, 2, IDLE)];
    await session.enqueue("said");
    expect(await session.queuedTurn({ batchIds: [b.batchId] })).toBeUndefined();
    const first = await session.queuedTurn({ batchIds: [a.batchId] });
    expect(first).toMatchObject({ turnId: a.batchId, text: "ok" });
    expect(await session.queuedTurn({ batchIds: [a.batchId] })).toMatchObject({ turnId: a.batchId, headRevision: first?.headRevision });
    expect(transcriptOf(session)).toEqual([said(1), "Assistant: Prose ok"]);
    expect([(await session.pendingTurnInputs()).length, await session.queuedWork()]).toEqual([1, [b]]);
  });

  test("queued input: joined with its neighbours or alone, at once or after the commit; images come along (FA-41, I-52)", async () => {
    const engine = open();
    const { lash, provider } = testLash({ engine, script: () => "ok" });
    const session = await lash.openSession("s");
    const join = { ...IDLE, slotPolicy: "join" } as const;
    await session.enqueueTurnInput("a", join);
    await session.enqueueTurnInput({ items: [{ type: "text", text: "b" }, { type: "image_ref", id: "i" }], imageBlobs: { i: png(1) }, traceTurnId: "mine" }, join);
    await lash.maintenance.sweepAttachments(Number.MAX_SAFE_INTEGER);
    await session.enqueueTurnInput("c", { ...IDLE, slotPolicy: "exclusive" });
    expect(await session.queuedTurn()).toMatchObject({ isSuccess: true });
    expect(provider.requests[0]?.attachments).toMatchObject([{ data: png(1) }]);
    expect(await session.queuedTurn()).toMatchObject({ isSuccess: true });
    expect([transcriptOf(session), await session.queuedTurn()]).toEqual([["User: Text a\n\nb | Image ", "Assistant: Prose ok", "User: Text c", "Assistant: Prose ok"], undefined]);
  });

  test("queued input that may enter a running turn does, from any handle, and what is taken is not taken back (FA-41, I-40, I-52, I-53)", async () => {
    const engine = open();
    const other = await testLash({ engine }).lash.openSession("s");
    const { lash } = testLash({ engine, ...looking(async () => [await other.enqueueTurnInput("now", { ...NOW, slotPolicy: "exclusive" }), await other.enqueueTurnInput("later", { ...IDLE, slotPolicy: "exclusive" })]) });
    const session = await lash.openSession("s");
    await session.run("go");
    expect(transcriptOf(session).slice(3)).toEqual(["User: Text now", "Assistant: Prose first"]);
    const [left] = await session.queuedWork();
    expect(left?.items).toMatchObject([{ payload: { type: "turn_input", input: { items: [{ text: "later" }] } } }]);
    const { cursor } = session.observe();
    const batchId = left?.batchId ?? "";
    expect([await session.cancelQueuedWork(batchId), await session.cancelQueuedWork(batchId), await session.cancelQueuedWork("unknown")]).toEqual([left, undefined, undefined]);
    const keyed = await session.enqueueTurnInput("x", { ...IDLE, slotPolicy: "join", sourceKey: "k" });
    expect(await session.enqueueTurnInput("y", { ...IDLE, slotPolicy: "join", sourceKey: "k" })).toEqual(keyed);
    const resumed = session.resume(cursor);
    const changes = resumed.type === "replayed" ? resumed.events.flatMap(({ payload }) => (payload.type === "queue_changed" ? [payload] : [])) : [];
    expect(changes.slice(-3)).toEqual(([["cancelled", batchId], ["enqueued", keyed.batchId], ["enqueued", keyed.batchId]] as const).map(([kind, id]) => ({ type: "queue_changed", kind, batchIds: [id] })));
  });

  test("a batch whose input cannot be said settles with its turn, and does not come back (I-37, OP-4)", async () => {
    const engine = open();
    const session = await testLash({ engine }).lash.openSession("s");
    await session.enqueueTurnInput({ items: [{ type: "image_ref", id: "i" }], imageBlobs: { i: png(1) } }, { ...IDLE, slotPolicy: "exclusive" });
    for (const { key } of (await rowsOf(engine)).filter(({ key: at }) => at[0] === "content" || at[0] === "piece")) await engine.write(async (tx) => tx.delete(key));
    expect(await session.queuedTurn()).toMatchObject({ outcome: { kind: "stopped", stop: "invalid_input" } });
    expect([await session.queuedWork({ all: true }), await session.queuedTurn(), await heldLanes(engine)]).toEqual([[], undefined, []]);
  });

  test("waiting for a batch ends when it is done, taken back or unknown, here and elsewhere, and when the session is closed (FA-37, I-43)", async () => {
    const engine = open();
    const { lash, clock } = testLash({ engine, script: () => "ok" });
    const session = await lash.openSession("s");
    await session.awaitQueuedWorkBatch("unknown");
    const [a, b, c, d] = [await send(engine, 1, IDLE), await send(engine, 2, IDLE), await send(engine, 3, IDLE), await send(engine, 4, IDLE)];
    const done: string[] = [];
    const waiting = [a, b, c].map(({ batchId }, index) => session.awaitQueuedWorkBatch(batchId).then(() => void done.push("abc"[index] ?? "")));
    const left = session.awaitQueuedWorkBatch(d.batchId).catch((error: unknown) => error);
    const given = new AbortController();
    const givenUp = session.awaitQueuedWorkBatch(d.batchId, { signal: given.signal }).catch((error: unknown) => error);
    given.abort("enough");
    expect(await givenUp).toBe("enough");
    await session.queuedTurn();
    await waiting[0];
    await session.cancelQueuedWork(b.batchId);
    await waiting[1];
    expect(done).toEqual(["a", "b"]);
    await createPersistence(engine, { clock }).queue.cancel("s", c.batchId);
    for (let ms = 0; ms < 400 && done.length < 3; ms += 25) await clock.advance(25);
    await waiting[2];
    await session.close();
    expect(await left).toMatchObject({ code: "session_closed" });
    expect(clock.pendingTimers).toBe(0);
  });

  test("a turn that died with work is finished with it by another process; until then nobody else has it (I-13, I-16, E-45)", async () => {
    const engine = open();
    const clock = manualClock(1_000);
    const hold = gate();
    const dying = await testLash({ engine, clock, ...looking(() => send(engine, 2, {}, clock)), script: [{ toolCalls: [{ name: "look" }] }, { text: "x", before: hold }] }).lash.openSession("s");
    const { batchId } = await send(engine, 1, {}, clock);
    void dying.queuedTurn({ drainId: "d" }).catch(() => undefined);
    await hold.reached;
    await bury(engine);
    const next = testLash({ engine, clock: manualClock(clock.now() + 31_000), ...looking(() => expect.fail("it ran again")), script: ["y"] });
    const store = createPersistence(engine, { clock: next.clock });
    expect([await store.queue.cancel("s", batchId), await store.queue.listPending("s")]).toEqual([undefined, []]);
    expect(await next.lash.recover()).toMatchObject([{ turnId: "d", result: { text: "y" } }]);
    const session = await next.lash.openSession("s");
    expect(transcriptOf(session)).toEqual([said(1), "Assistant: ToolCall {}", "User: ToolResult seen", said(2), "Assistant: Prose y"]);
    expect([await session.queuedWork({ all: true }), await session.queuedTurn()]).toEqual([[], undefined]);
  });
});

describe("without a journal", () => {
  test("work is drained and taken at checkpoints as well (I-20, I-31)", async () => {
    const engine = memoryEngine();
    const session = await testLash({ engine, effects: "inline", ...looking(() => send(engine, 2)) }).lash.openSession("s");
    await send(engine, 1);
    expect(await session.queuedTurn()).toMatchObject({ text: "first" });
    expect(transcriptOf(session)).toEqual([said(1), "Assistant: ToolCall {}", "User: ToolResult seen", said(2), "Assistant: Prose first"]);
    expect(await session.queuedWork({ all: true })).toEqual([]);
  });
});

describe("hostile deliveries", () => {
  test.each<readonly [string, Json, string]>([
    ["an id that a message of the turn could have", { wakeId: "d:1", text: "x" }, "x"],
    ["an id that no key can hold", { wakeId: `wake:${"\0".repeat(3)}${"x".repeat(900)}`, text: "x" }, "x"],
    ["no object", 7, "7"],
    ["fields of other kinds", { wakeId: 1, processId: 2, eventType: null, sequence: "3", input: null, text: "y" }, "y"],
    ["keys of prototypes", JSON.parse('{"__proto__":{"text":"evil"},"input":{"text":"z"}}') as Json, "z"],
  ])("a delivery with %s is an event like any other (I-48, design 10)", async (_what, wake, text) => {
    const engine = memoryEngine();
    const session = await testLash({ engine }).lash.openSession("s");
    await send(engine, 1, { payloads: [{ type: "process_wake", wake }] });
    expect(await session.queuedTurn({ drainId: "d" })).toMatchObject({ text: "done" });
    expect(transcriptOf(session)[0]).toBe(`Event: Text Background process wake\nProcess: unknown\nEvent: process.wake #0\nWake input:\n${text}`);
  });
});

describe("bad input", () => {
  test.each<readonly [string, (session: Session) => Promise<unknown>, string]>([
    ["an input that is none", (session) => session.enqueueTurnInput(7 as never, { ...NOW, slotPolicy: "join" }), "input"],
    ["no policies", (session) => session.enqueueTurnInput("a", undefined as never), "turn input policies"],
    ["an unknown delivery", (session) => session.enqueueTurnInput("a", { deliveryPolicy: "soon", slotPolicy: "join" } as never), "deliveryPolicy"],
    ["an unknown slot", (session) => session.enqueueTurnInput("a", { ...NOW, slotPolicy: "x" } as never), "slotPolicy"],
    ["a blank key", (session) => session.enqueueTurnInput("a", { ...NOW, slotPolicy: "join", sourceKey: " " }), "sourceKey"],
    ["an image without bytes", (session) => session.enqueueTurnInput({ items: [{ type: "image_ref", id: "i" }] }, { ...NOW, slotPolicy: "join" }), "input.items[0]"],
    ["a batch id that is none", (session) => session.cancelQueuedWork(1 as never), "batchId"],
    ["a batch id to wait for that is blank", (session) => session.awaitQueuedWorkBatch(""), "batchId"],
    ["no batch ids", (session) => session.queuedTurn({ batchIds: [] }), "batchIds"],
    ["a batch id that is too long", (session) => session.queuedTurn({ batchIds: ["x".repeat(1_000)] }), "batchIds[0]"],
    ["a reason that is none", (session) => session.commands.reset(1 as never, "k"), "reason"],
    ["a command's key that is too long", (session) => session.commands.reset("r", "x".repeat(1_000)), "key"],
  ])("%s is refused by name, before anything is durable (FA-41, FA-62, design 10)", async (_what, ask, field) => {
    const engine = memoryEngine();
    const session = await testLash({ engine }).lash.openSession("s");
    const before = await keysOf(engine);
    await expect(ask(session)).rejects.toMatchObject({ code: "invalid_argument", details: { field } });
    expect(await keysOf(engine)).toEqual(before);
  });
});

describe("crashes", { timeout: 60_000 }, () => {
  test("a drain that dies at any engine call around the work it begins with and takes on its way has said all of it once (I-31, I-33, I-12, E-45)", async () => {
    const hostOn = (engine: Engine, clock: ManualClock) => testLash({ engine, clock, ...looking(nothing) }).lash;
    const points = await crashEverywhere({
      open: memoryEngine,
      world: () => null,
      prepare: async (disk, clock) => {
        await send(disk, 1, {}, clock);
        await send(disk, 2, {}, clock);
      },
      job: async ({ engine }, clock) => {
        const lash = hostOn(engine, clock);
        await (await lash.openSession("s")).queuedTurn();
        await lash.close();
      },
      check: async (disk, clock) => {
        const lash = hostOn(disk, clock);
        await lash.recover();
        const session = await lash.openSession("s");
        await session.queuedTurn();
        expect(transcriptOf(session)).toEqual([said(1), "Assistant: ToolCall {}", "User: ToolResult seen", said(2), "Assistant: Prose first"]);
        expect([await session.queuedWork({ all: true }), await session.queuedTurn(), await heldLanes(disk)]).toEqual([[], undefined, []]);
        await lash.close();
      },
    });
    expect(points).toBeGreaterThan(50);
  });
});
