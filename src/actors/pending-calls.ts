// The tool calls that wait for approval: listed and answered from any process, read from the records of the turns in flight.
//
//   PC1. A call is known by the wait for its approval, so an answer needs no lease and the first one counts (E-20).
//   PC2. A call whose time is over can no longer be approved, also where no process was there to say so.

import { answerIn, type AnswerOutcome, type CallAnswer, type PendingCall } from "../domain/approvals.ts";
import type { Json } from "../domain/json.ts";
import type { Resolution } from "../domain/waits.ts";
import type { InFlight } from "../stores/contract.ts";
import type { RuntimePorts } from "./ports.ts";
import { ANSWERED, ASKED, callsWaitingHere, type RecordedRequest } from "./turn/tools/approval.ts";

type Ports = Pick<RuntimePorts, "persistence" | "waits" | "clock">;

/** Of one session, in call order. */
export async function pendingCalls(ports: Ports, sessionId: string): Promise<readonly PendingCall[]> {
  const [turn] = await ports.persistence.turns.inFlight(sessionId);
  return turn ? pendingIn(ports, turn) : [];
}

/** Of all sessions, by session id; at most `limit`, from behind `after`. */
export async function allPendingCalls(ports: Ports, limit: number, after: Pick<PendingCall, "sessionId" | "id"> | undefined): Promise<readonly PendingCall[]> {
  const turns = [...(await ports.persistence.turns.inFlight())].sort((one, other) => compare(one.sessionId, other.sessionId));
  const calls: PendingCall[] = [];
  for (const turn of turns) {
    if (calls.length >= limit) break;
    if (turn.damage || (after && turn.sessionId < after.sessionId)) continue;
    const found = await pendingIn(ports, turn);
    // The one that the last page ended with may have been answered since: then its session is told from its beginning.
    const from = turn.sessionId === after?.sessionId ? found.findIndex(({ id }) => id === after.id) + 1 : 0;
    calls.push(...found.slice(from));
  }
  return calls.slice(0, limit);
}

/** @returns the call as it was asked for, also where it is answered; undefined where the turn in flight has none of this id. */
export async function askedCall(ports: Ports, sessionId: string, id: string): Promise<PendingCall | undefined> {
  const [turn] = await ports.persistence.turns.inFlight(sessionId);
  return turn && (await askedIn(ports, turn)).find(({ call }) => call.id === id)?.call;
}

/** Records the answer to a call that was asked for; the first one counts. */
export async function answerCall({ waits, clock }: Ports, { sessionId, id, expiresAtMs }: PendingCall, answer: CallAnswer): Promise<AnswerOutcome> {
  const isLate = expiresAtMs !== undefined && expiresAtMs <= clock.now();
  const resolution: Resolution = isLate ? { status: "timeout" } : { status: "ok", payload: answer as unknown as Json };
  const outcome = await waits.resolveAt(sessionId, id, resolution);
  if (outcome.status === "unknown_or_revoked") return { status: "unknown_call" };
  if (outcome.status === "already_resolved") return { status: "already_answered", answer: answerIn(outcome.terminal) };
  return isLate ? { status: "already_answered", answer: { decision: "expired" } } : { status: "accepted" };
}

async function pendingIn(ports: Ports, turn: InFlight): Promise<readonly PendingCall[]> {
  const nowMs = ports.clock.now();
  const pending: PendingCall[] = [];
  for (const { call, isAnswered } of await askedIn(ports, turn)) {
    if (isAnswered || (call.expiresAtMs !== undefined && call.expiresAtMs <= nowMs)) continue;
    const { state } = await ports.persistence.waits.peek(call.sessionId, call.id);
    if (state === "open" || state === "unknown") pending.push(call);
  }
  return pending;
}

async function askedIn({ persistence, waits }: Ports, { sessionId, turnId }: InFlight): Promise<readonly { readonly call: PendingCall; readonly isAnswered: boolean }[]> {
  const turn = await persistence.turns.load(sessionId, turnId);
  if (!turn) return [];
  const keys = new Set(turn.journal.map(({ replayKey }) => replayKey));
  const asked = turn.journal.flatMap(({ replayKey, outcome }) => {
    if (!replayKey.endsWith(ASKED) || !("ok" in outcome)) return [];
    const request = outcome.ok as unknown as RecordedRequest;
    return request.needed ? [{ call: request.call, isAnswered: keys.has(`${replayKey.slice(0, -ASKED.length)}${ANSWERED}`) }] : [];
  });
  const known = new Set(asked.map(({ call }) => call.id));
  const here = callsWaitingHere(waits).filter((call) => call.sessionId === sessionId && call.turnId === turnId && !known.has(call.id));
  return [...asked, ...here.map((call) => ({ call, isAnswered: false }))];
}

const compare = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0);
