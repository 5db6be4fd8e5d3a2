// Images: in with an input, out of a tool; stored before anything names them, kept with the session (S-76..S-80, E-4, OP-25, T-39).

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { tool, withImages, type TurnInput } from "../../src/index.ts";
import { storeError } from "../../src/domain/errors.ts";
import { sha256Hex } from "../../src/domain/sha256.ts";
import type { Engine } from "../../src/stores/engine.ts";
import type { AttachmentHome } from "../../src/stores/attachment-home.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { attachmentsIn } from "../../src/stores/persistence/attachments-in-home.ts";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import { directory } from "../../src/stores/directory/index.ts";
import { sqliteEngine } from "../../src/stores/sqlite/index.ts";
import { byAssistantMessages, gate, manualClock, type ManualClock } from "../../src/testing/index.ts";
import { crashEverywhere } from "../support/crash-sweep.ts";
import { engineCases, scratchFiles, type EngineCase } from "../support/engines.ts";
import { testLash, transcriptOf, type TestLash, type TestLashOptions } from "../support/lash.ts";
import { memoryHome } from "../support/homes.ts";
import { gif, jpeg, png, svg, webp } from "../support/pictures.ts";
import { keysOf } from "../support/rows.ts";

const show = (bytes: Uint8Array, id = "a"): TurnInput => ({ items: [{ type: "text", text: "Look:" }, { type: "image_ref", id }], imageBlobs: { [id]: bytes } });
const fileOf = scratchFiles();
/** Where the bytes of an engine's attachments are, when not in it. */
const homes = new WeakMap<Engine, AttachmentHome>();
const storeCases = (): readonly EngineCase[] => [
  ...engineCases(),
  {
    name: "sqlite with a directory",
    open: () => {
      const file = fileOf();
      const engine = sqliteEngine(file);
      homes.set(engine, directory(`${file}.blobs`));
      return engine;
    },
  },
];
const placeOf = (home: AttachmentHome | undefined) => home && attachmentsIn(home);
const lashOn = ({ engine = memoryEngine(), ...options }: TestLashOptions): TestLash => testLash({ engine, attachments: homes.get(engine), ...options });
const attachmentsOf = (engine: Engine, clock: ManualClock) => createPersistence(engine, { clock, attachments: placeOf(homes.get(engine)) }).attachments;
const camera = (...images: readonly Uint8Array[]) => tool({ name: "photo", description: "", input: z.object({}), readOnly: true, run: () => withImages("one photo", images) });
const shooting = byAssistantMessages([{ toolCalls: [{ name: "photo" }] }, "done"]);
const NEVER = Number.MAX_SAFE_INTEGER;

