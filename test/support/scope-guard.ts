// An engine that refuses what a write does outside of its scope: on a storage with locks it would race others there.

import { defineEngine, wrapEngine } from "../../src/stores/define-engine.ts";
import type { Bound, Engine, Scope, WriteTransaction } from "../../src/stores/engine.ts";

const OF_SESSIONS = new Set(["s", "session", "turn", "parked", "intent", "wait", "waits"]);

/** @returns the session that a key belongs to, or "content", or undefined where it belongs to all. */
function domainOf([space, session, ...rest]: Bound): string | undefined {
  // Entries of the ready index end with their session; sweeps over them are everybody's.
  if (space === "ready") return typeof rest.at(-1) === "string" ? `s:${String(rest.at(-1))}` : undefined;
  if (OF_SESSIONS.has(String(space)) && typeof session === "string") return `s:${session}`;
  if (space === "retired" && typeof session === "string") return `s:${session}`;
  return ["content", "piece", "held", "blob"].includes(String(space)) ? "content" : undefined;
}

export function scopeGuard(engine: Engine): Engine {
  return wrapEngine(defineEngine(engine), {
    write: (body, scope) => engine.write((tx) => body(scope === undefined ? tx : guarded(tx, scope)), scope),
  });
}

function guarded(tx: WriteTransaction, { sessions, content }: Scope): WriteTransaction {
  const mine = new Set(sessions.map((id) => `s:${id}`));
  const check = (key: Bound, change: "read" | "add" | "remove"): void => {
    const domain = domainOf(key);
    const isInside = domain === "content" ? content === "change" || (content === "add" && change !== "remove") : domain !== undefined && mine.has(domain);
    if (!isInside) throw new Error(`a write whose scope is ${JSON.stringify({ sessions, content })} has to do with ${String(key.slice(0, 2))} (${change})`);
  };
  return {
    get: (key) => (check(key, "read"), tx.get(key)),
    range: (from, to, options) => (check(from, "read"), tx.range(from, to, options)),
    prefetch: (reads) => {
      for (const read of reads) check("from" in read ? read.from : read, "read");
      tx.prefetch(reads);
    },
    set: (key, value) => (check(key, "add"), tx.set(key, value)),
    delete: (key) => (check(key, "remove"), tx.delete(key)),
    widen: (sessionId) => {
      mine.add(`s:${sessionId}`);
      tx.widen(sessionId);
    },
  };
}
