// Files of any media type from the user: in with an input of any kind, kept with the session, refused where the model does not take
// them before anything is durable (ME-18).

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { createLash, tool, type TurnInputPart, type UserInput } from "../../src/index.ts";
import { childSessions } from "../../src/children/index.ts";
import { sha256Hex } from "../../src/domain/sha256.ts";
import { aiSdk } from "../../src/providers/ai-sdk/index.ts";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import { opaqueLiveness } from "../../src/stores/store.ts";
import type { Engine } from "../../src/stores/engine.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { countingEngine, gate, manualClock, scriptedProvider, type ScriptedProvider } from "../../src/testing/index.ts";
import { crashEverywhere } from "../support/crash-sweep.ts";
import { engineCases } from "../support/engines.ts";
import { staysOpen, testLash, transcriptOf } from "../support/lash.ts";
import { Mortal } from "../support/mortal.ts";
import { png } from "../support/pictures.ts";
import { playingModel, text } from "../support/playing-model.ts";
import { rowsOf } from "../support/rows.ts";

const PDF = new TextEncoder().encode("%PDF-1.4\n%%EOF");
const pdf: TurnInputPart = { type: "file", data: PDF, mediaType: "application/pdf", filename: "report.pdf" };
const read: TurnInputPart = { type: "text", text: "Read:" };
const asked: readonly TurnInputPart[] = [read, pdf];
const NEVER = Number.MAX_SAFE_INTEGER;

/** Files that the model was sent, as `type mime filename: bytes`, of one request. */
const filesIn = ({ requests }: ScriptedProvider, at = -1): readonly string[] => {
  const request = requests.at(at);
  return (request?.messages ?? []).flatMap(({ blocks }) =>
    blocks.flatMap((block) => {
      if (block.type !== "file" && block.type !== "image") return [];
      const { mime = "", data = new Uint8Array() } = request?.attachments[block.attachmentIndex ?? -1] ?? {};
      return [block.type === "image" ? `image ${mime}: ${data.length}` : `file ${block.mime} ${block.filename ?? "-"}: ${new TextDecoder().decode(data)}`];
    }),
  );
};
const REPORT = "file application/pdf report.pdf: %PDF-1.4\n%%EOF";

const versionsIn = async (engine: Engine, part: string): Promise<readonly unknown[]> =>
  (await rowsOf(engine)).flatMap(({ key, value }) => (JSON.stringify(key).includes(part) && typeof value === "object" && value !== null && "schemaVersion" in value ? [value.schemaVersion] : []));

