// Phases of a turn: what its machine waits for beside its effects. Nothing of them is recorded but the end.
//
//   PH1. Where nothing has to be waited for, a phase is over when it returns: no promise, no microtask (M4).

import type { Message } from "../../domain/messages.ts";
import { estimatedTokens } from "../../domain/token-estimate.ts";
import { callLimitsOf } from "../../domain/turn-config.ts";
import { totalTokens } from "../../domain/usage.ts";
import type { TurnEvent } from "../../machines/effects.ts";
import type { RecordedTurn } from "../../stores/contract.ts";
import { buildCommit, closedLog, completedBy, isCancelled, resultOf } from "../committer.ts";
import type { Phases } from "../durable/contract.ts";
import { insideTurn } from "../inside-turn.ts";
import { loadOpening, openingAtHand } from "../opening.ts";
import type { PluginPhase } from "../plugin-port.ts";
import { referenceOf } from "../resident.ts";
import { settingsOf } from "../session-settings.ts";
import { turnEnded } from "../session/turn-ended.ts";
import type { DrivenTurn } from "./driven-turn.ts";
import type { TurnScope, TurnTypes } from "./types.ts";

export const turnPhases = (driven: DrivenTurn): Phases<TurnTypes> => ({
  open: () => open(driven),
  refreshHead: () => refreshHead(driven),
  normalizeInput: () => normalizeInput(driven),
  prepareContext: (scope) => pluginPhase(driven, "prepareContext", scope),
  beforeTurn: (scope) => pluginPhase(driven, "beforeTurn", scope),
  buildTurn: (scope) => buildTurn(driven, scope),
  finalize: (scope) => pluginPhase(driven, "finalize", scope),
  settle: (scope) => settle(driven, scope),
  commit: (scope) => commit(driven, scope),
  // The turn is committed: what fails from here on is not the turn (PT-20).
  afterPersist: (scope) => pluginPhase(driven, "afterPersist", scope).catch((): TurnEvent => ({ type: "turn.persisted" })),
});

function open(driven: DrivenTurn): TurnEvent {
  const { givenUp, turn: { claims: [first], input: { causes = [] } }, emit } = driven;
  if (givenUp) return givenUp;
  if (first?.lane === "work") void emit({ type: "queued_work_started", boundary: "idle", batchIds: first.rows.ids, causes }, "queue");
  return prepared(driven) ?? { type: "turn.opened" };
}

/** What the phases up to the first model call would say, unless one of them has to wait (M4). */
function prepared(driven: DrivenTurn): TurnEvent | undefined {
  const { turn, headRevision, session, plugins, accepted } = driven;
  const { resident } = session.residence;
  const messages = openingAtHand(turn);
  if (resident.headRevision !== headRevision || !messages || plugins) return undefined;
  return { type: "turn.prepared", history: referenceOf(resident), messages, limits: callLimitsOf(accepted.config), ...isLong(driven, messages) };
}

function refreshHead({ session: { residence }, headRevision }: DrivenTurn): TurnEvent | Promise<TurnEvent> {
  const { resident } = residence;
  if (resident.headRevision === headRevision) return { type: "head.refreshed", history: referenceOf(resident) };
  return residence.refresh(headRevision).then((fresh) => ({ type: "head.refreshed", history: referenceOf(fresh) }));
}

function normalizeInput({ turn, session }: DrivenTurn): TurnEvent | Promise<TurnEvent> {
  const messages = openingAtHand(turn);
  return messages ? { type: "input.normalized", messages } : loadOpening(turn, session.ports.persistence).then(normalized);
}

const normalized = (messages: readonly Message[] | string): TurnEvent =>
  typeof messages === "string"
    ? { type: "input.refused", issue: { kind: "input_validation", code: "invalid_turn_input", message: messages, retryable: false } }
    : { type: "input.normalized", messages };

