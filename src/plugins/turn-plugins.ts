// The plugins of one turn: its phases, as they take part in them.

import type { EndedTurn, PluggedTurn, Refusal, SettledCall, ToolQuestion, ToolVerdict, TurnPlugins } from "../actors/plugin-port.ts";
import type { TurnPlan } from "../actors/turn-plan.ts";
import type { Clock } from "../domain/clock.ts";
import type { Json } from "../domain/json.ts";
import type { Logger } from "../domain/logger.ts";
import { toHostOutcome } from "../domain/outcome.ts";
import type { PluginMessage } from "../domain/plugin-message.ts";
import type { ToolCallOutput } from "../domain/tool-output.ts";
import type { CheckpointKind, FrameTarget } from "../machines/effects.ts";
import type { ComponentBody } from "../stores/contract.ts";
import { Announcements } from "./announcements.ts";
import type { Answer, Directive, EndedTurnContext, PluginContributions } from "./contract.ts";
import { abortIssue, type ALLOWED, directivesOf } from "./directives.ts";
import { Environment } from "./environment.ts";
import { hookFailed, hookText, type Installed, observe } from "./installed.ts";
import type { PluginStates } from "./plugin-state.ts";
import { withStreamHooks } from "./stream-hooks.ts";
import { ToolHooks } from "./tool-hooks.ts";
import { turnContext, type TurnFacts, unstoppable } from "./turn-context.ts";

interface PluggedSession {
  readonly sessionId: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly states: PluginStates;
}

type Folded = { readonly messages: readonly PluginMessage[] } | { readonly abort: Refusal };

export class PluginsOfTurn implements TurnPlugins {
  readonly beforeToolCall: ((call: ToolQuestion, signal: AbortSignal) => Promise<ToolVerdict>) | undefined;
  readonly afterToolCall: ((call: ToolQuestion, output: ToolCallOutput, signal: AbortSignal) => Promise<SettledCall>) | undefined;
  readonly atCheckpoint: ((checkpoint: CheckpointKind, signal: AbortSignal) => Promise<readonly PluginMessage[] | Refusal>) | undefined;
  readonly #session: PluggedSession;
  readonly #plugins: readonly Installed[];
  readonly #facts: TurnFacts;
  readonly #announcements: Announcements;
  readonly #environment: Environment;
  readonly #tools: ToolHooks;
  readonly #turn: PluggedTurn;

  constructor(session: PluggedSession, plugins: readonly Installed[], turn: PluggedTurn) {
    this.#session = session;
    this.#plugins = plugins;
    this.#turn = turn;
    this.#facts = { sessionId: session.sessionId, clock: session.clock, turn };
    this.#announcements = new Announcements(turn.emit);
    this.#environment = new Environment(plugins, this.#facts);
    this.#tools = new ToolHooks(plugins, this.#facts, this.#announcements, () => this.unrecorded());
    const has = (...names: readonly (keyof PluginContributions)[]): boolean => plugins.some(({ parts }) => names.some((name) => parts[name]));
    this.beforeToolCall = has("beforeToolCall") ? (call, signal) => this.#tools.before(call, signal) : undefined;
    // A tool may change its plugin's state, too: then that has to be recorded with what it answers.
    this.afterToolCall = has("afterToolCall", "projectToolResult", "state") ? (call, output, signal) => this.#tools.after(call, output, signal) : undefined;
    this.atCheckpoint = has("atCheckpoint") ? (checkpoint, signal) => this.#atCheckpoint(checkpoint, signal) : undefined;
  }

  begin(base: ComponentBody | undefined, recorded: Json | undefined): void {
    this.#session.states.begin(base, recorded);
  }

  unrecorded(): Json | undefined {
    return this.#session.states.unrecorded();
  }

  prepareContext(signal: AbortSignal): Promise<void> {
    return this.#environment.prepare(signal);
  }

  async beforeTurn(signal: AbortSignal): Promise<readonly PluginMessage[] | Refusal> {
    const folded = await this.#fold("beforeTurn", "plugin_prepare_turn", signal, (parts) => parts.beforeTurn?.(turnContext(this.#facts, signal, {})));
    if ("messages" in folded) return folded.messages;
    await this.#turn.emit({ type: "error", message: folded.abort.issue.message }, "plugin:abort");
    return folded.abort;
  }

  async planFor(base: TurnPlan, iteration: number, signal: AbortSignal): Promise<TurnPlan | Refusal> {
    const plan = await this.#environment.planFor(base, iteration, signal);
    if ("issue" in plan) return plan;
    const { sessionId, logger } = this.#session;
    const asked = withStreamHooks(plan.provider, this.#plugins, { sessionId, logger, turnId: this.#turn.turnId, tell: (id, events) => this.#announcements.tell(id, events) });
    return asked === plan.provider ? plan : { ...plan, asked };
  }

  async beforeModelCall(iteration: number, signal: AbortSignal): Promise<FrameTarget | Refusal | undefined> {
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

  async #atCheckpoint(checkpoint: CheckpointKind, signal: AbortSignal): Promise<readonly PluginMessage[] | Refusal> {
    const folded = await this.#fold("atCheckpoint", "plugin_checkpoint", signal, (parts) => parts.atCheckpoint?.(turnContext(this.#facts, signal, { checkpoint })));
    return "messages" in folded ? folded.messages : folded.abort;
  }

  async finalize(ended: EndedTurn): Promise<readonly PluginMessage[]> {
    this.#announcements.forget();
    const context = this.#endedContext(ended);
    const folded = await this.#fold("afterTurn", "plugin_finalize_turn", context.signal, (parts) => parts.afterTurn?.(context));
    await this.#observe("onTurnFinalized", (parts) => parts.onTurnFinalized?.(context));
    return "messages" in folded ? folded.messages : [];
  }

  async persisted(ended: EndedTurn): Promise<void> {
    await this.#announcements.tellKept();
    const context = this.#endedContext(ended);
    await this.#observe("onTurnPersisted", (parts) => parts.onTurnPersisted?.(context));
  }

  /** Hooks one after another (PT-10), and what their directives come to; the first abort ends it. */
  async #fold<Given extends Directive>(
    hook: keyof typeof ALLOWED,
    code: Parameters<typeof hookFailed>[0],
    signal: AbortSignal,
    ask: (parts: PluginContributions) => Answer<Given>,
  ): Promise<Folded> {
    const messages: PluginMessage[] = [];
    for (const plugin of this.#plugins) {
      if (!plugin.parts[hook]) continue;
      try {
        for (const directive of await directivesOf(plugin, hook, ask(plugin.parts), signal)) {
          if (directive.type === "abort_turn") return { abort: { issue: abortIssue(directive) } };
          if (directive.type === "enqueue_messages") messages.push(...directive.messages);
          if (directive.type !== "emit_runtime_events") continue;
          if (hook === "afterTurn") this.#announcements.keep(plugin.id, directive.events);
          else await this.#announcements.tell(plugin.id, directive.events);
        }
      } catch (error) {
        throw hookFailed(code, plugin, error);
      }
    }
    return { messages };
  }

  #endedContext({ outcome, issues, usage }: EndedTurn): EndedTurnContext {
    return turnContext(this.#facts, unstoppable(), { outcome: toHostOutcome(outcome), issues, usage });
  }

  #observe(hook: string, tell: (parts: PluginContributions) => unknown): Promise<void> {
    const { sessionId, logger } = this.#session;
    return observe(this.#plugins, { hook, sessionId, logger }, tell);
  }
}
