// The page of tests that drive real tabs. What its tools do is told to the server it came from, and a tool ends when the
// server lets it, so that a test decides what is under way when a tab dies.

import * as z from "zod/mini";
import { createLash, LashError, tool, type Session, type ToolCall } from "../../../src/index.ts";
import { indexedDb } from "../../../src/stores/indexeddb/store.ts";
import { scriptedProvider } from "../../../src/testing/scripted-provider.ts";

/** One entry into a tool's function, or its end. */
export interface Witnessed {
  readonly tab: string;
  readonly at: "begin" | "end";
  readonly turnId: string;
  readonly tool: string;
  readonly interrupted: boolean;
}

export interface TabApi {
  open(database: string, sessionId: string): Promise<void>;
  /** @returns the final text, or the code of the error. */
  run(text: string, turnId: string): Promise<string>;
  messages(): number;
  seen(): readonly string[];
  /** Directives of the page's Content-Security-Policy that something ran into. */
  violations(): readonly string[];
  /** Tries what the policy forbids. */
  canEvaluate(): Promise<boolean>;
  close(): Promise<void>;
}

const params = new URLSearchParams(location.search);
const tab = params.get("tab") ?? "tab";

const post = (path: string, body: unknown): Promise<Response> => fetch(path, { method: "POST", body: JSON.stringify(body) });

const inputSchema = { type: "object" };
const witnessed = (name: string, readOnly: boolean) =>
  tool({
    name,
    description: name,
    input: z.object({}),
    inputSchema,
    readOnly,
    run: async (_args, { turnId, interrupted, signal }: ToolCall) => {
      const about = { tab, turnId, tool: name, interrupted };
      await post("/witness", { ...about, at: "begin" } satisfies Witnessed);
      // An address of its own: the browser's cache lets only one request for an address out at a time.
      await fetch(`/gate/${name}?${crypto.randomUUID()}`, { signal, cache: "no-store" });
      await post("/witness", { ...about, at: "end" } satisfies Witnessed);
      return `${name} did it`;
    },
  });

/** Two tools at once, then the answer, as often as the user asks. */
const provider = scriptedProvider(({ messages }) => {
  const asked = messages.findLastIndex(({ role, blocks }) => role === "user" && blocks.some(({ type }) => type === "text"));
  const results = messages.slice(asked).flatMap(({ blocks }) => blocks.filter(({ type }) => type === "toolResult")).length;
  return results === 0 ? { text: "looking ", toolCalls: [{ name: "quick" }, { name: "slow" }] } : "done";
});

/** A driver's end has to be noticed by its lock: waiting for the lease would outlast every test. */
const LONG_LEASE = { ttlMs: 600_000, renewMs: 10_000 };

let session: Session | undefined;
let close: () => Promise<void> = () => Promise.resolve();
const seen: string[] = [];
const violations: string[] = [];
document.addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI }) => violations.push(`${effectiveDirective} ${blockedURI}`));

/** What a test's own script calls directly is exempt from the page's policy. */
const ownTask = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

/** Tests that ask tab by tab want to hear at once that another one is busy; a page that works by itself waits for what it is behind. */
const isByItself = params.has("work") || params.has("check");

const api: TabApi = {
  async open(database, sessionId) {
    await ownTask();
    const lash = createLash({ store: indexedDb({ name: database, onLost: () => void post("/lost", { tab }) }), provider, tools: [witnessed("quick", false), witnessed("slow", true)], lease: LONG_LEASE, logger: () => {}, wait: isByItself });
    const opened = await lash.openSession(sessionId);
    session = opened;
    close = () => lash.close();
    void (async () => {
      for await (const sighting of opened.watch()) {
        const what = sighting.type === "turn_activity" ? sighting.activity.type : sighting.type;
        seen.push(`${what} ${sighting.here ? "here" : "there"}`);
        if (sighting.type === "turn_started" && sighting.here && sighting.recovered) void post("/took-over", { tab });
      }
    })();
  },
  run: (text, turnId) =>
    (session?.run(text, { turnId }) ?? Promise.reject(new Error("not open"))).then(
      (result) => result.text,
      (error: unknown) => (LashError.is(error) ? error.code : String(error)),
    ),
  messages: () => session?.observe().readView.messages.length ?? 0,
  seen: () => seen,
  violations: () => violations,
  canEvaluate: async () => {
    await ownTask();
    try {
      // oxlint-disable-next-line no-new-func -- the point of it
      return new Function("return true")() === true;
    } catch {
      return false;
    }
  },
  close: () => close(),
};
Object.assign(globalThis, { tab: api });

/** `?work`: turn after turn until it is killed; `?check`: finishes what was left and says how everything ended. */
async function byItself(): Promise<void> {
  if (!params.has("work") && !params.has("check")) return;
  await api.open("killed", "chat");
  const next = () => session?.observe().readView.turnIndex ?? 0;
  for (let turn = 0; params.has("work"); turn = next()) await api.run(`go ${turn}`, `turn-${turn}`);
  const turns: string[] = [];
  // The one that was cut off is asked for again under its id, which attaches to it.
  const last = next();
  for (let turn = 0; turn <= last; turn++) turns.push(await api.run(`go ${turn}`, `turn-${turn}`));
  await post("/ended", { turns, messages: api.messages(), held: (await navigator.locks.query()).held?.length ?? 0 });
}
byItself().catch((error: unknown) => post("/failed", String(error)));
