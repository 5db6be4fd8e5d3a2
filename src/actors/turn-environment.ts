// Turn environment: what a turn runs with by now. Its plan as it was accepted; where plugins take part, what they make of it, in
// memory only: whoever drives the turn has it made again (E-32).

import type { EffectOutcome } from "../machines/effects.ts";
import { runtimeError } from "../domain/errors.ts";
import type { TurnIssue } from "../domain/outcome.ts";
import type { TurnPlugins } from "./plugin-port.ts";
import type { TurnPlan } from "./turn-plan.ts";

export class TurnEnvironment {
  readonly plugins: TurnPlugins | undefined;
  readonly #accepted: TurnPlan;
  #plan: TurnPlan;

  constructor(accepted: TurnPlan, plugins: TurnPlugins | undefined) {
    this.#accepted = accepted;
    this.#plan = accepted;
    this.plugins = plugins;
  }

  get plan(): TurnPlan {
    return this.#plan;
  }

  /** @returns why it cannot be built. */
  async build(iteration: number, signal: AbortSignal): Promise<TurnIssue | undefined> {
    const built = await this.plugins?.planFor(this.#accepted, iteration, signal);
    if (built && "issue" in built) return built.issue;
    this.#plan = built ?? this.#plan;
    return undefined;
  }

  /** T-33: before each model call. */
  async sync(iteration: number, signal: AbortSignal): Promise<EffectOutcome> {
    const kind = "sync_execution_environment";
    const instead = await this.plugins?.beforeModelCall(iteration, signal);
    if (instead) return "issue" in instead ? { kind, issue: instead.issue } : { kind, switchTo: instead };
    const issue = await this.build(iteration, signal);
    return { kind, ...(issue && { issue }) };
  }

  /** For a turn that is taken up in the middle of a round. @throws LashError `context_prepare_turn`. */
  async rebuild(iteration: number, signal: AbortSignal): Promise<void> {
    await this.plugins?.prepareContext(signal);
    const issue = await this.build(iteration, signal);
    if (issue) throw runtimeError("context_prepare_turn", issue.message);
  }
}
