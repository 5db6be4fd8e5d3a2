// Turn phases: what the chart of a turn waits for beside its effects: the lane, the head, its input, plugins, the commit.
//
// Owns: what the claim brought, and what the turn came to. TurnRun owns the machine's actor and says when a phase begins.
//   PH1. A phase tells the machine what came of it, once; one that throws has failed the run.
//   PH2. Where nothing has to be waited for, a phase is over when it returns (M4).

import type { TurnCancellation } from "../domain/cancellation.ts";
import { LashError } from "../domain/errors.ts";
import type { Message } from "../domain/messages.ts";
import { estimatedTokens } from "../domain/token-estimate.ts";
import { callLimitsOf } from "../domain/turn-config.ts";
import { totalTokens } from "../domain/usage.ts";
import type { PhaseName, TurnEvent } from "../machines/effects.ts";
import type { MachineSnapshot, RecordedTurn, TurnRecord } from "../stores/contract.ts";
import { closedLog, isCancelled, type FinishedTurn } from "./committer.ts";
import { restorable } from "./found-turn.ts";
import type { GivenUp } from "./give-up.ts";
import type { Claimed, ClaimedTurn } from "./lane-claims.ts";
import { loadOpening, openingAtHand } from "./opening.ts";
import { needsJsonCheck } from "./output-check.ts";
import type { PluginPhase, SessionPlugins, TurnPlugins } from "./plugin-port.ts";
import { referenceOf } from "./resident.ts";
import { fenceOf } from "./session-lease.ts";
import { commitTurn, settleTurn } from "./turn-ending.ts";
import { openLane, type LiveRun, type TurnLane } from "./turn-lane.ts";
import type { TurnPlan } from "./turn-plan.ts";

/** One for all: every turn ends, and making one costs as much as two transitions. */
const OVER = new DOMException("the turn is over", "AbortError");

export class TurnPhases {
  readonly #run: LiveRun;
  readonly #startedAtMs: number;
  readonly #startedAt: number;
  /** Aborts hooks that run before the first model call. */
  readonly #preparing = new AbortController();
  #claiming: Promise<Claimed> | undefined;
  #draining: Promise<void> | undefined;
  #lane: TurnLane | undefined;
  /** As the turn was accepted. */
  #accepted: TurnPlan | undefined;
  #plugins: TurnPlugins | undefined;
  #result: RecordedTurn | undefined;
  #cancellation: TurnCancellation | undefined;
  #stopExpiry: () => void = () => undefined;
  /** Its input is durable, although this run has no lane: another owner drives it, or nobody. */
  #isInFlight = false;

  constructor(run: LiveRun) {
    const { clock } = run.session.ports;
    this.#run = run;
    this.#startedAtMs = clock.now();
    this.#startedAt = clock.monotonic();
  }

  /** Undefined until it is claimed. */
  get lane(): TurnLane | undefined {
    return this.#lane;
  }

  /** What is recorded of the turn, once it is. */
  get result(): RecordedTurn | undefined {
    return this.#result;
  }

  /** Its input is durable, as far as is known here. */
  get isAccepted(): boolean {
    return this.#lane !== undefined || this.#isInFlight || this.#run.request.origin === "found";
  }

  begin(phase: PhaseName): Promise<void> | void {
    switch (phase) {
      case "claimLane":
        return this.#claimLane();
      case "refreshHead":
        return this.#refreshHead();
      case "normalizeInput":
        return this.#normalizeInput();
      case "commit":
        return this.#commit();
      case "settle":
        return this.#settle();
      case "drainCommands":
        return this.#drainCommands();
      default:
        return this.#pluginPhase(phase);
    }
  }

  /** The turn is to end as cancelled. @param request - the first one is what its result names. */
  cancel(request: TurnCancellation | undefined): void {
    this.#cancellation ??= request;
    this.#preparing.abort();
  }