describe.each(engineCases())("files of the user, on $name (ME-18)", ({ open }) => {
  test("a file reaches the model in its place, under its type and name: at once, in later turns, after a restart and in a fork", async () => {
    const engine = open();
    const first = testLash({ engine, script: ["a", "b"] });
    const session = await first.lash.openSession("s");
    expect(await session.run(asked)).toMatchObject({ isSuccess: true });
    await session.run("And now?");
    expect([filesIn(first.provider, 0), filesIn(first.provider, 1)]).toEqual([[REPORT], [REPORT]]);
    expect(first.provider.requests[0]?.messages[0]?.blocks[0]).toMatchObject({ type: "text", text: "Read:" });
    await session.fork({ id: "f" });
    await first.lash.close();
    for (const id of ["s", "f"]) {
      const next = testLash({ engine });
      await (await next.lash.openSession(id)).run("Really?");
      expect(filesIn(next.provider)).toEqual([REPORT]);
      expect(await createPersistence(engine, { clock: next.clock }).attachments.sweep(NEVER)).toMatchObject({ reclaimed: 0 });
    }
  });

  test("an input that waits brings its files along: enqueued, injected, queued for a turn, and into a turn that runs", async () => {
    const engine = open();
    const held = gate();
    const slow = tool({ name: "look", description: "", input: z.object({}), readOnly: true, run: () => held.pass() });
    const host = testLash({ engine, tools: [slow], script: (_request, index) => (index === 0 ? { toolCalls: [{ name: "look" }] } : "ok") });
    const session = await host.lash.openSession("s");
    const running = session.run("go");
    await held.reached;
    await session.inject(asked);
    await session.enqueue({ items: [read, { type: "file_ref", id: "mine", mediaType: "text/csv" }], fileBlobs: { mine: new TextEncoder().encode("a,b") } });
    await session.enqueueTurnInput([{ ...pdf, filename: "other.pdf" } as TurnInputPart], { deliveryPolicy: "after_current_turn_commit", slotPolicy: "exclusive" });
    expect(await versionsIn(engine, '"s","s",')).toEqual(expect.arrayContaining([2, 2]));
    held.open();
    expect(await running).toMatchObject({ isSuccess: true });
    expect(filesIn(host.provider)).toEqual([REPORT]);
    await host.lash.close();
    const next = testLash({ engine, tools: [slow] , script: () => "ok" });
    const again = await next.lash.openSession("s");
    expect(await again.queuedTurn()).toMatchObject({ isSuccess: true });
    expect(filesIn(next.provider)).toEqual([REPORT, "file text/csv -: a,b"]);
    expect(await again.queuedTurn()).toMatchObject({ isSuccess: true });
    expect(filesIn(next.provider).at(-1)).toBe(REPORT.replace("report", "other"));
  });

  test("whoever takes a turn over has its files, and its rows are of version 2 from the start", async () => {
    const engine = open();
    const clock = manualClock(1_000);
    const dying = new Mortal(engine);
    const held = gate();
    void (await testLash({ engine: dying.engine, clock, script: async () => (await held.pass(), "never") }).lash.openSession("s")).run(asked, { turnId: "t" });
    await held.reached;
    expect(await versionsIn(engine, '["turn","s",0')).toEqual([2]);
    dying.kill();
    await clock.advance(31_000);
    const next = testLash({ engine, clock });
    expect(await clock.runUntil(next.lash.recover())).toMatchObject([{ result: { isSuccess: true } }]);
    expect(filesIn(next.provider)).toEqual([REPORT]);
  });
});

