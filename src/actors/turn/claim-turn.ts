// How a turn comes to be driven here: its lease and its acceptance in one write, or its takeover.

import { LashError } from "../../domain/errors.ts";
import { lackError } from "../../domain/turn-means.ts";
import type { AcceptOutcome, ResumeOutcome, SessionLease } from "../../stores/contract.ts";
import type { ClaimAnswer } from "../durable/contract.ts";
import { holdSession } from "../session-lease.ts";
import type { SessionParts } from "../session/parts.ts";
import type { TurnRequest } from "./request.ts";
import { heldFromInside, insideError } from "../inside-turn.ts";
import type { TurnTypes } from "./types.ts";

/**
 * Asks for the turn once. What it throws has accepted nothing.
 *
 * @throws LashError `unknown_turn` - nothing waits for it, or it is not in flight and never ended.
 * @throws LashError `tool_missing`, `plugin_missing`, `provider_mismatch`, `provider_unconfigured`, `session_fact_pinned` - it needs what
 *   is not here; nothing was claimed.
 */
export async function claimTurn(session: SessionParts, request: TurnRequest): Promise<ClaimAnswer<TurnTypes>> {
  const { claims } = session;
  const isAccepting = request.origin.kind !== "found";
  try {
    const outcome = await ask(session, request);
    // Commands may have been applied under a lease that is held for the turn: it has it now, or nobody needs it any more.
    if (isAccepting && outcome.kind === "accepted") claims.hold(undefined);
    if (isAccepting && NOT_ACCEPTED.has(outcome.kind)) await claims.release();
    return answerOf(session, request, outcome);
  } catch (error) {
    if (isAccepting) await claims.release();
    // Asked for again with another input is the caller's mistake (OP-11).
    if (LashError.is(error) && error.isCode("runtime_turn_commit_conflict")) return { kind: "refused", error };
    throw error;
  }
}

const NOT_ACCEPTED: ReadonlySet<Outcome["kind"]> = new Set(["settled", "busy", "turn_left"]);

type Outcome = AcceptOutcome | Exclude<ResumeOutcome, { kind: "unknown_turn" }>;

async function ask({ claims, plans, residence }: SessionParts, { turnId, origin, overlay }: TurnRequest): Promise<Outcome> {
  if (origin.kind === "found") return claims.resume(turnId, origin.abandonment === undefined ? plans.means(overlay) : undefined);
  const { resident } = residence;
  const accepting = { config: { value: plans.next(resident, overlay).config, madeFrom: resident.headRevision }, means: plans.means(overlay) };
  return origin.kind === "input" ? claims.accept({ turnId, ...origin }, accepting) : claims.acceptQueued({ turnId, batchIds: origin.batchIds }, accepting);
}

const hold = ({ ports, actors, claims }: SessionParts, lease: SessionLease) =>
  holdSession(ports, lease, { sinceMs: claims.sinceMs, parent: actors.keeper, giveBack: (fence) => claims.giveBack(fence) });

function answerOf(session: SessionParts, { turnId, place, asker }: TurnRequest, outcome: Outcome): ClaimAnswer<TurnTypes> {
  switch (outcome.kind) {
    case "accepted":
    case "resumed": {
      const { lease, turn, headRevision, lack } = outcome;
      const { step, journal, issued } = turn;
      return { kind: "held", held: hold(session, lease), start: { turn, headRevision, ...(lack && { lack }) }, step, journal, issued };
    }
    case "turn_left":
      return { kind: "refused", error: lackError(outcome.lack, { sessionId: session.stated.wiring.sessionId, turnId: outcome.turnId }) };
    case "settled":
      return { kind: "over", result: { recorded: outcome.result } };
    case "commands_wait":
      return { kind: "notYet", first: { kind: "commands" } };
    case "turn_in_flight":
      if (place && !place.mayWait) {
        place.isBehind({ turnId: outcome.turnId, isParked: false });
        // It is driven all the same, as it would be by a turn that waits.
        session.takeover.leftHere(false);
        return { kind: "refused", error: place.refused() };
      }
      return { kind: "notYet", first: { kind: "turn", turnId: outcome.turnId } };
    case "head_moved":
      return { kind: "notYet", first: { kind: "head", headRevision: outcome.headRevision } };
    case "busy": {
      const around = outcome.holder && heldFromInside(asker, outcome.holder.owner);
      if (around) return { kind: "refused", error: insideError(around, turnId) };
      return place?.mayWait ? { kind: "notYet", first: { kind: "owner" } } : { kind: "elsewhere", holder: outcome.holder };
    }
  }
}
