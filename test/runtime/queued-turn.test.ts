// Input that waits for the next turn: admitted, listed, taken back, and drained as one turn that ends even if its process does not.

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { tool, type TurnInput } from "../../src/index.ts";
import type { Engine } from "../../src/stores/engine.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { byToolResults, gate, manualClock, type ManualClock } from "../../src/testing/index.ts";
import { crashEverywhere } from "../support/crash-sweep.ts";
import { plugin } from "../../src/plugins/index.ts";
import { engineCases } from "../support/engines.ts";
import { testLash, transcriptOf } from "../support/lash.ts";
import { bury } from "../support/mortal.ts";
import { png } from "../support/pictures.ts";
import { heldLanes, keysOf, rowsOf } from "../support/rows.ts";

const image = (text: string): TurnInput => ({ items: [{ type: "text", text }, { type: "image_ref", id: "i" }], imageBlobs: { i: png(1) } });
const bySource = (value: string) => ({ kind: "source_key", value }) as const;

describe.each(engineCases())("on $name", ({ open }) => {
  test("an input is durable when enqueue resolves, also while another owner runs the session (FA-35, I-1)", async () => {
    const engine = open();
    const hold = gate();
    const running = await testLash({ engine, script: [{ text: "x", before: hold }] }).lash.openSession("s");
    const { result } = running.turn("go");
    await hold.reached;
    const { lash } = testLash({ engine });
    const session = await lash.openSession("s");
    const input = await session.enqueue("later", { id: "a" });
    expect(input).toMatchObject({ sessionId: "s", enqueueSeq: 1, sourceKey: "host:a", ingress: { scope: "next_turn" }, state: "deferred_next_turn", input: { items: [{ type: "text", text: "later" }] } });
    expect(await session.queuedTurn()).toBeUndefined();
    hold.open();
    expect(await result).toMatchObject({ text: "x" });
    expect(transcriptOf(running)).toEqual(["User: Text go", "Assistant: Prose x"]);
    await lash.close();
    expect(await (await testLash({ engine }).lash.openSession("s")).pendingTurnInputs()).toEqual([input]);
  });

  test("enqueued again under one id it is the input that is there, in whatever state; other content is a conflict (FA-35, I-2, I-3)", async () => {
    const session = await testLash({ engine: open() }).lash.openSession("s");
    const first = await session.enqueue("a", { id: "k" });
    expect(await session.enqueue("a", { id: "k" })).toEqual(first);
    await expect(session.enqueue("b", { id: "k" })).rejects.toMatchObject({ code: "store_commit_failed", details: { causeCode: "pending_turn_input_source_key_conflict", existingInputId: first.inputId } });
    expect((await session.inject("b", { id: "k" })).sourceKey).toBe("injection:k");
    expect(await session.queuedTurn()).toMatchObject({ text: "done" });
    expect(await session.enqueue("a", { id: "k" })).toEqual({ ...first, state: "completed" });
    expect(await session.queuedTurn()).toBeUndefined();
  });

  test("a drain is one turn of all that waits, in order: texts, images and the first options (T-7, T-10, FA-29)", async () => {
    const { lash, provider } = testLash({ engine: open() });
    const session = await lash.openSession("s");
    await session.enqueue("one");
    await session.enqueue(image("two"));
    await session.enqueue({ items: [{ type: "text", text: "three" }], protocolTurnOptions: { n: 1 }, traceTurnId: "mine" });
    await session.enqueue({ items: [{ type: "text", text: "four" }], protocolTurnOptions: { n: 2 }, traceTurnId: "other" });
    const seen: string[] = [];
    const result = await session.queuedTurn({ onActivity: ({ id, type }) => void seen.push(`${id} ${type}`) });
    expect(result).toMatchObject({ turnId: "mine", text: "done", isSuccess: true });
    expect(seen[0]).toBe("mine:1 model_request_started");
    expect(transcriptOf(session)).toEqual(["User: Text one\n\ntwo | Image  | Text three\n\nfour", "Assistant: Prose done"]);
    expect(provider.requests[0]?.attachments).toMatchObject([{ data: png(1) }]);
    expect([await session.pendingTurnInputs(), await session.queuedTurn()]).toEqual([[], undefined]);
  });

  test("an empty drain writes nothing; an input of nothing is still a turn of one empty text (FA-29, T-10)", async () => {
    const engine = open();
    const session = await testLash({ engine }).lash.openSession("s");
    await session.enqueue("gone", { id: "a" });
    await session.cancelTurnInput(bySource("host:a"));
    const before = await rowsOf(engine);
    expect([await session.queuedTurn(), await session.queuedTurn({ drainId: "d" })]).toEqual([undefined, undefined]);
    expect(await rowsOf(engine)).toEqual(before);
    await session.enqueue("");
    expect(await session.queuedTurn()).toMatchObject({ isSuccess: true, turnId: expect.stringMatching(/^queue-drain:/) });
    expect(transcriptOf(session)).toEqual(["User: Text ", "Assistant: Prose done"]);
  });

  test("a drain under one id happens once; a trace id that is used up does not stand in the way (FA-29, I-29)", async () => {
    const session = await testLash({ engine: open(), script: () => "ok" }).lash.openSession("s");
    await session.run("go", { turnId: "used" });
    await session.enqueue({ items: [{ type: "text", text: "a" }], traceTurnId: "used" });
    expect(await session.queuedTurn()).toMatchObject({ turnId: expect.stringMatching(/^queue-drain:/) });
    await session.enqueue("b");
    const first = await session.queuedTurn({ drainId: "d" });
    await session.enqueue("c");
    expect(await session.queuedTurn({ drainId: "d" })).toMatchObject({ turnId: "d", headRevision: first?.headRevision });
    expect(await session.pendingTurnInputs()).toMatchObject([{ input: { items: [{ text: "c" }] } }]);
  });

  test("an input that a turn has taken is never cancelled; every outcome is told, one and many (FA-36, I-38, I-39)", async () => {
    const hold = gate();
    const session = await testLash({ engine: open(), script: [{ text: "x", before: hold }] }).lash.openSession("s");
    await session.enqueue("taken", { id: "taken" });
    const drain = session.queuedTurn();
    await hold.reached;
    expect(await session.pendingTurnInputs()).toEqual([]);
    expect(await session.cancelTurnInput(bySource("host:taken"))).toMatchObject({ outcome: "already_claimed", data: { claim: { state: "accepted" } } });
    for (const id of ["a", "b", "c"]) await session.enqueue(id, { id });
    const outcomes = await session.cancelTurnInputs(["host:a", "host:a", "host:nobody"].map(bySource));
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(["cancelled", "already_cancelled", "not_found"]);
    expect(await session.cancelTurnInputsFrom(bySource("host:nobody"))).toMatchObject({ outcome: "anchor_not_found" });
    expect(await session.cancelTurnInputsFrom(bySource("host:taken"))).toMatchObject({ data: { outcomes: [{ outcome: "already_claimed" }, { outcome: "already_cancelled" }, { outcome: "cancelled" }, { outcome: "cancelled" }] } });
    hold.open();
    expect(await drain).toMatchObject({ text: "x" });
    expect(await session.cancelTurnInput(bySource("host:taken"))).toMatchObject({ outcome: "already_completed" });
    expect(await session.queuedTurn()).toBeUndefined();
  });

  test("a drained turn that is cut off is finished by whoever opens or recovers; its input can no longer be taken back (FA-29, OP-7, I-33)", async () => {
    for (const how of ["open", "recover"] as const) {
      const engine = open();
      const clock = manualClock(1_000);
      const hold = gate();
      const dead = testLash({ engine, clock, script: [{ text: "x", before: hold }] });
      const dying = await dead.lash.openSession("s");
      await dying.enqueue("a", { id: "a" });
      void dying.queuedTurn({ drainId: "d" }).catch(() => undefined);
      await hold.reached;
      await bury(engine);
      const next = testLash({ engine, clock: manualClock(clock.now() + 31_000), script: ["y"] });
      if (how === "recover") expect(await next.lash.recover()).toMatchObject([{ turnId: "d", result: { text: "y" } }]);
      const session = await next.lash.openSession("s");
      expect(await session.cancelTurnInput(bySource("host:a"))).toMatchObject({ outcome: how === "open" ? "already_claimed" : "already_completed" });
      expect(await session.queuedTurn({ drainId: "d" })).toMatchObject({ turnId: "d", text: "y" });
      expect([transcriptOf(session), await session.queuedTurn()]).toEqual([["User: Text a", "Assistant: Prose y"], undefined]);
    }
  });

  test("an image that is lost while its input waits takes along neither the words of that input nor the inputs beside it, and nothing comes back (I-37, OP-4)", async () => {
    const engine = open();
    const session = await testLash({ engine }).lash.openSession("s");
    await session.enqueue("before");
    await session.enqueue(image("look"), { id: "bad" });
    await session.enqueue("after");
    // As a host may do that keeps bytes elsewhere and loses them.
    for (const { key } of (await rowsOf(engine)).filter(({ key: at }) => at[0] === "content" || at[0] === "piece")) await engine.write(async (tx) => tx.delete(key));
    expect(await session.queuedTurn()).toMatchObject({ text: "done", isSuccess: true });
    expect(transcriptOf(session)[0]).toMatch(/^User: Text before\n\nlook \| Text \[image .* has no bytes.*\] \| Text after$/s);
    expect(await session.cancelTurnInput(bySource("host:bad"))).toMatchObject({ outcome: "already_completed" });
    expect([await session.queuedTurn(), await heldLanes(engine)]).toEqual([undefined, []]);
  });

  test("a drain that a plugin stops before the model runs is settled, and its input does not come back (I-37, OP-4)", async () => {
    const engine = open();
    const stop = plugin({ id: "stop", build: () => ({ beforeTurn: () => ({ type: "abort_turn", code: "no", message: "not now" }) }) });
    const session = await testLash({ engine, plugins: [stop] }).lash.openSession("s");
    await session.enqueue("said", { id: "bad" });
    expect(await session.queuedTurn()).toMatchObject({ outcome: { kind: "stopped", stop: "plugin_abort" } });
    expect(await session.cancelTurnInput(bySource("host:bad"))).toMatchObject({ outcome: "already_completed" });
    expect([await session.queuedTurn(), await heldLanes(engine), session.observe().readView.messages]).toEqual([undefined, [], []]);
  });

  test("a drained turn that fails or is cancelled has said its input, once (I-33, FA-27)", async () => {
    const session = await testLash({ engine: open(), script: [{ failure: { kind: "auth", retryable: false } }, "never"] }).lash.openSession("s");
    await session.enqueue("a");
    expect(await session.queuedTurn()).toMatchObject({ outcome: { stop: "provider_error" } });
    await session.enqueue("b");
    expect(await session.queuedTurn({ signal: AbortSignal.abort() })).toMatchObject({ outcome: { stop: "cancelled" } });
    expect([transcriptOf(session), await session.queuedTurn()]).toEqual([["User: Text a", "User: Text b"], undefined]);
  });
});