describe("what an input says (ME-18)", () => {
  test("is the same turn again under its id, whichever way the file is given", async () => {
    const { lash, provider } = testLash({ script: ["a", "b"] });
    const session = await lash.openSession("s");
    await session.run(asked, { turnId: "t" });
    const byBlob: UserInput = { items: [read, { type: "file_ref", id: "x", mediaType: "application/pdf", filename: "report.pdf" }], fileBlobs: { x: PDF } };
    expect(await session.run(byBlob, { turnId: "t" })).toMatchObject({ text: "a" });
    await session.run([{ type: "file_ref", id: sha256Hex(PDF), filename: "again.pdf" }]);
    expect(filesIn(provider)).toEqual([REPORT, REPORT.replace("report", "again")]);
    expect(provider.requests).toHaveLength(2);
  });

  test("an image that is given as a file is an image; one that models do not read is a file", async () => {
    const { lash, provider, engine } = testLash();
    const session = await lash.openSession("s");
    await session.run([{ type: "file", data: png(1), mediaType: "image/png" }, { type: "file", data: new TextEncoder().encode("<svg/>"), mediaType: "image/svg+xml" }]);
    expect(filesIn(provider)).toEqual(["image image/png: 9", "file image/svg+xml -: <svg/>"]);
    expect(transcriptOf(session)[0]).toBe("User: Image  | File ");
    expect(await versionsIn(engine, '["s","s",2')).toEqual([2]);
  });

  test("without files its rows are as they were", async () => {
    const engine = memoryEngine();
    const held = gate();
    const { lash } = testLash({ engine, script: async () => (await held.pass(), "ok") });
    const session = await lash.openSession("s");
    const running = session.run([read, { type: "file", data: png(1), mediaType: "image/png" }]);
    await held.reached;
    expect(await versionsIn(engine, '["turn","s",0')).toEqual([1]);
    await session.enqueue([read]);
    held.open();
    await running;
    expect((await rowsOf(engine)).some(({ value }) => JSON.stringify(value)?.includes('"schemaVersion":2'))).toBe(false);
  });

  test("the AI SDK's model is given the bytes and the name", async () => {
    const playing = playingModel(() => text("t", "ok"));
    const lash = createLash({ store: { engine: staysOpen(memoryEngine()), liveness: opaqueLiveness }, logger: () => undefined, provider: aiSdk(playing.model) });
    await (await lash.openSession("s")).run(asked);
    expect(playing.prompts[0]?.[0]).toMatchObject({ content: [{ type: "text" }, { type: "file", mediaType: "application/pdf", filename: "report.pdf", data: { type: "data", data: [...PDF] } }] });
  });

  test.each<[string, unknown]>([
    ["data", { type: "file", data: "text", mediaType: "text/plain" }], ["data", { type: "file", data: new Uint8Array(), mediaType: "text/plain" }],
    ["mediaType", { type: "file", data: PDF }], ["mediaType", { type: "file", data: PDF, mediaType: "pdf" }], ["mediaType", { type: "file", data: PDF, mediaType: "image/*" }],
    ["data", { type: "file", data: PDF, mediaType: "image/png" }], ["filename", { ...pdf, filename: 7 }], ["filename", { ...pdf, filename: "\ud800" }],
    ["mediaType", { type: "file_ref", id: "x" }], ["data", { type: "file_ref", id: "x", mediaType: "image/jpeg" }], ["input.items[0]", { type: "video", data: PDF }],
  ])("is refused by the name of its field where that is wrong: %s of %j", async (field, part) => {
    const { lash, engine } = testLash();
    const session = await lash.openSession("s");
    const input = { items: [part], fileBlobs: { x: PDF } } as UserInput;
    await expect(session.run(input)).rejects.toMatchObject({ code: "invalid_argument", message: expect.stringContaining(field) });
    await expect(session.enqueue(input)).rejects.toMatchObject({ code: "invalid_argument", message: expect.stringContaining(field) });
    expect(await rowsOf(engine)).toEqual([]);
  });

  test("a file over the limit is refused, and one that the session does not have", async () => {
    const { lash, engine } = testLash({ limits: { imageBytes: 8 } });
    const session = await lash.openSession("s");
    await expect(session.run(asked)).rejects.toMatchObject({ code: "limit_exceeded", details: { limit: "imageBytes" } });
    await expect(session.enqueue([{ type: "file_ref", id: sha256Hex(PDF) }])).rejects.toMatchObject({ code: "invalid_argument", message: expect.stringContaining("fileBlobs") });
    expect(await rowsOf(engine)).toEqual([]);
  });
});

