// The plugins of one turn: its phases, as they take part in them.

import type { Journaled } from "../actors/durable/contract.ts";
import type { Collected, EndedTurn, PluggedTurn, PluginPhase, ToolQuestion, ToolVerdict, TurnPlugins } from "../actors/plugin-port.ts";
import type { TurnPlan } from "../actors/turn-plan.ts";
import { copyJson } from "../domain/copy-json.ts";
import { LashError, runtimeError } from "../domain/errors.ts";
import type { Message } from "../domain/messages.ts";
import { toHostOutcome, type TurnIssue } from "../domain/outcome.ts";
import { messagesOfPlugins, type PluginMessage } from "../domain/plugin-message.ts";
import type { ToolCallOutput } from "../domain/tool-output.ts";
import { callLimitsOf } from "../domain/turn-config.ts";
import type { CheckpointKind, EffectOutcome, FrameTarget, TurnEvent } from "../machines/effects.ts";
import type { ComponentBody, JournaledOutcome, TurnRecord } from "../stores/contract.ts";
import { Announcements } from "./announcements.ts";
import { Deeds, type HookPlace } from "./deeds.ts";
import type { Answer, Directive, EndedTurnContext, PluginContributions } from "./contract.ts";
import { abortIssue, type ALLOWED, directivesOf } from "./directives.ts";
import { Environment, type Refusal } from "./environment.ts";
import { hookFailed, hookText, type Installed, observe } from "./installed.ts";
import type { SessionSeed } from "./kit.ts";
import type { PluginStates } from "./plugin-state.ts";
import { pluginStateOf, withPluginState } from "./recorded-state.ts";
import { withStreamHooks } from "./stream-hooks.ts";
import { ToolHooks } from "./tool-hooks.ts";
import { turnContext, type TurnFacts, unstoppable } from "./turn-context.ts";

interface PluggedSession extends Pick<SessionSeed, "sessionId" | "clock" | "logger" | "runtime"> {
  readonly states: PluginStates;
}

interface Folded {
  readonly messages: readonly PluginMessage[];
  readonly abort?: TurnIssue;
}

export class PluginsOfTurn implements TurnPlugins {
  readonly beforeToolCall: ((call: ToolQuestion, signal: AbortSignal) => Promise<ToolVerdict>) | undefined;
  readonly afterToolCall: TurnPlugins["afterToolCall"];
  readonly atCheckpoint: TurnPlugins["atCheckpoint"];
  readonly #session: PluggedSession;
  readonly #plugins: readonly Installed[];
  readonly #facts: TurnFacts;
  readonly #announcements: Announcements;
  readonly #deeds: Deeds;
  readonly #environment: Environment;
  readonly #tools: ToolHooks;
  readonly #turn: PluggedTurn;
  #plan: TurnPlan;

  constructor(session: PluggedSession, plugins: readonly Installed[], turn: PluggedTurn) {
    this.#session = session;
    this.#plugins = plugins;
    this.#turn = turn;
    this.#plan = turn.plan;
    this.#facts = { sessionId: session.sessionId, clock: session.clock, turn };
    this.#announcements = new Announcements(turn.emit);
    this.#deeds = new Deeds(session, this.#facts, this.#announcements);
    this.#environment = new Environment(plugins, this.#facts);
    this.#tools = new ToolHooks(plugins, this.#facts, this.#deeds, () => session.states.unrecorded());
    const has = (...names: readonly (keyof PluginContributions)[]): boolean => plugins.some(({ parts }) => names.some((name) => parts[name]));
    this.beforeToolCall = has("beforeToolCall") ? (call, signal) => this.#tools.before(call, signal) : undefined;
    // A tool may change its plugin's state, too: then that has to be recorded with what it answers.
    this.afterToolCall = has("afterToolCall", "projectToolResult", "state") ? (call, ended, signal) => this.#tools.after(call, ended, signal) : undefined;
    this.atCheckpoint = has("atCheckpoint") ? (checkpoint, from, signal, execute) => this.#atCheckpoint(checkpoint, from, signal, execute) : undefined;
  }

  get plan(): TurnPlan {
    return this.#plan;
  }

  begin(base: ComponentBody | undefined, turn: TurnRecord): void {
    this.#session.states.begin(base, pluginStateOf(turn));
  }

