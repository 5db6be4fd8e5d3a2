// The job of processes that are going to be killed, with everything that a session can have at once: a plugin with state in its
// hooks, a tool that delegates to a child session, tools that take a tool away and give it back, session commands, queued work
// that drains by itself, settings, a trace. One SQLite file; what really happened is in a witness file, which no crash takes back.
//
//   node test/support/kill-everything-job.ts <database> <witness file> work      works until it is killed
//   node test/support/kill-everything-job.ts <database> <witness file> contend   likewise, beside another one that does
//   node test/support/kill-everything-job.ts <database> <witness file> rival     the other one
//   node test/support/kill-everything-job.ts <database> <witness file> feed      gives the session more to do, likewise

import { randomUUID } from "node:crypto";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import * as z from "zod";
import { childSessions } from "../../src/children/index.ts";
import { createLash, LashError, tool, type Lash, type Session, type ToolCall } from "../../src/index.ts";
import { plugin, type Plugin } from "../../src/plugins/index.ts";
import type { LlmRequest } from "../../src/providers/contract.ts";
import { sqlite } from "../../src/stores/sqlite/store.ts";
import { scriptedProvider, type ScriptedReply } from "../../src/testing/index.ts";
import { jsonlTrace } from "../../src/trace/node.ts";

export const ROOT = "root";
export const PLUGIN = "counting";
export const CHILD_SOURCE = "subagent";
/** Of the calls of one turn, in order; `extra` is asked for while it is taken away, and once more when it is back. */
export const CALLS = { a: "alpha", b: "beta", c: "delegate", d: "takeAway", e: "extra", f: "giveBack", g: "extra" } as const;

/** What the plugin counts, by turn. */
export type Counts = Readonly<Record<string, { readonly before: number; readonly tools: number; readonly after: number }>>;

/** One line of the witness file. Of `offer`, `command` and `configure` the first is written before the call, the second behind it. */
export type Witnessed =
  | { readonly at: "life" | "ask" | "offer" | "offered" | "command" | "commanded"; readonly what: string }
  | { readonly at: "configure" | "configured"; readonly maxTurns: number }
  | { readonly at: "begin" | "end"; readonly what: string; readonly session: string; readonly turn: string; readonly call: string; readonly key: string; readonly interrupted: boolean };

/** Rivals have a file of their own, so that what follows a torn line tells whether it was the last of its life. */
export const traceOf = (database: string, isRival = false): string => `${database}.${isRival ? "rival" : "trace"}.jsonl`;

export const readWitnessed = (file: string): readonly Witnessed[] =>
  existsSync(file) ? readFileSync(file, "utf8").split("\n").flatMap((line) => (line.endsWith("}") ? [JSON.parse(line) as Witnessed] : [])) : [];

const witnessTo =
  (file: string) =>
  (line: Witnessed): void =>
    appendFileSync(file, `${JSON.stringify(line)}\n`);

/** Counts in its hooks, and says something wherever it may. */
const counting: Plugin = plugin({
  id: PLUGIN,
  build: () => {
    let counts: Counts = {};
    let revision = 0;
    const note = (turnId: string, what: "before" | "tools" | "after"): void => {
      const known = counts[turnId] ?? { before: 0, tools: 0, after: 0 };
      counts = { ...counts, [turnId]: { ...known, [what]: known[what] + 1 } };
      revision += 1;
    };
    const say = (text: string) => ({ type: "enqueue_messages", messages: [{ role: "User", text }] }) as const;
    return {
      state: {
        revision: () => revision,
        save: () => counts,
        load: (saved) => {
          counts = (saved?.state as Counts | undefined) ?? {};
          revision = 0;
        },
      },
      transformContext: ({ view }) => ({ view: [...view, { role: "System", text: "shown only" }], prompt: { intro: "Prepared." } }),
      beforeTurn: ({ turnId }) => (note(turnId, "before"), say(`before ${turnId}`)),
      afterToolCall: ({ turnId, callId }) => (note(turnId, "tools"), say(`saw ${turnId} ${callId}`)),
      afterTurn: ({ turnId }) => (note(turnId, "after"), say(`after ${turnId}`)),
    };
  },
});