function buildTurn(driven: DrivenTurn, scope: TurnScope): TurnEvent | Promise<TurnEvent> {
  if (!driven.plugins) return { type: "turn.built", limits: callLimitsOf(driven.accepted.config), ...isLong(driven) };
  return pluginPhase(driven, "buildTurn", scope).then((event) => (event.type === "turn.built" ? { ...event, ...isLong(driven) } : event));
}

/** Asked for only where a plugin takes part, except for a turn that is given up: then none is there. */
function pluginPhase({ plugins, preparing, here }: DrivenTurn, phase: PluginPhase, scope: TurnScope): Promise<TurnEvent> {
  if (!plugins) return Promise.resolve(phase === "finalize" ? { type: "turn.finalized", messages: [] } : { type: "turn.persisted" });
  return insideTurn(here, () => plugins.phase(phase, () => scope.context, preparing.signal));
}

/** Whether the prompt of the first model call is to be expected longer than the host wants it. */
function isLong({ session, accepted, log }: DrivenTurn, opening: readonly Message[] = log.messages): { readonly isLong?: true } {
  const { stated: { wiring: { compaction } }, residence: { resident } } = session;
  const { head: { lastPromptUsage }, messageCount } = resident;
  const window = accepted.config.policy.model.limits?.contextWindowTokens;
  if (compaction?.at === undefined || window === undefined || lastPromptUsage === undefined || messageCount === 0) return {};
  return totalTokens(lastPromptUsage) + estimatedTokens(opening) > compaction.at * window ? { isLong: true } : {};
}

// ---- the end --------------------------------------------------------------------------------------------------------

/** The one write that makes the turn what it came to (T-73). */
async function commit(driven: DrivenTurn, scope: TurnScope): Promise<TurnEvent> {
  const { session, turn } = driven;
  const { ports, stated, residence, actors } = session;
  const build = () => {
    actors.send({ type: "turn.committing" });
    const { wiring } = stated;
    const { resident } = residence;
    return buildCommit(driven.finished(scope.context), {
      resident,
      settings: settingsOf(wiring, resident, turn),
      asked: { provider: turn.config.policy.providerId, model: turn.config.policy.model.id },
      fence: scope.fence,
      now: ports.clock.now(),
      pluginState: wiring.plugins?.capture(resident.plugins, "turn"),
    });
  };
  for (;;) {
    let made: ReturnType<typeof build> | undefined;
    const answer = await scope.end(() => ({ kind: "commit", commit: (made = build()) }));
    if (answer.kind === "ended") {
      const { recorded, commit: committed } = answer.result;
      tellValue(driven, recorded);
      if (committed && made) turnEnded(session, committed, made);
      return { type: "turn.committed" };
    }
    actors.send({ type: "turn.continued" });
    if (answer.why.kind === "inputWaits") return { type: "input.waiting" };
    driven.cancellation = answer.why.by;
    const { context } = scope;
    // Cancelled here, by nobody's request, at the same moment: only the evidence was missing.
    if (isCancelled(context.outcome)) continue;
    const { messages } = driven.log;
    return { type: "cancel.won", messages: closedLog(context, messages).slice(messages.length) };
  }
}

/** A turn that ends with a value says so, before those who watch are shown its commit. */
function tellValue({ emit }: DrivenTurn, { outcome }: RecordedTurn): void {
  if (!("finished" in outcome)) return;
  const { finished } = outcome;
  if ("final_value" in finished) void emit({ type: "final_value", value: finished.final_value.value }, "value");
  if ("tool_value" in finished) void emit({ type: "tool_value", toolName: finished.tool_value.tool_name, value: finished.tool_value.value }, "value");
}

/** Ends the turn without moving the session's head (OP-4). */
async function settle(driven: DrivenTurn, scope: TurnScope): Promise<TurnEvent> {
  let completed = {};
  await scope.end(() => {
    const finished = driven.finished(scope.context);
    completed = completedBy(finished.claims);
    return { kind: "settle", settlement: { fence: scope.fence, result: resultOf(finished), ...completed } };
  });
  turnEnded(driven.session, undefined, completed);
  return { type: "turn.settled" };
}