describe.each(storeCases())("on $name", ({ open }) => {
  test("a model is sent the bytes of an input's image, in its place, and later turns send it again (T-39, PP-9, E-4)", async () => {
    const engine = open();
    const { lash, provider } = lashOn({ engine, script: ["I see.", "Still."] });
    const session = await lash.openSession("s");
    expect(await session.run(show(png(1)))).toMatchObject({ isSuccess: true });
    await session.run("And now?");
    for (const request of provider.requests) {
      expect(request.attachments).toMatchObject([{ mime: "image/png", data: png(1) }]);
      expect(request.messages[0]?.blocks).toMatchObject([{ type: "text", text: "Look:" }, { type: "image", attachmentIndex: 0 }]);
    }
    await lash.close();
    const reopened = lashOn({ engine, script: ["Yes."] });
    await (await reopened.lash.openSession("s")).run("Really?");
    expect(reopened.provider.requests[0]?.attachments).toMatchObject([{ data: png(1) }]);
  });

  test("images go by the hash of their bytes: the same ones are stored once, whatever the host calls them (S-76, OP-25)", async () => {
    const { lash, engine } = lashOn({ engine: open(), script: ["a", "b"] });
    const session = await lash.openSession("s");
    await session.run(show(png(1), "first"));
    const before = (await keysOf(engine)).filter((key) => key.includes(sha256Hex(png(1))));
    await session.run(show(png(1), "second"));
    expect((await keysOf(engine)).filter((key) => key.includes(sha256Hex(png(1))))).toEqual(before);
    expect(session.observe().readView.messages[0]?.parts[1]).toMatchObject({ kind: "Image", attachment: { reference: { id: sha256Hex(png(1)), mime: "image/png", byteLength: 9 } } });
  });

  test("a tool's images are shown to the model beside its result and stored with the session (T-31, PT-58, S-78)", async () => {
    const { lash, provider, engine, clock } = lashOn({ engine: open(), script: shooting, tools: [camera(png(1), jpeg(2))] });
    const session = await lash.openSession("s");
    expect(await session.run("go")).toMatchObject({ isSuccess: true, toolCalls: [{ status: "success" }] });
    expect(transcriptOf(session)[2]).toBe("User: ToolResult one photo | Image  | Image ");
    expect(provider.requests[1]?.attachments).toMatchObject([{ mime: "image/png", data: png(1) }, { mime: "image/jpeg", data: jpeg(2) }]);
    expect(await attachmentsOf(engine, clock).sweep(NEVER)).toEqual({ scanned: 0, reclaimed: 0 });
  });

  test("what a commit names is never swept, what nobody names is (S-78, S-79, FA-71)", async () => {
    const { lash, engine, clock } = lashOn({ engine: open() });
    const session = await lash.openSession("s");
    await session.run(show(png(1)));
    const attachments = attachmentsOf(engine, clock);
    await attachments.manifest.recordIntent("s", sha256Hex(png(9)));
    await attachments.put(png(9), "image/png");
    expect(await attachments.sweep(NEVER)).toEqual({ scanned: 1, reclaimed: 1 });
    expect((await attachments.get(sha256Hex(png(1)))).bytes).toEqual(png(1));
    await expect(attachments.get(sha256Hex(png(9)))).rejects.toMatchObject({ code: "attachment_not_found" });
  });

  test("a fork keeps its images when the session it came from is deleted (S-79, C-46, design 7.3)", async () => {
    const { lash, engine, clock } = lashOn({ engine: open(), script: byAssistantMessages(["I see.", "Still."]) });
    const session = await lash.openSession("s");
    await session.run(show(png(1)));
    const id = await session.fork();
    await session.close();
    await lash.deleteSession("s");
    await attachmentsOf(engine, clock).sweep(NEVER);
    const forked = await lash.openSession(id);
    expect(await forked.run("Still there?")).toMatchObject({ text: "Still.", isSuccess: true });
  });

  test("deleting a session removes the bytes that only it had (S-84, C-46)", async () => {
    const { lash, engine, clock } = lashOn({ engine: open(), script: ["a", "b", "c"] });
    for (const id of ["s", "u"]) {
      const session = await lash.openSession(id);
      await session.run({ items: [{ type: "image_ref", id: "x" }, { type: "image_ref", id: "y" }], imageBlobs: { x: png(1), y: id === "s" ? png(2) : png(3) } });
      await session.close();
    }
    await lash.deleteSession("s");
    const attachments = attachmentsOf(engine, clock);
    expect((await attachments.get(sha256Hex(png(1)))).bytes).toEqual(png(1));
    await expect(attachments.get(sha256Hex(png(2)))).rejects.toMatchObject({ code: "attachment_not_found" });
  });
});

