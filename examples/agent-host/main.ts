// The main job: a turn with tools that survives two SIGKILLs. Run it with `npm start`.
//
// This process plays the model server and the executioner; host.ts, its child, plays the app. The server lives here so
// that it survives the kills.
//
//   --no-journal    the same without durable effects, to see what this is good for; ends with exit code 1
//   --keep          keeps the folder with the store and the file of side effects
//
// AGENT_BASE_URL, AGENT_MODEL and AGENT_API_KEY put any OpenAI-compatible endpoint in place of the scripted model.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
// An app writes `from "lash-runtime/testing"`.
import { startWireScriptServer } from "../../src/testing/index.ts";
import { endpointOf, SCRIPTED_MODEL } from "./model.ts";
import { bold, dim } from "./paint.ts";
import { readBack } from "./read-back.ts";
import { runUntilDone } from "./executioner.ts";
import { travelAgent } from "./script.ts";
import { billOf } from "./bill.ts";
import { summary } from "./summary.ts";
import { Timeline } from "./timeline.ts";
import { judge } from "./verdict.ts";

const { values: flags } = parseArgs({ options: { "no-journal": { type: "boolean", default: false }, keep: { type: "boolean", default: false } } });
const question = "Will it be dry in Bergen tomorrow? Book me a room there.";
const effects = flags["no-journal"] ? "inline" : "journaled";

const home = mkdtempSync(join(tmpdir(), "lash-agent-host-"));
const given = endpointOf(process.env);
const server = given ? undefined : await startWireScriptServer(travelAgent(0));
const endpoint = given ?? { url: server?.openaiUrl ?? "", model: SCRIPTED_MODEL };

console.log(`${bold("A durable agent turn, killed twice")}

  model    ${endpoint.model} ${dim(`at ${endpoint.url}, through the AI SDK`)}
  store    SQLite ${dim(`in ${home}`)}${effects === "inline" ? "\n  effects  inline: nothing in flight is recorded, for once" : ""}
  asked    ${question}

${dim("  states: of the turn's state chart · world: what tools really did, from the file of side effects")}`);

const run = await runUntilDone({ home, endpoint, question, effects, timeline: new Timeline() });
const stored = await readBack(home, run.sessionId);
const checks = judge({ ...stored, ...run, question, server: server && billOf(server.requests) });
await server?.close();

console.log(summary({ ...run, ...stored, checks, home, modelCalls: server?.requests.length }));
const isSound = checks.every(({ problems }) => problems.length === 0);
if (isSound && !flags.keep) rmSync(home, { recursive: true });
else console.log(dim(`\n  kept for a look: ${home}`));
process.exitCode = isSound ? 0 : 1;