  /** The machine has ended: nothing is prepared or looked for any more. */
  end(): void {
    this.#stopExpiry();
    this.#lane?.watch.stop();
    this.#preparing.abort(OVER);
  }

  /** Records nothing more. @param keepsLease - its lease is left to expire. */
  async release(keepsLease: boolean): Promise<void> {
    if (!this.#lane) return this.#releaseClaimed();
    const { effects, held } = this.#lane;
    effects.stop();
    await held.letGo(keepsLease ? "leave" : "release");
  }

  /** The write that ended the turn has freed its lease. */
  freed(): void {
    void this.#lane?.held.letGo("freed");
  }

  /** A lane that was being claimed when the turn was abandoned: nobody drives it, so nobody else should have to wait for it. */
  async #releaseClaimed(): Promise<void> {
    const { session } = this.#run;
    const claimed = await this.#claiming?.catch(() => undefined);
    await this.#draining?.catch(() => undefined);
    if (claimed?.kind === "commands") await session.releaseLane();
    if (claimed?.kind !== "claimed") return;
    this.#isInFlight = true;
    await session.giveBack(fenceOf(claimed.lease));
  }

  /** Without plugins nothing is waited for (M4). */
  #pluginPhase(phase: PluginPhase): Promise<void> | void {
    const { send, context } = this.#run;
    const plugins = this.#plugins;
    if (phase === "buildTurn" && !plugins) return send({ type: "turn.built", limits: callLimitsOf(this.#planned.config), ...this.#isLong() });
    if (!plugins) return send(phase === "finalize" ? { type: "turn.finalized", messages: [] } : { type: "turn.persisted" });
    return plugins.phase(phase, context, this.#preparing.signal).then((event) => send(event.type === "turn.built" ? { ...event, ...this.#isLong() } : event));
  }

  async #claimLane(): Promise<void> {
    const { session, request, send, claim, hasFailed } = this.#run;
    const claiming = claim();
    this.#claiming = claiming;
    const claimed = await claiming;
    // Abandoned meanwhile: whoever waits for its end gives the lane back.
    if (hasFailed()) return;
    if (claimed.kind === "busy") {
      this.#isInFlight = await this.#isDrivenElsewhere();
      return send({ type: "lane.busy" });
    }
    if (claimed.kind === "commands") return send({ type: "commands.waiting" });
    if (claimed.kind === "settled") {
      this.#result = claimed.result;
      // Ended by somebody else since this session was read: what is shown here has to have it, too.
      if (claimed.result.headRevision > session.resident().headRevision) await session.refresh(claimed.result.headRevision);
      const { outcome, issues, usage } = claimed.result;
      return send({ type: "turn.recorded", outcome, issues, usage });
    }
    this.#lane = openLane(claimed, this.#run, { accepted: () => this.#planned, plugins: () => this.#plugins });
    const { turn } = claimed;
    for (const claim of turn.claims) if (claim.replayKey === undefined) this.#run.log.recordClaim(claim);
    if (turn.cancellation) this.#run.cancel(turn.cancellation);
    const given = this.#givenUp(claimed);
    if (given) {
      await session.refresh(claimed.headRevision);
      // Most pages never need it.
      const { giveUp } = await import("./give-up.ts");
      return send(await giveUp(turn, this.#run.log, session.ports, given));
    }
    const plan = session.planOf(turn, request.overlay);
    const { plugins } = session.wiring;
    if (needsJsonCheck(plan)) await session.ports.loadJsonCheck();
    if (hasFailed()) return;
    this.#accepted = plan;
    this.#expireAfter(turn, plan);
    if (plugins) this.#plugins = await this.#plug(plugins, turn, plan);
    if (hasFailed()) return;
    if (turn.snapshot) return this.#takeUp(turn, turn.snapshot);
    const { claims: [first], input: { causes = [] } } = turn;
    if (first?.lane === "work") void request.emit({ type: "queued_work_started", boundary: "idle", batchIds: first.rows.ids, causes }, "queue");
    send(this.#prepared() ?? { type: "lane.claimed" });
  }

  /** Counted from its acceptance, whoever drives it by now. */
  #expireAfter({ acceptedAtMs }: TurnRecord, { config: { limits } }: TurnPlan): void {
    const { session: { ports: { clock } }, expire } = this.#run;
    const timeoutMs = limits?.timeoutMs;
    if (timeoutMs === undefined) return;
    this.#stopExpiry = clock.setTimer(Math.max(0, acceptedAtMs + timeoutMs - clock.now()), () => expire(timeoutMs));
  }

  async #isDrivenElsewhere(): Promise<boolean> {
    const { session: { ports, wiring }, request } = this.#run;
    const [inFlight] = await ports.persistence.turns.inFlight(wiring.sessionId).catch(() => []);
    return inFlight?.turnId === request.turnId;
  }

  /** Why the turn is ended here and now, instead of being driven on. */
  #givenUp({ turn, lack }: ClaimedTurn): GivenUp | undefined {
    const { session: { ports }, request: { abandonment } } = this.#run;
    const isExhausted = turn.recoveries > ports.maxRecoveries;
    if (!lack && !isExhausted && abandonment === undefined) return undefined;
    // Whoever asked for its end is told of that one.
    if (turn.cancellation) return { why: "cancelled" };
    return abandonment === undefined ? { why: "exhausted" } : { why: "abandoned", reason: abandonment };
  }

  async #drainCommands(): Promise<void> {
    this.#draining = this.#run.session.drainCommands();
    await this.#draining;
    this.#run.send({ type: "commands.drained" });
  }

  /** Those that the turn was accepted with, in the state that it begins or goes on with. */
  async #plug(all: SessionPlugins, turn: TurnRecord, plan: TurnPlan): Promise<TurnPlugins> {
    const { session: { resident, refresh }, log, request } = this.#run;
    const { effects, headRevision } = this.claimed;
    await refresh(headRevision);
    const plugins = all.turn({ turnId: turn.turnId, plan, base: () => effects.base, resident, log: () => log.messages, emit: request.emit });
    plugins.begin(resident().plugins, turn);
    return plugins;
  }

