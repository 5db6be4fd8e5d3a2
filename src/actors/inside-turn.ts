// Inside a turn: which turns the code that asks for something is a part of. A tool or hook that asks its own session for a turn, and
// waits for it, would wait for itself; so it is refused at once.
//
//   IN1. Only turns that run here count, and only for as long as they do: what a tool leaves behind may ask like anybody else.
//   IN2. A turn that code inside another turn asked for is inside that one, too: a child's tool is a part of its parent's turn. Turns
//        that nobody waits for - recovered, drained by themselves - are inside none.
//   IN3. Where no context goes along with asynchronous code, as in pages, only what is asked for before the tool first waits is known
//        to be inside.

import { asyncContext } from "../domain/async-context.ts";
import { runtimeError, type LashError } from "../domain/errors.ts";
import type { LeaseOwner } from "../stores/contract.ts";
import type { RuntimePorts } from "./ports.ts";

/** A turn that runs in this process. */
export interface TurnHere {
  readonly sessionId: string;
  readonly turnId: string;
  /** Of whoever runs it: sessions of two stores may have one id. */
  readonly ports: RuntimePorts;
  /** Who holds its lease. */
  readonly owner: Pick<LeaseOwner, "ownerId" | "incarnationId">;
  /** The turn that waits for it. */
  readonly asker: TurnHere | undefined;
  isOver: boolean;
}

const context = asyncContext<TurnHere>();

/** The turn that the code which calls this is a part of. */
export const turnAround = (): TurnHere | undefined => context.value;

/** Runs a part of the turn. */
export const insideTurn = <T>(turn: TurnHere, body: () => T): T => context.run(turn, body);

function find(innermost: TurnHere | undefined, isIt: (turn: TurnHere) => boolean): TurnHere | undefined {
  for (let turn = innermost; turn; turn = turn.asker) if (!turn.isOver && isIt(turn)) return turn;
  return undefined;
}

/** The turn of this session that whoever asks is a part of. */
export const askedFromInside = (asker: TurnHere | undefined, ports: RuntimePorts, sessionId: string): TurnHere | undefined =>
  find(asker, (turn) => turn.sessionId === sessionId && turn.ports === ports);

/** The turn that holds the session's lease, where whoever asks is a part of it: asked through another lash on the same store. */
export const heldFromInside = (asker: TurnHere | undefined, { ownerId, incarnationId }: TurnHere["owner"]): TurnHere | undefined =>
  find(asker, ({ owner }) => owner.ownerId === ownerId && owner.incarnationId === incarnationId);

/** @param turnId - the one that was asked for; undefined for a drain. */
export function insideError({ sessionId, turnId: around }: Pick<TurnHere, "sessionId" | "turnId">, turnId: string | undefined): LashError {
  const message =
    turnId === undefined
      ? `a drain of session ${sessionId} was asked for from inside turn ${around} of the same session, and would wait for it: nothing was taken. Drain when that turn has ended, or make the lash with drain: "auto"`
      : `turn ${turnId} of session ${sessionId} was asked for from inside turn ${around} of the same session, which would wait for itself: it was not accepted. Leave the input to the next turn with session.enqueue(input), or ask a child session`;
  return runtimeError("session_execution_busy", message, { details: { sessionId, turnId: turnId ?? around, behind: around, accepted: false } });
}
