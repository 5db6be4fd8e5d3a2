// What is deleted for good is gone from the files (ME-27).

import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createLash, type Lash, tool } from "../../../src/index.ts";
import { directory, sqlite } from "../../../src/stores/sqlite/store.ts";
import { scriptedProvider } from "../../../src/testing/index.ts";
import * as z from "zod";
import { engineWith, put, startChild, temporaryFolder } from "./harness.ts";

const pathOf = temporaryFolder();
const WORDS = "what-only-the-user-knows";

function lashIn(folder: string): Lash {
  const note = tool({ name: "note", description: "notes", input: z.object({}), run: () => `noted ${WORDS}`.repeat(200) });
  const provider = scriptedProvider((request) => (request.messages.at(-1)?.role === "user" && !request.messages.at(-1)?.blocks.some(({ type }) => type === "toolResult") ? { text: "hm", toolCalls: [{ name: "note" }] } : `said ${WORDS}`));
  return createLash({ provider, store: sqlite(join(folder, "s.db"), { attachments: directory(join(folder, "blobs")) }), tools: [note], prompt: `the prompt has ${WORDS}`, logger: () => undefined });
}

const newFolder = (name: string): string => {
  mkdirSync(pathOf(name));
  return pathOf(name);
};

function filesWithWords(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => readFileSync(file).includes(WORDS));
}

async function talk(lash: Lash, id: string, turns = 8): Promise<void> {
  const session = await lash.openSession(id);
  for (let i = 0; i < turns; i++) await session.run(`${WORDS} ${i}`);
  await session.close();
}

test.each<[string, (lash: Lash) => Promise<unknown>]>([
  ["of the deleted session", (lash) => lash.maintenance.vacuum("s")],
  ["of another session", (lash) => lash.maintenance.vacuum("other")],
  ["of none", (lash) => lash.maintenance.vacuum()],
])("a deleted session has left no word in any file after vacuum %s, while the store stays open (ME-27)", { timeout: 60_000 }, async (_, vacuum) => {
  const folder = newFolder(`erase-${Math.random()}`);
  const lash = lashIn(folder);
  await talk(lash, "s");
  expect(filesWithWords(folder)).not.toEqual([]);
  await lash.deleteSession("s");
  await lash.maintenance.collect();
  await vacuum(lash);
  expect(filesWithWords(folder)).toEqual([]);
  await lash.close();
  expect(filesWithWords(folder)).toEqual([]);
});

test("what is not deleted stays, and another process may write all the time (ME-27)", { timeout: 60_000 }, async () => {
  const folder = newFolder("beside");
  const lash = lashIn(folder);
  await talk(lash, "gone");
  await talk(lash, "stays", 2);
  const writer = startChild("witness", join(folder, "s.db"), "0");
  await writer.said(20);
  await lash.deleteSession("gone");
  await lash.maintenance.vacuum("gone");
  const said = writer.lines.length;
  await writer.said(said + 20);
  writer.process.kill("SIGKILL");
  await writer.gone;
  const session = await lash.openSession("stays");
  expect(session.observe().readView.messages.filter(({ role }) => role === "User").length).toBeGreaterThan(1);
  expect((await session.run("more")).isSuccess).toBe(true);
  await lash.close();
});

test("a vacuum after which nothing was deleted does not write the file anew (ME-27)", { timeout: 60_000 }, async () => {
  const folder = newFolder("again");
  const lash = lashIn(folder);
  await talk(lash, "s");
  await talk(lash, "other", 2);
  // Writing the file anew empties the log.
  const logSize = (): number => statSync(join(folder, "s.db-wal")).size;
  const before = logSize();
  await lash.maintenance.vacuum("other");
  expect(logSize()).toBeGreaterThanOrEqual(before);
  await lash.deleteSession("s");
  await lash.maintenance.vacuum("other");
  expect(logSize()).toBeLessThan(before / 4);
  const after = logSize();
  await lash.maintenance.vacuum("other");
  expect(logSize()).toBeGreaterThanOrEqual(after);
  await lash.close();
});

test("writes of the same process wait for it and are not lost (ME-27)", { timeout: 60_000 }, async () => {
  const engine = engineWith(pathOf("waits.db"), {});
  for (let i = 0; i < 50; i++) await put(engine, ["row", i], "x".repeat(5_000));
  const erased = engine.erase();
  const written = Array.from({ length: 20 }, (_, i) => put(engine, ["later", i], i));
  await Promise.all([erased, ...written]);
  expect(await engine.read(async (tx) => (await tx.range(["later"], ["later", 99])).length)).toBe(20);
  await engine.close();
});
