// The page of a browser that a test drives, or kills. It does what its hash says and reports to the server it came from:
//   #write-<first>   writes on and on, posts /ack/<i> once write i is durable
//   #check           posts what is in the store to /state
import { END } from "../../../src/stores/engine.ts";
import { indexedDbEngine } from "../../../src/stores/indexeddb/index.ts";

/** What a test may ask of the page by script. */
export interface PageApi {
  readonly indexedDbEngine: typeof indexedDbEngine;
  readonly END: typeof END;
}
Object.assign(globalThis, { store: { indexedDbEngine, END } satisfies PageApi });

const engine = indexedDbEngine("killed");
const report = (path: string, body = ""): void => void fetch(path, { method: "POST", body });

async function writeOn(first: number, step: number): Promise<never> {
  for (let i = first; ; i += step) {
    await engine.write(async (tx) => {
      const count = Number((await tx.get(["count"])) ?? 0);
      tx.set(["row", i], { i, text: "x".repeat(400) });
      tx.set(["count"], count + 1);
    });
    report(`/ack/${i}`);
  }
}

async function check(): Promise<void> {
  const state = await engine.read(async (tx) => {
    const rows = await tx.range(["row"], ["row", END]);
    return { count: (await tx.get(["count"])) ?? 0, rows: rows.map((entry) => entry.key[1]) };
  });
  report("/state", JSON.stringify(state));
}

const run = async (): Promise<void> => {
  const [, first] = /^#write-(\d+)$/.exec(location.hash) ?? [];
  if (first !== undefined) await Promise.all([0, 1, 2].map((offset) => writeOn(Number(first) + offset, 3)));
  else if (location.hash === "#check") await check();
};
run().catch((error: unknown) => report("/error", String(error)));