describe("what a model does not take (ME-18)", () => {
  const IMAGES = { wire: { media: ["image/*"] } };

  test("is refused before anything is durable, by every way in, with what it takes", async () => {
    const engine = countingEngine(memoryEngine());
    const { lash, provider } = testLash({ engine, providerOptions: IMAGES });
    const session = await lash.openSession("s");
    engine.reset();
    const ways = [
      () => session.run(asked), () => session.turn(asked).result, () => session.enqueue(asked), () => session.inject(asked),
      () => session.enqueueTurnInput(asked, { deliveryPolicy: "earliest_safe_boundary", slotPolicy: "join" }),
    ];
    for (const way of ways) {
      await expect(way()).rejects.toMatchObject({ code: "unsupported_media", message: expect.stringContaining("image/*"), details: { sessionId: "s", field: "input.items[1]", mediaType: "application/pdf", media: ["image/*"] } });
    }
    expect([await rowsOf(engine), provider.requests, engine.counts.sets]).toEqual([[], [], 0]);
    expect(await session.run([read, { type: "file", data: png(1), mediaType: "image/png" }])).toMatchObject({ isSuccess: true });
  });

  test("is what the host says of the model: for a turn, a session, a lash, and by configure; the nearest wins", async () => {
    const { lash } = testLash({ script: () => "ok", providerOptions: IMAGES, model: { media: ["application/pdf"] } });
    const session = await lash.openSession("s");
    expect(await session.run(asked)).toMatchObject({ isSuccess: true });
    await expect(session.run([{ type: "file", data: png(1), mediaType: "image/png" }])).rejects.toMatchObject({ code: "unsupported_media" });
    await expect(session.run(asked, { model: { media: [] } })).rejects.toMatchObject({ code: "unsupported_media", message: expect.stringContaining("no images and no files") });
    await expect(session.run(asked, { model: { id: "another" } })).rejects.toMatchObject({ details: { model: "another", media: ["image/*"] } });
    const strict = await lash.openSession("strict", { model: { media: ["text/*"] } });
    await expect(strict.enqueue(asked)).rejects.toMatchObject({ code: "unsupported_media" });
    await strict.configure({ model: { media: ["*/*"] } });
    expect(await strict.run(asked)).toMatchObject({ isSuccess: true });
  });

  test("is not sent to it where it is in the conversation already: a note says so", async () => {
    const { lash, provider } = testLash({ script: () => "ok" });
    const session = await lash.openSession("s");
    await session.run(asked);
    await session.run("and?", { model: { id: "blind", media: [] } });
    expect(filesIn(provider)).toEqual([]);
    expect(JSON.stringify(provider.requests.at(-1)?.messages[0])).toContain("report.pdf");
    await session.run("and now?");
    expect(filesIn(provider)).toEqual([REPORT]);
  });

  test("does not take away a turn that was accepted before", async () => {
    const engine = memoryEngine();
    const first = testLash({ engine });
    await (await first.lash.openSession("s")).run(asked, { turnId: "t" });
    await first.lash.close();
    const next = testLash({ engine, providerOptions: IMAGES });
    const session = await next.lash.openSession("s");
    expect(await session.run(asked, { turnId: "t" })).toMatchObject({ isSuccess: true, text: "done" });
    await expect(session.run(asked)).rejects.toMatchObject({ code: "unsupported_media" });
  });

  test.each([["pdf"], [["pdf"]], [[7]]])("a list of media types that is none is refused: %j", async (media) => {
    expect(() => createLash({ provider: scriptedProvider([]), model: { media: media as never } })).toThrow("model.media");
  });
});

test("wherever a process dies, a turn with a file is finished with it by the next one (ME-18)", async () => {
  await crashEverywhere({
    open: memoryEngine,
    world: () => null,
    job: async (process, clock) => {
      const { lash } = testLash({ engine: process.engine, clock });
      await (await lash.openSession("s")).run(asked, { turnId: "t" });
      await lash.close();
    },
    check: async (disk, clock) => {
      await createPersistence(disk, { clock }).attachments.sweep(NEVER);
      const { lash, provider } = testLash({ engine: disk, clock });
      await lash.recover();
      const session = await lash.openSession("s");
      expect(await session.run(asked, { turnId: "t" })).toMatchObject({ isSuccess: true });
      if (provider.requests.length > 0) expect(filesIn(provider)).toEqual([REPORT]);
      await lash.close();
    },
  });
});

test("a child session takes files, too (ME-18)", async () => {
  const ask = tool({
    name: "ask", description: "", input: z.object({}),
    run: async (_input, call) => (await (await call.children.create({})).run(asked)).text,
  });
  const { lash, provider } = testLash({ children: childSessions(), tools: [ask], script: (request) => (request.tools.length > 0 && request.messages.length === 1 && !JSON.stringify(request.messages).includes("Read:") ? { toolCalls: [{ name: "ask" }] } : "ok") });
  expect(await (await lash.openSession("s")).run("go")).toMatchObject({ isSuccess: true });
  expect(filesIn(provider, 1)).toEqual([REPORT]);
});
