// The agent: everything that a crash takes away. It runs in a frame of its own, so that the page can drop it in mid-tool and
// stay to show what happens next. What comes back after that comes from IndexedDB.

import { createLash, LashError, type Session } from "../../src/index.ts";
import { createTap } from "../../src/inspect/tap.ts";
import type { Provider } from "../../src/providers/contract.ts";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import { indexedDb, indexedDbEngine } from "../../src/stores/indexeddb/store.ts";
import { systemClock } from "../../src/domain/clock.ts";
import type { InFlight, Sent, Shell } from "./link.ts";
import { scriptModel } from "./script-model.ts";
import { readEndpoint } from "./settings.ts";
import { dayTools } from "./tools.ts";

const DATABASE = "lash-playground";

const shell = window.parent.playgroundShell;
if (shell) start(shell).catch((error: unknown) => shell.tell({ type: "failed", message: String(error) }));

async function start({ sessionId, pace, tell }: Shell): Promise<void> {
  const tap = createTap((records) => tell({ type: "records", run: tap.run.run, records }), { label: "this tab" }, false);
  const lash = createLash({
    store: indexedDb(DATABASE),
    provider: await chooseModel(pace),
    prompt: "You plan days in cities. Use the tools; be brief.",
    tools: dayTools(pace, ({ callId, toolName, interrupted }) => tell({ type: "tool_entered", callId, name: toolName, again: interrupted })),
    inspect: tap,
  });
  tap.setListening(true);
  const left = await readInFlight(sessionId);
  const session = await lash.openSession(sessionId);
  const view = () => session.observe().readView;
  tell({
    type: "ready",
    view: view(),
    inFlight: left,
    agent: {
      send: (text, turnId) => attempt(() => session.run(text, { turnId, wait: false })),
      cancel: () => session.cancelRunningTurns(),
      branch: (at) => attempt(() => session.branch({ at })),
    },
  });
  session.view.subscribe(() => tell({ type: "view", view: view() }));
  await follow(session, tell);
}

async function follow(session: Session, tell: Shell["tell"]): Promise<void> {
  for await (const sighting of session.watch()) {
    tell({ type: "sighting", sighting });
    if (sighting.type !== "turn_started") continue;
    // What was there before comes before what happens now.
    if (sighting.here && sighting.recovered) await nameTurn(session.id, sighting, tell);
    else if (!sighting.here) void nameTurn(session.id, sighting, tell);
  }
}

/** What a turn that this life did not begin was asked, and what is recorded of it, is in the database. */
async function nameTurn(sessionId: string, { turnId, here }: { readonly turnId: string; readonly here: boolean }, tell: Shell["tell"]): Promise<void> {
  const inFlight = await readInFlight(sessionId);
  if (inFlight?.turnId === turnId) tell({ type: "in_flight", inFlight, here });
}

async function attempt(work: () => Promise<unknown>): Promise<Sent> {
  try {
    await work();
    return { kind: "done" };
  } catch (error) {
    if (LashError.is(error) && error.isCode("session_execution_busy")) return { kind: "busy" };
    return { kind: "failed", message: error instanceof Error ? error.message : String(error) };
  }
}

/** Looks into the database beside the runtime, to show what a crash leaves behind; an app has no need to. */
async function readInFlight(sessionId: string): Promise<InFlight | undefined> {
  const { turns, close } = createPersistence(indexedDbEngine(DATABASE), { clock: systemClock });
  try {
    const found = (await turns.inFlight()).find((turn) => turn.sessionId === sessionId);
    const turn = found && (await turns.load(sessionId, found.turnId));
    if (!turn) return undefined;
    const calls = turn.log.flatMap(({ parts }) => parts.flatMap(({ kind, toolCallId }) => (kind === "ToolCall" && toolCallId ? [toolCallId] : [])));
    const named = (key: string): string | undefined => calls.find((callId) => key.endsWith(`:${callId}:attempt:1`));
    const recorded = turn.journal.flatMap(({ replayKey }) => named(replayKey) ?? []);
    const issued = turn.issued.flatMap((key) => named(key) ?? []);
    return {
      turnId: turn.turnId,
      asked: turn.input.items.map((item) => (item.type === "text" ? item.text : "")).join(" "),
      log: turn.log,
      modelCalls: turn.modelCalls.length,
      recorded,
      cutOff: issued.filter((callId) => !recorded.includes(callId)),
    };
  } finally {
    await close();
  }
}

async function chooseModel(pace: number): Promise<Provider> {
  const endpoint = readEndpoint();
  if (!endpoint) return scriptModel(pace);
  const [{ createOpenAICompatible }, { aiSdk }] = await Promise.all([import("@ai-sdk/openai-compatible"), import("../../src/providers/ai-sdk/index.ts")]);
  const { baseUrl, key, model } = endpoint;
  return aiSdk(createOpenAICompatible({ name: "endpoint", baseURL: baseUrl, ...(key !== "" && { apiKey: key }) })(model));
}
