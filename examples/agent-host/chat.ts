// The same agent as a terminal chat. Run it with `npm run chat`.
//
// Whatever ends it (Ctrl-C twice, a closed terminal, kill -9), the next start goes on with the turn it was in.
//
//   --home <folder>    where conversations are kept; default .lash
//   --session <id>     which conversation; default chat
//
// AGENT_BASE_URL, AGENT_MODEL and AGENT_API_KEY put any OpenAI-compatible endpoint in place of the scripted model.

import { mkdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
// An app writes `from "lash-runtime"` and `from "lash-runtime/testing"`.
import { LashError, type Session } from "../../src/index.ts";
import { startWireScriptServer } from "../../src/testing/index.ts";
import { createAgent } from "./agent.ts";
import { ChatScreen } from "./chat-screen.ts";
import { Interrupts } from "./interrupts.ts";
import { endpointOf, SCRIPTED_MODEL } from "./model.ts";
import { travelAgent } from "./script.ts";

const { values: flags } = parseArgs({ options: { home: { type: "string", default: ".lash" }, session: { type: "string", default: "chat" } } });
/** Slow enough to find another terminal and kill this process in the middle of a tool. */
const PACE = Number(process.env["AGENT_PACE"] ?? 12);
const MS_PER_WORD = 4 * PACE;

mkdirSync(flags.home, { recursive: true });
const given = endpointOf(process.env);
const server = given ? undefined : await startWireScriptServer(travelAgent(MS_PER_WORD));
const endpoint = given ?? { url: server?.openaiUrl ?? "", model: SCRIPTED_MODEL };

const screen = new ChatScreen();
const terminal = createInterface({ input: process.stdin, output: process.stdout, terminal: process.stdin.isTTY === true, prompt: screen.prompt });
/** From the start: what is typed while a turn is being finished waits its turn. */
const lines = terminal[Symbol.asyncIterator]();
let isOpen = true;
terminal.once("close", () => {
  isOpen = false;
});
const interrupts = new Interrupts(terminal, {
  armed: (isBusy) => screen.note(isBusy ? "cancelling; Ctrl-C again leaves at once" : "Ctrl-C again leaves"),
  // Nothing to save: everything that happened is on the disk already.
  leave: () => process.exit(130),
});
const lash = createAgent({ home: flags.home, endpoint, pace: PACE, logger: ({ message }) => screen.note(message) });

screen.welcome({ model: endpoint.model, home: flags.home, pid: process.pid });
const leftover = await finishLeftover();
const session = await lash.openSession(flags.session);
const { messages } = session.observe().readView;
if (leftover) screen.recovered(messages);
else screen.history(messages);
await converse(session);
await lash.close();
await server?.close();
terminal.close();

/** The turn that an earlier process was in, if it was killed in one: it is finished here, before anything else. */
async function finishLeftover(): Promise<boolean> {
  const stop = interrupts.begin();
  let isAny = false;
  const turns = await lash.recover({
    signal: stop.signal,
    onActivity: (activity) => {
      if (!isAny) screen.recovering();
      isAny = true;
      screen.show(activity);
    },
  });
  interrupts.end();
  for (const turn of turns) {
    if ("error" in turn) screen.failed(turn.error);
    else if ("result" in turn) screen.ended(turn.result);
  }
  return isAny;
}

async function converse(chat: Session): Promise<void> {
  prompt();
  for await (const line of lines) {
    const text = line.trim();
    if (text === "/quit") return;
    if (text === "/help" || text === "?") screen.help();
    else if (text !== "") await ask(chat, text);
    prompt();
  }
}

function prompt(): void {
  if (isOpen && process.stdin.isTTY) terminal.prompt();
}

async function ask(chat: Session, text: string): Promise<void> {
  const turn = chat.turn(text, { signal: interrupts.begin().signal });
  screen.begin();
  try {
    for await (const activity of turn) screen.show(activity);
    screen.ended(await turn.result);
  } catch (error) {
    if (!LashError.is(error)) throw error;
    screen.failed(error);
  } finally {
    interrupts.end();
  }
}