/** Every model call uses 10 and 5 tokens in the root session, 100 and 1 in a child. */
function script({ messages, scope }: LlmRequest): ScriptedReply {
  const textsOf = (role: string, from = 0): readonly string[] => messages.slice(from).flatMap((message) => (message.role === role ? message.blocks.flatMap((block) => (block.type === "text" ? [block.text] : [])) : []));
  const resultsFrom = (index: number): number => (index < 0 ? 0 : messages.slice(index).flatMap(({ blocks }) => blocks.filter(({ type }) => type === "toolResult")).length);
  if (scope.sessionId !== ROOT) {
    const usage = { inputTokens: 100, outputTokens: 1 };
    const isDug = textsOf("user").includes("more") || resultsFrom(0) > 0;
    return isDug ? { text: `re ${textsOf("user").includes("more") ? "more" : "dig"}`, usage } : { toolCalls: [{ name: "beta", callId: "z" }], usage };
  }
  const asked = messages.findLastIndex(({ role, blocks }) => role === "user" && blocks.some((block) => block.type === "text" && block.text.startsWith("do ")));
  // A drain in a fresh frame, or behind a turn that has them all.
  if (asked < 0) return "done";
  const calls = (ids: string): ScriptedReply => ({ toolCalls: [...ids].map((callId) => ({ name: CALLS[callId as keyof typeof CALLS], callId })) });
  switch (resultsFrom(asked)) {
    case 0:
      return calls("abcd");
    case 4:
      return calls("e");
    case 5:
      return calls("f");
    case 6:
      return calls("g");
    default:
      return "done";
  }
}

export interface Working {
  readonly lash: Lash;
  readonly session: Session;
}

/** Opens the session, in whose handle tools change tools: whoever drives its turns has to be this handle. */
export async function openWorking(database: string, witnessFile: string, isRival = false): Promise<Working> {
  const witness = witnessTo(witnessFile);
  const life = randomUUID();
  witness({ at: "life", what: life });
  const { promise: opened, resolve } = Promise.withResolvers<Session>();
  const witnessed = (name: string, run: (call: ToolCall) => unknown, traits: { readonly idempotent?: true; readonly readOnly?: true; readonly execution?: "serial" }) =>
    tool({
      name,
      description: name,
      input: z.object({}),
      ...traits,
      run: async (_args, call) => {
        const { sessionId: session, turnId: turn, callId, idempotencyKey: key, interrupted } = call;
        witness({ at: "begin", what: name, session, turn, call: callId, key, interrupted });
        const said = await run(call);
        witness({ at: "end", what: name, session, turn, call: callId, key, interrupted });
        return said ?? `${name} did it in ${turn}`;
      },
    });
  const setExtra = (member: boolean) => async (): Promise<void> => void (await (await opened).tools.setMembership("extra", member));
  const tools = [
    witnessed("alpha", () => sleep(1), {}),
    witnessed("beta", () => sleep(1), { readOnly: true }),
    witnessed(
      "delegate",
      async ({ children }) => {
        const child = await children.create({ usageSource: CHILD_SOURCE, hiddenTools: ["delegate", "alpha"] });
        const first = await child.run("dig");
        return `${first.text}, ${(await child.run("more")).text}`;
      },
      { idempotent: true },
    ),
    witnessed("takeAway", setExtra(false), { idempotent: true, execution: "serial" }),
    witnessed("extra", () => undefined, { readOnly: true }),
    witnessed("giveBack", setExtra(true), { idempotent: true, execution: "serial" }),
  ];
  const lash = createLash({
    provider: scriptedProvider(script),
    store: sqlite(database),
    tools,
    plugins: [counting],
    children: childSessions(),
    drain: "auto",
    trace: { sink: jsonlTrace(traceOf(database, isRival)), context: { run_id: life } },
    maxRecoveries: Infinity,
  });
  const session = await lash.openSession(ROOT);
  resolve(session);
  return { lash, session };
}

/** The turn that was asked for last, which may not have been accepted. */
export const lastAsked = (witnessFile: string): number => Number(readWitnessed(witnessFile).flatMap((line) => (line.at === "ask" ? [line.what.slice("turn-".length)] : [])).at(-1) ?? 0);