describe("what is taken", () => {
  test.each([["png", png(1), "image/png"], ["jpeg", jpeg(1), "image/jpeg"], ["gif", gif(), "image/gif"], ["webp", webp(), "image/webp"]])("a %s is recognised by its own bytes (PP-9)", async (_kind, bytes, mime) => {
    const { lash, provider } = testLash();
    await (await lash.openSession("s")).run(show(bytes));
    expect(provider.requests[0]?.attachments).toMatchObject([{ mime, data: bytes }]);
  });

  test.each([["another kind", svg()], ["nothing at all", new Uint8Array()]])("an input image that is %s settles the turn as invalid_input, and the session goes on (T-9, OP-4, PP-9)", async (_title, bytes) => {
    const { lash, provider } = testLash();
    const session = await lash.openSession("s");
    expect(await session.run(show(bytes))).toMatchObject({ outcome: { stop: "invalid_input" }, errors: [{ code: "invalid_turn_input", retryable: false }] });
    expect(provider.requests).toEqual([]);
    expect(await session.run("go")).toMatchObject({ isSuccess: true });
  });

  test("an image of an earlier turn may be named by its hash; one of another session may not (S-80, T-9)", async () => {
    const { lash } = testLash({ script: ["a", "b", "c"] });
    const session = await lash.openSession("s");
    await session.run(show(png(1)));
    const named: TurnInput = { items: [{ type: "image_ref", id: sha256Hex(png(1)) }] };
    expect(await session.run(named)).toMatchObject({ isSuccess: true });
    expect(await (await lash.openSession("other")).run(named)).toMatchObject({ outcome: { stop: "invalid_input" } });
  });

  test("an image over 20 MiB is refused before anything is durable (OP-17)", async () => {
    const { lash, engine } = testLash();
    const session = await lash.openSession("s");
    expect(() => session.turn(show(new Uint8Array(20 * 1024 * 1024 + 1)))).toThrow("imageBytes");
    expect(await keysOf(engine)).toEqual([]);
  });

  test.each<[string, Uint8Array, string]>([
    ["another kind", svg(), "image 2 of 2 is left out: it is none that models read (png, jpeg, gif or webp)"],
    ["over 20 MiB", new Uint8Array(20 * 1024 * 1024 + 1), "image 2 of 2 is left out: it is over `limits.imageBytes` (20971520)"],
    ["no bytes", "x" as never, "image 2 of 2 is left out: it is no Uint8Array"],
  ])("a tool image of %s is left out and not stored, so that no later model call stumbles over it; the call has run, and its result says what is missing (ME-8, PP-9)", async (_title, bytes, problem) => {
    const { lash, engine, provider } = testLash({ script: (request, index) => (index === 2 ? "more" : (shooting as (...args: unknown[]) => never)(request, index)), tools: [camera(png(1), bytes)] });
    const session = await lash.openSession("s");
    expect(await session.run("go")).toMatchObject({
      isSuccess: true,
      toolCalls: [{ output: { outcome: { status: "success", payload: "one photo" }, notes: [problem], attachments: [{ id: sha256Hex(png(1)) }] } }],
    });
    expect(provider.requests[1]?.messages.at(-1)?.blocks).toMatchObject([{ type: "toolResult", content: `one photo\n[${problem}]` }, { type: "image" }]);
    expect((await keysOf(engine)).filter((key) => key.startsWith('["intent"') || key.startsWith('["held"'))).toHaveLength(1);
    expect(await session.run("more")).toMatchObject({ isSuccess: true });
  });
});