  /** What the phases up to the first model call would say, unless one of them has to wait (M4). */
  #prepared(): TurnEvent | undefined {
    const { headRevision, turn } = this.claimed;
    const resident = this.#run.session.resident();
    const messages = openingAtHand(turn);
    if (resident.headRevision !== headRevision || !messages || this.#plugins) return undefined;
    return { type: "turn.prepared", history: referenceOf(resident), messages, limits: callLimitsOf(this.#planned.config), ...this.#isLong(messages) };
  }

  /** Whether the prompt of the first model call is to be expected longer than the host wants it. */
  #isLong(opening: readonly Message[] = this.#run.log.messages): { readonly isLong?: true } {
    const { wiring: { compaction }, resident } = this.#run.session;
    const { head: { lastPromptUsage }, messageCount } = resident();
    const window = this.#planned.config.policy.model.limits?.contextWindowTokens;
    if (compaction?.at === undefined || window === undefined || lastPromptUsage === undefined || messageCount === 0) return {};
    return totalTokens(lastPromptUsage) + estimatedTokens(opening) > compaction.at * window ? { isLong: true } : {};
  }

  /** Goes on where the last durable step left off. */
  async #takeUp(turn: TurnRecord, stored: MachineSnapshot): Promise<void> {
    const { session, log, send, hasFailed, restore } = this.#run;
    await session.refresh(this.claimed.headRevision);
    const snapshot = restorable(turn, stored, session.ports);
    if (!snapshot) return send({ type: "lane.claimed" });
    const { logLength, open } = snapshot.context;
    log.restore(turn, logLength, (replayKey) => open.some((request) => request.replayKey === replayKey));
    // A turn that ends as cancelled needs none of it, and nothing of it must keep the turn from ending.
    if (this.#plugins && !this.#preparing.signal.aborted) await this.#plugins.rebuild(open[0]?.command.iteration ?? 0);
    // Lost or abandoned meanwhile: nothing may begin any more.
    if (!hasFailed()) restore(snapshot);
  }

  #refreshHead(): Promise<void> | void {
    const { session, send } = this.#run;
    const { headRevision } = this.claimed;
    const resident = session.resident();
    if (resident.headRevision === headRevision) return send({ type: "head.refreshed", history: referenceOf(resident) });
    return session.refresh(headRevision).then((fresh) => send({ type: "head.refreshed", history: referenceOf(fresh) }));
  }

