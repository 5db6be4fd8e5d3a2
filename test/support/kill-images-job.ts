// The job of a process that is going to be killed: turns with an image in and an image out of a tool, and now and then a sweep
// and the deletion of an old session, on one SQLite file with a directory for the bytes.
//
//   node test/support/kill-images-job.ts <database> <directory>      works until it is killed

import { pathToFileURL } from "node:url";
import * as z from "zod";
import { createLash, LashError, tool, withImages, type Lash, type TurnInput } from "../../src/index.ts";
import { directory, sqlite } from "../../src/stores/sqlite/store.ts";
import { byAssistantMessages, scriptedProvider } from "../../src/testing/index.ts";
import { png } from "./pictures.ts";

/** Turns of one session, and sessions that are kept. */
export const TURNS = 2;
const KEPT = 1;
/** Younger bytes may belong to a put that is under way: this job's own, as nobody else works on the file. */
const SWEPT_AFTER_MS = 0;

/** Bytes that differ from turn to turn, but for every fourth session, which shows the same as another one. */
export const inputImage = (session: number, turn: number): Uint8Array => png(1, session % 4 === 3 ? 0 : session % 251, turn, ...new Uint8Array(20_000));
export const toolImage = (session: number, turn: number): Uint8Array => png(2, session % 251, turn, ...new Uint8Array(20_000));

export function imagesLash(database: string, blobs: string): Lash {
  const camera = tool({
    name: "photo",
    description: "",
    input: z.object({}),
    readOnly: true,
    run: (_args, { sessionId, turnId }) => withImages("one photo", [toolImage(Number(sessionId.slice(1)), Number(turnId.slice(1)))]),
  });
  return createLash({ provider: scriptedProvider(byImages), store: sqlite(database, { attachments: directory(blobs) }), tools: [camera], maxRecoveries: Infinity });
}

const byImages = byAssistantMessages(Array.from({ length: 2 * TURNS }, (_, n) => (n % 2 === 0 ? { toolCalls: [{ name: "photo" }] } : "done")));

export const say = (session: number, turn: number): TurnInput => ({
  items: [{ type: "text", text: `turn ${turn}` }, { type: "image_ref", id: "shown" }],
  imageBlobs: { shown: inputImage(session, turn) },
});

async function work(database: string, blobs: string): Promise<void> {
  const lash = imagesLash(database, blobs);
  process.stdout.write("ready\n");
  await lash.recover();
  for (let n = 0; ; n++) {
    const opened = await lash.openSession(`s${n}`).catch((error: unknown) => {
      // Deleted by an earlier life.
      if (LashError.is(error) && error.isCode("session_id_retired")) return undefined;
      throw error;
    });
    if (!opened) continue;
    await using session = opened;
    for (let turn = session.observe().readView.turnIndex; turn < TURNS; turn++) {
      await session.run(say(n, turn), { turnId: `t${turn}` });
      await lash.maintenance.sweepAttachments(Date.now() - SWEPT_AFTER_MS);
    }
    if (n >= KEPT) await lash.deleteSession(`s${n - KEPT}`);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await work(process.argv[2] ?? "", process.argv[3] ?? "");
