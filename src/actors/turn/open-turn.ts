// Opening a claimed turn: what it is run with, where it goes on, and why it may have to be ended instead.

import type { TurnEvent } from "../../machines/effects.ts";
import type { TurnHook } from "../../machines/turn.context.ts";
import type { HeldClaim } from "../durable/contract.ts";
import type { Opened } from "../durable/runner.ts";
import type { GivenUp } from "../give-up.ts";
import { insideTurn } from "../inside-turn.ts";
import { needsJsonCheck } from "../output-check.ts";
import type { TurnPlugins } from "../plugin-port.ts";
import type { SessionWiring } from "../ports.ts";
import type { DrivenTurn } from "./driven-turn.ts";
import { restored } from "./durable-turn.ts";
import { turnExecutors } from "./executors.ts";
import { turnPhases } from "./phases.ts";
import type { ClaimedTurn, TurnTypes } from "./types.ts";

export async function openTurn(driven: DrivenTurn, { start }: HeldClaim<TurnTypes>): Promise<Opened<TurnTypes>> {
  const { session, request, log } = driven;
  const { ports, stated: { wiring }, residence, feed, actors } = session;
  const { turn, headRevision } = start;
  const { turnId } = turn;
  driven.claimedAs(turn, headRevision);
  actors.send({ type: "turn.claimed" });
  feed.started(turnId, turn.recoveries > 0);
  driven.trace?.claimed(turn.recoveries);
  if (turn.journal.length > 0) {
    // What the turn changed about its tools before it was found here.
    await residence.refresh(headRevision);
    await wiring.tools.takeUp(turn.journal);
  }
  const opened: Opened<TurnTypes> = {
    input: { sessionId: wiring.sessionId, turnId, hooks: hooksOf(wiring) },
    executors: turnExecutors(driven),
    phases: turnPhases(driven),
    facts: (withState) => (withState ? log.takeUnsaved() : { appended: [], modelCalls: log.takeUnsavedCalls() }),
  };
  const given = givenUp(driven, start);
  if (given) {
    driven.givenUp = await close(driven, given);
    return opened;
  }
  const plan = session.plans.of(turn, request.overlay);
  if (needsJsonCheck(plan)) await ports.loadJsonCheck();
  driven.accept(plan);
  if (wiring.plugins) driven.plugins = await plugged(driven, wiring);
  const snapshot = turn.snapshot && (await takenUp(driven));
  return snapshot ? { ...opened, snapshot } : opened;
}

/** Why the turn is ended here and now, instead of being driven on. */
function givenUp({ session: { ports }, request: { origin } }: DrivenTurn, { turn, lack }: ClaimedTurn): GivenUp | undefined {
  const abandonment = origin.kind === "found" ? origin.abandonment : undefined;
  const isExhausted = turn.recoveries > ports.maxRecoveries;
  if (!lack && !isExhausted && abandonment === undefined) return undefined;
  // Whoever asked for its end is told of that one.
  if (turn.cancellation) return { why: "cancelled" };
  return abandonment === undefined ? { why: "exhausted" } : { why: "abandoned", reason: abandonment };
}

async function close({ session, turn, headRevision, log }: DrivenTurn, given: GivenUp): Promise<TurnEvent> {
  await session.residence.refresh(headRevision);
  // Most pages never need it.
  const { giveUp } = await import("../give-up.ts");
  return giveUp(turn, log, session.ports, given);
}

/** The plugins that the turn was accepted with, in the state that it begins or goes on with. */
async function plugged(driven: DrivenTurn, { plugins: all }: SessionWiring): Promise<TurnPlugins | undefined> {
  const { session: { residence }, turn, headRevision, log, emit, accepted } = driven;
  await residence.refresh(headRevision);
  const plugins = all?.turn({ turnId: turn.turnId, plan: accepted, base: () => driven.base, resident: () => residence.resident, log: () => log.messages, emit });
  plugins?.begin(residence.resident.plugins, turn);
  return plugins;
}

/** Goes on where the last durable step left off. */
async function takenUp({ session, turn, headRevision, log, plugins, preparing, here }: DrivenTurn) {
  const { residence, ports } = session;
  await residence.refresh(headRevision);
  const snapshot = turn.snapshot && restored(turn, turn.snapshot, ports);
  if (!snapshot) return undefined;
  const { logLength, open } = snapshot.context;
  log.restore(turn, logLength, (replayKey) => open.some((request) => request.replayKey === replayKey));
  // A turn that ends as cancelled needs none of it, and nothing of it must keep the turn from ending.
  if (plugins && !preparing.signal.aborted) await insideTurn(here, () => plugins.rebuild(open[0]?.command.iteration ?? 0));
  return snapshot;
}

function hooksOf({ plugins, tools, compaction }: SessionWiring): readonly TurnHook[] {
  const hooks = plugins?.hooks ?? [];
  // Tools that can change while the turn runs are looked at before each model call (T-33).
  const syncs = tools.isManaged && !hooks.includes("syncsEnvironment") ? (["syncsEnvironment"] as const) : [];
  return ["takesInput", ...hooks, ...syncs, ...(compaction?.onOverflow === true ? (["compacts"] as const) : [])];
}