/** @param meanwhile - done as soon as the turn tells something of itself; awaited with it. */
export async function runTurn(session: Session, n: number, meanwhile?: () => Promise<void>): Promise<void> {
  let doing: Promise<void> | undefined;
  await session.run(`do turn-${n}`, { turnId: `turn-${n}`, onActivity: () => void (doing ??= meanwhile?.()) });
  await doing;
}

/** What a host leaves to the session's queue and lanes, one thing after another. */
function offersOf(session: Session, witness: (line: Witnessed) => void) {
  const offering = async (what: string, offer: (text: string) => Promise<unknown>): Promise<void> => {
    witness({ at: "offer", what });
    await offer(what);
    witness({ at: "offered", what });
  };
  return {
    /** Unlike that of a queued batch, the id of an input may be used again by a later life. */
    input: (n: number) => offering(`input ${n}`, (text) => session.enqueue(text, { id: text })),
    injection: (n: number) => offering(`injection ${n}`, (text) => session.inject(text, { id: text })),
    batch: () => offering(`batch ${randomUUID()}`, (text) => session.enqueueTurnInput(text, { deliveryPolicy: "after_current_turn_commit", slotPolicy: "exclusive", sourceKey: text })),
    joining: () => offering(`joining ${randomUUID()}`, (text) => session.enqueueTurnInput(text, { deliveryPolicy: "earliest_safe_boundary", slotPolicy: "join", sourceKey: text })),
    command: async (kind: "refreshToolCatalog" | "reset", key: string): Promise<void> => {
      witness({ at: "command", what: `${kind} ${key}` });
      await session.commands[kind]("soak", key);
      witness({ at: "commanded", what: `${kind} ${key}` });
    },
  };
}

/** Tries again as long as somebody else runs the session. */
async function patiently<T>(body: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await body();
    } catch (error) {
      if (!(LashError.is(error) && error.isCode("session_execution_busy"))) throw error;
      await sleep(10);
    }
  }
}

/**
 * Turns from the one that was asked for last on, and something to do between them.
 *
 * @param isAlone - nobody else runs turns of the session. What `recover()` takes up is driven by no handle, so tools could not change tools.
 */
export async function workThrough({ lash, session }: Working, witnessFile: string, turns: number, isAlone: boolean): Promise<void> {
  const witness = witnessTo(witnessFile);
  const offers = offersOf(session, witness);
  const first = lastAsked(witnessFile);
  for (let n = first; n < first + turns; n++) {
    witness({ at: "ask", what: `turn-${n}` });
    await patiently(() => runTurn(session, n, [offers.joining, () => offers.injection(n)][n % 3]));
    // Behind the first turn, so that turns of this session were taken up by its handle.
    if (n === first && isAlone) await lash.recover();
    if (n % 3 === 2) await offers.input(n);
    if (n % 4 === 1) await offers.command("refreshToolCatalog", `after ${n}`);
    if (n % 4 === 2) await offers.batch();
    if (n % 5 === 3) await offers.command("reset", `after ${n}`);
    if (n % 3 !== 0) continue;
    witness({ at: "configure", maxTurns: 100 + n });
    await patiently(() => session.configure({ maxTurns: 100 + n }));
    witness({ at: "configured", maxTurns: 100 + n });
  }
}

async function work(database: string, witnessFile: string, role: string): Promise<void> {
  process.stdout.write("ready\n");
  await workThrough(await openWorking(database, witnessFile, role === "rival"), witnessFile, Infinity, role === "work");
}

/** Has no provider, so it never takes up a turn. */
async function feed(database: string, witnessFile: string): Promise<void> {
  process.stdout.write("ready\n");
  const lash = createLash({ store: sqlite(database) });
  const session = await lash.openSession(ROOT);
  const offers = offersOf(session, witnessTo(witnessFile));
  for (let n = 0; ; n++) {
    const key = randomUUID();
    await [() => offers.batch(), () => offers.joining(), () => offers.command("reset", key), () => offers.command("refreshToolCatalog", key)][n % 4]?.();
    await sleep(20);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const [, , database = "", witnessFile = "", role = "work"] = process.argv;
  await (role === "feed" ? feed(database, witnessFile) : work(database, witnessFile, role));
}