  #normalizeInput(): Promise<void> | void {
    const { session, send } = this.#run;
    const { turn } = this.claimed;
    const messages = openingAtHand(turn);
    return messages ? send({ type: "input.normalized", messages }) : loadOpening(turn, session.ports.persistence).then((loaded) => this.#normalized(loaded));
  }

  #normalized(messages: readonly Message[] | string): void {
    if (typeof messages !== "string") return this.#run.send({ type: "input.normalized", messages });
    this.#run.send({ type: "input.refused", issue: { kind: "input_validation", code: "invalid_turn_input", message: messages, retryable: false } });
  }

  async #commit(): Promise<void> {
    const { session, send } = this.#run;
    const commitment = await commitTurn(session, this.claimed, () => this.#finished(), (result) => this.#tellValue(result));
    if (commitment.kind === "inputWaits") return send({ type: "input.waiting" });
    if (commitment.kind === "cancelled") return this.#yieldTo(commitment.by, this.#finished());
    this.#result = commitment.result;
    this.claimed.effects.ended();
    send({ type: "turn.committed" });
  }

  /** A turn that ends with a value says so, before those who watch are shown its commit. */
  #tellValue({ outcome }: RecordedTurn): void {
    if (!("finished" in outcome)) return;
    const { finished } = outcome;
    if ("final_value" in finished) void this.#run.request.emit({ type: "final_value", value: finished.final_value.value }, "value");
    if ("tool_value" in finished) void this.#run.request.emit({ type: "tool_value", toolName: finished.tool_value.tool_name, value: finished.tool_value.value }, "value");
  }

  /** Somebody asked for the end of this turn before it ended: it keeps what was said and ends as cancelled. */
  #yieldTo(request: TurnCancellation, { context, log }: FinishedTurn): Promise<void> | void {
    this.#cancellation = request;
    // Cancelled here, by nobody's request, at the same moment: only the evidence was missing.
    if (isCancelled(context.outcome)) return this.#commit();
    this.#run.send({ type: "cancel.won", messages: closedLog(context, log).slice(log.length) });
  }

  async #settle(): Promise<void> {
    this.#result = await settleTurn(this.#run.session, this.claimed, () => this.#finished());
    this.claimed.effects.ended();
    this.#run.send({ type: "turn.settled" });
  }

  #finished(): FinishedTurn {
    const { session, log, context } = this.#run;
    return {
      context: context(),
      inputHash: this.claimed.turn.inputHash,
      log: log.messages,
      toolResults: log.toolResults,
      modelCalls: log.modelCalls,
      claims: log.claims,
      startedAtMs: this.#startedAtMs,
      durationMs: Math.round(session.ports.clock.monotonic() - this.#startedAt),
      compaction: log.compaction,
      isRefused: log.isRefused,
      cancellation: this.#cancellation,
    };
  }

  /** @throws LashError `other` - it was not claimed yet. */
  get claimed(): TurnLane {
    if (!this.#lane) throw new LashError("runtime", "other", "the turn's lane was not claimed yet");
    return this.#lane;
  }

  /** Bound once the lane is claimed; a turn that is given up needs none. */
  get #planned(): TurnPlan {
    if (!this.#accepted) throw new LashError("runtime", "other", "the turn's plan was not made yet");
    return this.#accepted;
  }
}
