// Kills processes of kill-everything-job.ts, and reads what they left: ends it, closes, and gives what then stands in store, trace
// and witness file, as plain data for kill-everything-verdict.ts.

import { existsSync, readFileSync } from "node:fs";
import type { TurnResult } from "../../src/index.ts";
import type { Message } from "../../src/domain/messages.ts";
import type { TokenLedgerEntry } from "../../src/domain/session.ts";
import type { Persistence, RecordedTurn } from "../../src/stores/contract.ts";
import type { Entry } from "../../src/stores/engine.ts";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import { sqliteEngine } from "../../src/stores/sqlite/index.ts";
import type { TraceRecord } from "../../src/trace/index.ts";
import type { ToolState } from "../../src/tools/registry/contract.ts";
import { lastAsked, openWorking, PLUGIN, readWitnessed, ROOT, runTurn, traceOf, type Counts, type Witnessed } from "./kill-everything-job.ts";
import { killOnce } from "./kill-rounds.ts";
import { rowsOf } from "./rows.ts";

/** What is started at once, again and again: each is killed at a moment of its own. */
const ROUNDS: readonly (readonly string[])[] = [["work"], ["work", "feed"], ["contend", "rival"], ["work"], ["contend", "rival", "feed"]];

/**
 * @param random - says when they are killed, up to `longestMs` after their start.
 * @returns how many were; at least `kills`.
 */
export async function killEverything(job: string, database: string, witnessFile: string, kills: number, random: () => number, longestMs: number): Promise<number> {
  let killed = 0;
  for (let round = 0; killed < kills; round++) {
    const roles = ROUNDS[round % ROUNDS.length] ?? [];
    await Promise.all(roles.map((role) => killOnce(job, database, witnessFile, random() * longestMs, role)));
    killed += roles.length;
  }
  return killed;
}

export interface SessionLeft {
  readonly sessionId: string;
  readonly turnIndex: number;
  /** In the order of their commits; `messages` are those that the commit appended. */
  readonly turns: readonly (RecordedTurn & { readonly messages: readonly Message[] })[];
  /** Of all commits. */
  readonly messageCount: number;
  readonly ledger: readonly TokenLedgerEntry[];
  readonly counts: Counts;
  readonly tools: ToolState["tools"];
  readonly frameIds: readonly string[];
  readonly maxTurns: number | null;
}

export interface Left {
  readonly witness: readonly Witnessed[];
  /** What went wrong while the leftovers were ended. */
  readonly failures: readonly string[];
  readonly rows: readonly Entry[];
  readonly root: SessionLeft;
  readonly children: readonly SessionLeft[];
  /** In file order, rivals first; null for a line that is no record. */
  readonly trace: readonly (TraceRecord | null)[];
}

/** Ends what is left in flight and in the queue. */
async function finish(database: string, witnessFile: string): Promise<readonly string[]> {
  const { lash, session } = await openWorking(database, witnessFile);
  const failures: string[] = [];
  const wrong = (what: string, error: unknown): void => void failures.push(`${what}: ${String(error)}`);
  await runTurn(session, lastAsked(witnessFile)).catch((error: unknown) => wrong("the last turn", error));
  const recovered = await lash.recover();
  for (const entry of recovered) if (!("result" in entry)) wrong(`recovery of ${entry.turnId}`, "error" in entry ? entry.error : "suspended");
  // Commands alone make no turn; whatever they leave does.
  for (let turn: TurnResult | undefined = await session.queuedTurn(); turn !== undefined; turn = await session.queuedTurn());
  await lash.close();
  return failures;
}

export async function leftBy(database: string, witnessFile: string): Promise<Left> {
  const failures = await finish(database, witnessFile);
  const engine = sqliteEngine(database);
  try {
    const store = createPersistence(engine, { clock: { now: () => Date.now() } });
    const rows = await rowsOf(engine);
    const sessions = await Promise.all((await store.sessions.list()).map((id) => sessionOf(store, id, rows)));
    const root = sessions.find(({ sessionId }) => sessionId === ROOT);
    if (!root) throw new Error("the root session is gone");
    return { witness: readWitnessed(witnessFile), failures, rows, root, children: sessions.filter((each) => each !== root), trace: [true, false].flatMap((isRival) => traceIn(traceOf(database, isRival))) };
  } finally {
    await engine.close();
  }
}

async function sessionOf(store: Persistence, sessionId: string, rows: readonly Entry[]): Promise<SessionLeft> {
  const read = await store.sessions.load(sessionId, { kind: "full_graph" });
  if (!read) throw new Error(`session ${sessionId} has no head`);
  const { nodes, head, ledger, frames, components } = read;
  const messages = nodes.flatMap(({ body }) => (body.kind === "message" ? [body.message] : []));
  const stamped = rows.flatMap(({ key }) => (key[0] === "s" && key[1] === sessionId && key[2] === 3 ? [String(key[3])] : []));
  const settled = await Promise.all(stamped.map((turnId) => store.turns.settled(sessionId, turnId)));
  const turns = settled.flatMap((turn) => (turn ? [{ ...turn, messages: messages.slice(turn.firstNode, turn.firstNode + turn.nodeCount) }] : []));
  const plugins = components.pluginSnapshot as Readonly<Record<string, { readonly state: Counts }>> | undefined;
  return {
    sessionId,
    turnIndex: head.turnIndex,
    turns: turns.sort((a, b) => a.headRevision - b.headRevision),
    messageCount: messages.length,
    ledger,
    counts: plugins?.[PLUGIN]?.state ?? {},
    tools: (components.toolState as unknown as ToolState | undefined)?.tools ?? {},
    frameIds: frames.map(({ frameId }) => frameId),
    maxTurns: head.policy.maxTurns,
  };
}

function traceIn(file: string): readonly (TraceRecord | null)[] {
  const lines = (existsSync(file) ? readFileSync(file, "utf8") : "").split("\n").filter((line) => line !== "");
  return lines.map((line) => {
    try {
      return JSON.parse(line) as TraceRecord;
    } catch {
      return null;
    }
  });
}
