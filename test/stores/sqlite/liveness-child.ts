// A process of its own on a store file, for tests of proof of death across pid namespaces. Talks in JSON lines:
//   owner <path>        begins a turn whose tool waits for a line from the parent; says { runs }, then { text } or { code }
//   claimant <path>     recovers what it may; says { runs } where it runs the tool, then { taken }
//   verdict <owner>     says { self, dead }: what it is itself, and whether it takes that owner (JSON) for dead
import { once } from "node:events";
import { z } from "zod";
import { createLash, LashError, tool } from "../../../src/index.ts";
import type { LeaseOwner } from "../../../src/stores/contract.ts";
import { processLiveness } from "../../../src/stores/sqlite/process-liveness.ts";
import { sqlite } from "../../../src/stores/sqlite/store.ts";
import { byToolResults, scriptedProvider } from "../../../src/testing/index.ts";

const [task = "", argument = ""] = process.argv.slice(2);
const say = (line: unknown): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

if (task === "verdict") {
  const self = await processLiveness.self();
  say({ self, dead: await processLiveness.isDead(JSON.parse(argument) as LeaseOwner) });
} else {
  const slow = tool({
    name: "slow",
    description: "waits",
    input: z.object({}),
    idempotent: true,
    run: async () => {
      say({ runs: task });
      if (task === "owner") await once(process.stdin, "data");
      return 1;
    },
  });
  const provider = scriptedProvider(byToolResults([{ toolCalls: [{ name: "slow" }] }, "done"]));
  const lash = createLash({ provider, store: sqlite(argument), tools: [slow], logger: () => undefined });
  if (task === "owner") {
    const session = await lash.openSession("s");
    say(await session.run("hi", { turnId: "t" }).then(({ text }) => ({ text }), (error: unknown) => ({ code: LashError.is(error) ? error.code : String(error) })));
  } else {
    say({ taken: (await lash.recover()).length });
  }
  await lash.close();
}
process.exit();