  withState(outcome: JournaledOutcome): JournaledOutcome {
    return withPluginState(outcome, this.#session.states.unrecorded());
  }

  async phase(phase: PluginPhase, ended: () => EndedTurn, signal: AbortSignal): Promise<TurnEvent> {
    switch (phase) {
      case "prepareContext":
        await this.#environment.prepare(signal);
        return { type: "context.prepared" };
      case "beforeTurn":
        return this.#beforeTurn(signal);
      case "buildTurn": {
        const issue = await this.#build(0, signal);
        return issue ? { type: "turn.unbuildable", issue } : { type: "turn.built", limits: callLimitsOf(this.#plan.config) };
      }
      case "finalize":
        return { type: "turn.finalized", messages: this.#said(await this.#finalize(ended())) };
      case "afterPersist":
        await this.#persisted(ended());
        return { type: "turn.persisted" };
    }
  }

  async #beforeTurn(signal: AbortSignal): Promise<TurnEvent> {
    const { messages, abort } = await this.#fold({ hook: "beforeTurn" }, "plugin_prepare_turn", signal, (parts) => parts.beforeTurn?.(turnContext(this.#facts, signal, {})));
    if (!abort) return { type: "hooks.passed", messages: this.#said(messages) };
    await this.#turn.emit({ type: "error", message: abort.message }, "plugin:abort");
    return { type: "hooks.aborted", issue: abort };
  }

  /** As the next messages of the turn's log. */
  #said(messages: readonly PluginMessage[], from = this.#turn.log().length): readonly Message[] {
    return messagesOfPlugins(this.#turn.turnId, from, messages);
  }

  async sync(iteration: number, signal: AbortSignal): Promise<EffectOutcome> {
    const kind = "sync_execution_environment";
    const instead = await this.#beforeModelCall(iteration, signal);
    if (instead) return "issue" in instead ? { kind, issue: instead.issue } : { kind, switchTo: instead };
    const issue = await this.#build(iteration, signal);
    return { kind, ...(issue && { issue }) };
  }

  async rebuild(iteration: number): Promise<void> {
    const signal = unstoppable();
    await this.#environment.prepare(signal);
    const issue = await this.#build(iteration, signal);
    if (issue) throw runtimeError("context_prepare_turn", issue.message);
  }

  /** @returns why it cannot be built. */
  async #build(iteration: number, signal: AbortSignal): Promise<TurnIssue | undefined> {
    const plan = await this.#environment.planFor(this.#turn.base(), iteration, signal);
    if ("issue" in plan) return plan.issue;
    const { sessionId, logger } = this.#session;
    const asked = withStreamHooks(plan.provider, this.#plugins, { sessionId, logger, turnId: this.#turn.turnId, tell: (id, events) => this.#announcements.tell(id, events) });
    this.#plan = asked === plan.provider ? plan : { ...plan, asked };
    return undefined;
  }

  async #beforeModelCall(iteration: number, signal: AbortSignal): Promise<FrameTarget | Refusal | undefined> {
    for (const plugin of this.#plugins) {
      try {
        const target = await plugin.parts.beforeModelCall?.(turnContext(this.#facts, signal, { iteration }));
        if (!target) continue;
        const { frameId, task } = target;
        if (typeof frameId !== "string" || frameId.trim() === "" || typeof task !== "string" || task.trim() === "") throw new TypeError("beforeModelCall answers with { frameId, task } or nothing");
        return { frameId, task };
      } catch (error) {
        return { issue: { kind: "protocol_before_llm_call", code: "before_llm_call_failed", message: hookText(plugin, error) } };
      }
    }
    return undefined;
  }

  project(call: ToolQuestion, output: ToolCallOutput): Promise<string | undefined> {
    return this.#tools.project(call, output);
  }

  async #atCheckpoint(checkpoint: CheckpointKind, from: number, signal: AbortSignal, execute: (run: () => Promise<JournaledOutcome>) => Promise<Journaled>): Promise<Collected> {
    if (signal.aborted) return { messages: [] };
    const { outcome } = await execute(async () => {
      // Between two checkpoints something is said, and what was said before this one is durable.
      const folded = await this.#fold({ hook: "atCheckpoint", about: String(this.#turn.log().length) }, "plugin_checkpoint", signal, (parts) => parts.atCheckpoint?.(turnContext(this.#facts, signal, { checkpoint })));
      return this.withState({ ok: copyJson(folded) });
    });
    if (!("ok" in outcome)) return { messages: [] };
    const { messages, abort } = outcome.ok as unknown as Folded;
    return { messages: this.#said(messages, from), ...(abort && { abort }) };
  }

  async #finalize(ended: EndedTurn): Promise<readonly PluginMessage[]> {
    this.#announcements.forget();
    const context = this.#endedContext(ended);
    const { messages } = await this.#fold({ hook: "afterTurn" }, "plugin_finalize_turn", context.signal, (parts) => parts.afterTurn?.(context));
    await this.#observe("onTurnFinalized", (parts) => parts.onTurnFinalized?.(context));
    return messages;
  }

  async #persisted(ended: EndedTurn): Promise<void> {
    // Whoever watches cannot undo the commit.
    await this.#announcements.tellKept().catch(() => undefined);
    const context = this.#endedContext(ended);
    await this.#observe("onTurnPersisted", (parts) => parts.onTurnPersisted?.(context));
  }

  /** Hooks one after another, and what their directives come to; the first abort ends it. */
  async #fold<Given extends Directive>(
    place: HookPlace & { readonly hook: keyof typeof ALLOWED },
    code: Parameters<typeof hookFailed>[0],
    signal: AbortSignal,
    ask: (parts: PluginContributions) => Answer<Given>,
  ): Promise<Folded> {
    const messages: PluginMessage[] = [];
    const { hook } = place;
    for (const plugin of this.#plugins) {
      if (!plugin.parts[hook]) continue;
      try {
        for (const directive of await directivesOf(plugin, hook, ask(plugin.parts), signal)) {
          if (directive.type === "abort_turn") return { messages: [], abort: abortIssue(directive) };
          if (directive.type === "enqueue_messages") messages.push(...directive.messages);
          else if (directive.type !== "replace_tool_args" && directive.type !== "short_circuit_tool") await this.#deeds.do(plugin, place, directive);
        }
      } catch (error) {
        // Not the plugin's doing: its wiring, or the store (H2).
        if (LashError.is(error) && (error.family === "store" || error.isCode("missing_child_sessions"))) throw error;
        throw hookFailed(code, plugin, error);
      }
    }
    return { messages };
  }

  #endedContext({ outcome, issues, usage }: EndedTurn): EndedTurnContext {
    return turnContext(this.#facts, unstoppable(), { outcome: toHostOutcome(outcome ?? { stopped: "runtime_error" }), issues, usage });
  }

  #observe(hook: string, tell: (parts: PluginContributions) => unknown): Promise<void> {
    const { sessionId, logger } = this.#session;
    return observe(this.#plugins, { hook, sessionId, logger }, tell);
  }
}
