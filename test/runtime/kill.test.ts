// Real processes on one SQLite file, killed with SIGKILL. scripts/soak.ts does the same for longer.

import { existsSync, readdirSync } from "node:fs";
import { dirname } from "node:path";
import { expect, test } from "vitest";
import { sha256Hex } from "../../src/domain/sha256.ts";
import { directory } from "../../src/stores/directory/index.ts";
import { attachmentsIn } from "../../src/stores/persistence/attachments-in-home.ts";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import { sqliteEngine } from "../../src/stores/sqlite/index.ts";
import { scratchFiles } from "../support/engines.ts";
import { killEverything, leftBy } from "../support/kill-everything.ts";
import { verdictOn } from "../support/kill-everything-verdict.ts";
import { imagesLash, inputImage, toolImage } from "../support/kill-images-job.ts";
import { bundleKillJob, inspectKilled, killOnce, killUntil, seeded } from "../support/kill-rounds.ts";
import { heldLanes } from "../support/rows.ts";

const KILLS = 40;
const fileOf = scratchFiles();

async function hasTurns(file: string): Promise<boolean> {
  if (!existsSync(file)) return false;
  const engine = sqliteEngine(file);
  const { turns, sessions } = createPersistence(engine, { clock: { now: () => Date.now() } });
  const found = (await turns.inFlight()).length + (await sessions.list()).length;
  await engine.close();
  return found > 0;
}

test(`after ${KILLS} kills at random moments every turn is whole, finished tools ran once, no lease is stuck (E-45, OP-3, S-62)`, { timeout: 120_000 }, async () => {
  const random = seeded(20_260_401);
  // Two files at once, as a machine has more than one core.
  const files = [fileOf(), fileOf()];
  const job = await bundleKillJob(dirname(fileOf()));
  await Promise.all(
    files.map(async (file) => {
      for (let kill = 0; kill < KILLS / files.length; kill++) await killOnce(job, file, `${file}.witness`, random() * 60);
      await killUntil(() => existsSync(`${file}.witness`), (delayMs) => killOnce(job, file, `${file}.witness`, delayMs));
    }),
  );
  for (const file of files) {
    const report = await inspectKilled(file, `${file}.witness`);
    expect(report.violations).toEqual([]);
    expect(report.turns).toBeGreaterThan(0);
  }
});

test("after 10 kills of processes that use everything at once every turn, child, hook, queued input and booked token is there once (E-45, PT-23, S-69, I-45, FA-61)", { timeout: 120_000 }, async () => {
  const random = seeded(20_261_121);
  const files = [fileOf(), fileOf()];
  const job = await bundleKillJob(dirname(fileOf()), "kill-everything-job");
  await Promise.all(
    files.map(async (file) => {
      await killEverything(job, file, `${file}.witness`, 5, random, 300);
      await killUntil(() => existsSync(`${file}.witness`), (delayMs) => killEverything(job, file, `${file}.witness`, 1, () => 1, delayMs));
    }),
  );
  for (const file of files) {
    const { violations, turns } = verdictOn(await leftBy(file, `${file}.witness`));
    expect(violations).toEqual([]);
    expect(turns).toBeGreaterThan(0);
  }
});

test(`after ${KILLS} kills of a process that shows and makes images every image of a turn is there, and no other file (S-77, S-79, OP-25)`, { timeout: 120_000 }, async () => {
  const random = seeded(7);
  const file = fileOf();
  const blobs = `${file}.blobs`;
  const job = await bundleKillJob(dirname(file), "kill-images-job");
  for (let kill = 0; kill < KILLS; kill++) await killOnce(job, file, blobs, random() * 150);
  await killUntil(() => hasTurns(file), (delayMs) => killOnce(job, file, blobs, delayMs));
  await using lash = imagesLash(file, blobs);
  const recovered = await lash.recover();
  expect(recovered.filter((entry) => "error" in entry)).toEqual([]);
  await lash.maintenance.sweepAttachments(Number.MAX_SAFE_INTEGER);
  const engine = sqliteEngine(file);
  const store = createPersistence(engine, { clock: { now: () => Date.now() }, attachments: attachmentsIn(directory(blobs)) });
  const named = new Set<string>();
  let turns = 0;
  for (const id of await store.sessions.list()) {
    const read = await store.sessions.load(id, { kind: "full_graph" });
    const shown = (read?.nodes ?? []).flatMap(({ body }) => (body.kind === "message" ? body.message.parts.flatMap(({ attachment }) => (attachment ? [attachment.reference.id] : [])) : []));
    const session = Number(id.slice(1));
    const expected = Array.from({ length: read?.head.turnIndex ?? 0 }, (_, turn) => [inputImage(session, turn), toolImage(session, turn)]).flat();
    expect(shown).toEqual(expected.map((bytes) => sha256Hex(bytes)));
    for (const [index, each] of shown.entries()) expect((await store.attachments.get(each)).bytes).toEqual(expected[index]);
    for (const each of shown) named.add(each);
    turns += read?.head.turnIndex ?? 0;
  }
  expect(turns).toBeGreaterThan(0);
  const files = readdirSync(blobs, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  expect(files.map(({ name }) => name.split(".")[0]).sort()).toEqual([...named].sort());
  expect(await heldLanes(engine)).toEqual([]);
  await engine.close();
});
