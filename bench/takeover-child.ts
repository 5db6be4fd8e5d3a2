// The process that takeover.ts kills: its tool never answers.

import * as z from "zod";
import { createLash, tool } from "../src/index.ts";
import { sqlite } from "../src/stores/sqlite/store.ts";
import { instantModel, userText } from "./workload.ts";

const weather = tool({
  name: "weather",
  description: "Current weather of a city",
  input: z.object({ city: z.string() }),
  readOnly: true,
  run: () => {
    process.send?.("in the tool");
    return new Promise<string>(() => {});
  },
});
const lash = createLash({ provider: instantModel, store: sqlite(process.argv[2] ?? ""), tools: [weather] });
const session = await lash.openSession("killed");
await session.run(userText());