describe("bad input", () => {
  test.each<readonly [string, (session: Awaited<ReturnType<ReturnType<typeof testLash>["lash"]["openSession"]>>) => Promise<unknown>, string]>([
    ["an input that is none", (session) => session.enqueue(7 as never), "input"],
    ["a blank id", (session) => session.enqueue("a", { id: " " }), "id"],
    ["an unknown option", (session) => session.enqueue("a", { when: "now" } as never), "enqueue options: when"],
    ["an unknown scope", (session) => session.enqueue("a", { ingress: { scope: "x" } as never }), "ingress.scope"],
    ["an unknown boundary", (session) => session.enqueue("a", { ingress: { scope: "active_turn", minBoundary: "x" as never } }), "ingress.minBoundary"],
    ["a blank turn", (session) => session.inject("a", { id: "" }), "id"],
    ["an image without bytes", (session) => session.enqueue({ items: [{ type: "image_ref", id: "i" }] }), "input.items[0]"],
    ["bytes that are no image", (session) => session.enqueue({ ...image("a"), imageBlobs: { i: new Uint8Array([1]) } }), "input.imageBlobs.i"],
    ["a target of no kind", (session) => session.cancelTurnInput({ value: "x" } as never), "targets[0].kind"],
    ["an anchor without a value", (session) => session.cancelTurnInputsFrom({ kind: "input_id" } as never), "anchor.value"],
    ["a drain id that is blank", (session) => session.queuedTurn({ drainId: "" }), "drainId"],
    ["a signal that is none", (session) => session.queuedTurn({ signal: {} as never }), "signal"],
  ])("%s is refused by name, before anything is durable (FA-35, FA-36, design 10)", async (_what, ask, field) => {
    const engine = memoryEngine();
    const session = await testLash({ engine }).lash.openSession("s");
    const before = await keysOf(engine);
    await expect(ask(session)).rejects.toMatchObject({ code: "invalid_argument", details: { field } });
    expect(await keysOf(engine)).toEqual(before);
  });

  test("a live object in an input is refused, and a closed session takes none (I-6, FA-35)", async () => {
    const session = await testLash().lash.openSession("s");
    await expect(session.enqueue({ items: [], pluginInputs: [1] } as never)).rejects.toMatchObject({ code: "durable_effect_live_plugin_input" });
    await session.close();
    await expect(session.enqueue("a")).rejects.toMatchObject({ code: "session_closed" });
  });
});

