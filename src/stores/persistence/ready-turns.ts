// Which turns in flight can go on (ready-index.ts), and which there are at all.

import { isPlainObject } from "../../domain/json.ts";
import type { InFlight, ReadyTurn, ReadyTurns } from "../contract.ts";
import type { Bound, Entry, Key, ReadTransaction } from "../engine.ts";
import { after, DUE_TURNS, parkedControlKey, READY_TURNS, readyTurnKey, textAt, TURNS } from "./layout.ts";
import { invalidRow } from "./schema.ts";
import { readControl, turnIdOf } from "./turn-rows.ts";

/** From session to session, so that the rows of their steps are not read. */
export function turnsBelow(tx: ReadTransaction, prefix: Key): readonly InFlight[] {
  return firstRows(tx, prefix).filter((entry) => !isOfDeletion(entry)).map(turnIn);
}

function firstRows(tx: ReadTransaction, prefix: Key): readonly Entry[] {
  const to = after(prefix);
  const found: Entry[] = [];
  for (let from: Bound = prefix; ; ) {
    const [entry] = tx.range(from, to, { limit: 1 });
    if (entry === undefined) return found;
    found.push(entry);
    from = after([...prefix, textAt(entry.key, 1)]);
  }
}

const isOfDeletion = ({ value }: Entry): boolean => isPlainObject(value) && "deleting" in value;

/** One session's damage must not keep the others from being finished. */
function turnIn({ key, value }: Entry): InFlight {
  const sessionId = textAt(key, 1);
  const turnId = turnIdOf(value);
  return turnId === undefined ? { sessionId, turnId: "", damage: invalidRow("turn in flight", key, "it names no turn") } : { sessionId, turnId };
}

/** @param only - of this session alone. */
export function readyTurns(tx: ReadTransaction, now: number, only: string | undefined): ReadyTurns {
  if (only !== undefined) return readyIn(tx, now, only);
  const turns = new Map<string, ReadyTurn>();
  const dueBy: Bound = [...DUE_TURNS, Math.floor(now) + 1];
  const add = (sessionId: string, turnId: unknown, why: ReadyTurn["why"]): void => {
    const key = parkedControlKey(sessionId);
    const value = tx.get(key);
    // An entry that outlived its turn, as where a damaged session was deleted, says nothing.
    if (value !== undefined && !turns.has(sessionId) && [turnId, undefined].includes(turnIdOf(value))) turns.set(sessionId, { ...turnIn({ key, value }), why });
  };
  for (const { key, value } of tx.range(READY_TURNS, after(READY_TURNS))) add(textAt(key, 2), value, "woken");
  for (const { key, value } of tx.range(DUE_TURNS, dueBy)) add(textAt(key, 3), value, "due");
  const [next] = tx.range(dueBy, after(DUE_TURNS), { limit: 1 });
  const others = firstRows(tx, TURNS);
  const running = others.filter((entry) => !isOfDeletion(entry)).map((entry): ReadyTurn => ({ ...turnIn(entry), why: "running" }));
  const deleting = others.filter(isOfDeletion).map(({ key }) => textAt(key, 1));
  return { turns: [...turns.values(), ...running], ...(next && { nextDueAtMs: Number(next.key[2]) }), ...(deleting.length > 0 && { deleting }) };
}

function readyIn(tx: ReadTransaction, now: number, sessionId: string): ReadyTurns {
  const control = readControl(tx, sessionId);
  if (control === undefined) return { turns: [] };
  const { turnId, parked } = control;
  const is = (why: ReadyTurn["why"]): ReadyTurns => ({ turns: [{ sessionId, turnId, why }] });
  if (parked === undefined) return is("running");
  if (tx.get(readyTurnKey(sessionId)) !== undefined) return is("woken");
  const { dueAtMs } = parked;
  if (dueAtMs === undefined) return { turns: [] };
  return dueAtMs <= now ? is("due") : { turns: [], nextDueAtMs: dueAtMs };
}