describe("images in a directory", () => {
  test("an image whose file is lost ends the turn that shows it; the session goes on (S-76, T-9)", async () => {
    const lost: AttachmentHome = { ...memoryHome(), get: async () => undefined };
    const session = await testLash({ attachments: lost }).lash.openSession("s");
    const refused = await session.run(show(png(1)), { turnId: "t" });
    expect(refused).toMatchObject({ outcome: { stop: "invalid_input" }, errors: [{ code: "invalid_turn_input", message: expect.stringContaining(sha256Hex(png(1))) }] });
    expect(await session.run("go")).toMatchObject({ isSuccess: true });
  });

  test("an image of an earlier turn whose file is lost ends the turn whose model needs it, and says which; once it is back the session goes on (PP-9)", async () => {
    const home = memoryHome();
    let isLost = false;
    const losing: AttachmentHome = { ...home, get: async (key) => (isLost ? undefined : home.get(key)) };
    const session = await testLash({ attachments: losing, script: ["a", "b"] }).lash.openSession("s");
    await session.run(show(png(1)));
    isLost = true;
    expect(await session.run("go")).toMatchObject({ outcome: { stop: "provider_error" }, errors: [{ code: "attachment_resolution_failed", message: expect.stringContaining(sha256Hex(png(1))) }] });
    isLost = false;
    expect(await session.run("go")).toMatchObject({ isSuccess: true });
  });

  test("bytes that end with the process are refused beside a journal that does not (design 7.10)", () => {
    const ephemeral = { ...memoryHome(), durable: false };
    expect(() => testLash({ attachments: ephemeral })).toThrow(expect.objectContaining({ code: "durable_store_required:attachment_store" }));
  });

  test("a directory that fails while a tool's image is stored leaves the turn in flight, and the next try finishes it (design 10)", async () => {
    const home = memoryHome();
    let isFull = true;
    const filling: AttachmentHome = { ...home, put: async (key, bytes) => (isFull ? Promise.reject(storeError("store_full", "the directory is full")) : home.put(key, bytes)) };
    const { lash, provider } = testLash({ attachments: filling, script: shooting, tools: [camera(png(1))] });
    const session = await lash.openSession("s");
    await expect(session.run("go", { turnId: "t" })).rejects.toMatchObject({ code: "store_commit_failed", details: { causeCode: "store_full" } });
    isFull = false;
    expect(await session.run("go", { turnId: "t" })).toMatchObject({ text: "done", isSuccess: true, toolCalls: [{ status: "success" }] });
    expect(provider.requests.at(-1)?.attachments).toMatchObject([{ mime: "image/png", data: png(1) }]);
  });
});

describe("crashes (S-77, S-79, OP-25)", { timeout: 60_000 }, () => {
  test.each(storeCases())("a turn with an image in and an image out that dies at any engine call on $name keeps both; bytes without a commit have an intent, so that nothing is lost track of (S-77, S-78, E-4, C-47)", async ({ open }) => {
    const script = byAssistantMessages([{ toolCalls: [{ name: "photo" }] }, "done"]);
    const ids = [sha256Hex(png(1)), sha256Hex(png(2))];
    let home: AttachmentHome | undefined;
    await crashEverywhere({
      open: () => {
        const disk = open();
        home = homes.get(disk);
        return disk;
      },
      world: () => null,
      job: async (process, clock) => {
        const { lash } = testLash({ engine: process.engine, attachments: home && process.home(home), clock, script, tools: [camera(png(2))] });
        await (await lash.openSession("s")).run(show(png(1)), { turnId: "t" });
        await lash.close();
      },
      check: async (disk, clock) => {
        const attachments = attachmentsOf(disk, clock);
        for (const id of ids) {
          const stored = await attachments.get(id).then(() => true, () => false);
          if (stored) expect(await attachments.manifest.holds("s", id)).toBe(true);
        }
        // A sweep between the crash and the recovery spares what the turn in flight names (OP-25).
        await attachments.sweep(NEVER);
        const host = lashOn({ engine: disk, clock, script, tools: [camera(png(2))] });
        await host.lash.recover();
        const session = await host.lash.openSession("s");
        expect(await session.run(show(png(1)), { turnId: "t" })).toMatchObject({ text: "done", isSuccess: true });
        expect(transcriptOf(session)).toEqual(["User: Text Look: | Image ", "Assistant: ToolCall {}", "User: ToolResult one photo | Image ", "Assistant: Prose done"]);
        expect(await attachments.sweep(NEVER)).toEqual({ scanned: 0, reclaimed: 0 });
        for (const id of ids) expect((await attachments.get(id)).reference.mime).toBe("image/png");
      },
    });
  });

  test("a sweep while a turn waits for its model spares its images, however old (OP-25, S-79)", async () => {
    const engine = memoryEngine();
    const clock = manualClock(1_000);
    const hold = gate();
    const { lash } = testLash({ engine, clock, script: [{ text: "seen", before: hold }, "again"] });
    const session = await lash.openSession("s");
    const result = session.run(show(png(1)));
    await hold.reached;
    expect(await attachmentsOf(engine, clock).sweep(NEVER)).toEqual({ scanned: 1, reclaimed: 0 });
    hold.open();
    expect(await result).toMatchObject({ isSuccess: true });
    expect(await session.run("again")).toMatchObject({ isSuccess: true });
  });
});