describe("crashes", { timeout: 120_000 }, () => {
  test.each(engineCases())("a drain that dies at any engine call on $name has said its inputs once when the next one is done (T-7, I-12, FA-29, E-45)", async ({ open }) => {
    const script = byToolResults([{ toolCalls: [{ name: "look" }] }, "done"]);
    const look = tool({ name: "look", description: "", input: z.object({}), readOnly: true, run: () => "seen" });
    const hostOn = (engine: Engine, clock: ManualClock) => testLash({ engine, clock, script, tools: [look] }).lash;
    const points = await crashEverywhere({
      open,
      world: () => null,
      prepare: async (disk, clock) => {
        const lash = hostOn(disk, clock);
        const session = await lash.openSession("s");
        for (const text of ["a", "b"]) await session.enqueue(text);
        await lash.close();
      },
      job: async (process, clock) => {
        const lash = hostOn(process.engine, clock);
        await (await lash.openSession("s")).queuedTurn();
        await lash.close();
      },
      check: async (disk, clock) => {
        const lash = hostOn(disk, clock);
        await lash.recover();
        const session = await lash.openSession("s");
        await session.queuedTurn();
        expect(transcriptOf(session)).toEqual(["User: Text a\n\nb", "Assistant: ToolCall {}", "User: ToolResult seen", "Assistant: Prose done"]);
        expect([await session.pendingTurnInputs(), await session.queuedTurn(), await heldLanes(disk)]).toEqual([[], undefined, []]);
        await lash.close();
      },
    });
    expect(points).toBeGreaterThan(50);
  });
});
