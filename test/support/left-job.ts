// A process that leaves a turn in flight: its tool `mail`, given with the session, says that it runs and never ends. To be killed.
//
//   node test/support/left-job.ts <database>

import { pathToFileURL } from "node:url";
import * as z from "zod";
import { createLash, tool } from "../../src/index.ts";
import { sqlite } from "../../src/stores/sqlite/store.ts";
import { scriptedProvider, type ProviderScript } from "../../src/testing/index.ts";

export const LEFT_SCRIPT: ProviderScript = ({ messages }) => (messages.at(-1)?.blocks.some(({ type }) => type === "toolResult") ? "done" : { toolCalls: [{ name: "mail" }] });

export const mailTool = (run: () => unknown) => tool({ name: "mail", description: "Reads mail.", input: z.object({}), readOnly: true, run });

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const lash = createLash({ provider: scriptedProvider(LEFT_SCRIPT), store: sqlite(process.argv[2] ?? "") });
  const runs = (): Promise<never> => {
    process.stdout.write("runs\n");
    return new Promise(() => setInterval(() => undefined, 1_000));
  };
  const session = await lash.openSession("s", { tools: [mailTool(runs)] });
  await session.run("go", { turnId: "t" });
}
