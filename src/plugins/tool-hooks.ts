// Hooks around tool calls. What they come to is a result for the model, never a failure of the turn (T-51, T-54).

import type { AttemptEnd, SettledAttempt, SettledCall, ToolQuestion, ToolVerdict } from "../actors/plugin-port.ts";
import { LashError } from "../domain/errors.ts";
import type { Json } from "../domain/json.ts";
import { type PluginMessage } from "../domain/plugin-message.ts";
import { failedOutput, projectOutput, type ToolCallOutput } from "../domain/tool-output.ts";
import type { Deeds, HookPlace } from "./deeds.ts";
import { type Checked, directivesOf } from "./directives.ts";
import { hookText, type Installed } from "./installed.ts";
import { turnContext, type TurnFacts } from "./turn-context.ts";

/** What is decided about a call; the higher rank wins, and of refusals the first one (PT-19). */
const RANK = { none: 0, answered: 1, denied: 2, aborted: 3 } as const;

interface Decision {
  readonly rank: number;
  readonly output: ToolCallOutput | undefined;
}

export class ToolHooks {
  readonly #plugins: readonly Installed[];
  readonly #facts: TurnFacts;
  readonly #deeds: Deeds;
  readonly #unrecorded: () => Json | undefined;
  /** Calls of one batch end at once; their hooks run one after another, so that each outcome is recorded with the state it made. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(plugins: readonly Installed[], facts: TurnFacts, deeds: Deeds, unrecorded: () => Json | undefined) {
    this.#plugins = plugins;
    this.#facts = facts;
    this.#deeds = deeds;
    this.#unrecorded = unrecorded;
  }

  async before(call: ToolQuestion, signal: AbortSignal): Promise<ToolVerdict> {
    const hooked = this.#plugins.filter(({ parts }) => parts.beforeToolCall);
    let args = call.args;
    let decision: Decision = { rank: RANK.none, output: undefined };
    const inspect = async (plugin: Installed): Promise<boolean> => {
      const asked = await this.#askBefore(plugin, { ...call, args }, signal);
      decision = stronger(decision, asked.decision);
      if (asked.args === undefined) return false;
      args = asked.args;
      return true;
    };
    for (const [index, plugin] of hooked.entries()) {
      const replaced = await inspect(plugin);
      // Who looked before looks once more: what it let pass were other arguments.
      if (replaced) for (const earlier of hooked.slice(0, index)) await inspect(earlier);
      if (decision.rank === RANK.aborted) break;
    }
    return decision.output ? { output: decision.output } : { args };
  }

  async #askBefore(plugin: Installed, call: ToolQuestion, signal: AbortSignal): Promise<{ readonly decision: Decision; readonly args?: Json }> {
    let decision: Decision = { rank: RANK.none, output: undefined };
    let args: Json | undefined;
    try {
      const context = turnContext(this.#facts, signal, { callId: call.callId, toolName: call.toolName, args: call.args });
      for (const directive of await directivesOf(plugin, "beforeToolCall", plugin.parts.beforeToolCall?.(context), signal)) {
        if (directive.type === "replace_tool_args") args = directive.args;
        else decision = stronger(decision, await this.#decide(plugin, directive, { hook: "beforeToolCall", about: call.key }));
      }
    } catch (error) {
      decision = { rank: RANK.aborted, output: brokenHook("before_tool_call_failed", plugin, error) };
    }
    return { decision, ...(args !== undefined && { args }) };
  }

  async #decide(plugin: Installed, directive: Checked, place: HookPlace): Promise<Decision> {
    switch (directive.type) {
      case "abort_turn":
        return { rank: RANK.aborted, output: stoppedBy(directive) };
      case "short_circuit_tool":
        return { rank: directive.output.outcome.status === "success" ? RANK.answered : RANK.denied, output: directive.output };
      case "enqueue_messages":
      case "replace_tool_args":
        return { rank: RANK.none, output: undefined };
      default:
        await this.#deeds.do(plugin, place, directive);
        return { rank: RANK.none, output: undefined };
    }
  }

  after(call: ToolQuestion, ended: AttemptEnd, signal: AbortSignal): Promise<SettledAttempt> {
    const settled = this.#queue.then((): SettledAttempt | Promise<SettledAttempt> => ("output" in ended ? this.#after(call, ended.output, signal) : { ...ended, ...this.#state() }));
    this.#queue = settled.catch(() => undefined);
    return settled;
  }

  async #after({ key, ...call }: ToolQuestion, given: ToolCallOutput, signal: AbortSignal): Promise<SettledCall> {
    let output = given;
    const messages: PluginMessage[] = [];
    // A call that was cut off with its turn has come to nothing that a hook could judge.
    const hooked = given.outcome.status === "cancelled" ? [] : this.#plugins.filter(({ parts }) => parts.afterToolCall);
    for (const plugin of hooked) {
      try {
        const context = turnContext(this.#facts, signal, { ...call, output });
        for (const directive of await directivesOf(plugin, "afterToolCall", plugin.parts.afterToolCall?.(context), signal)) {
          if (directive.type === "enqueue_messages") messages.push(...directive.messages);
          else output = (await this.#decide(plugin, directive, { hook: "afterToolCall", about: key })).output ?? output;
        }
      } catch (error) {
        output = brokenHook("after_tool_call_failed", plugin, error);
        break;
      }
    }
    const shown = await this.project({ key, ...call }, output);
    return { output, ...(messages.length > 0 && { messages }), ...(shown !== undefined && { shown }), ...this.#state() };
  }

  #state(): Pick<SettledCall, "pluginState"> {
    const pluginState = this.#unrecorded();
    return pluginState === undefined ? {} : { pluginState };
  }

  /** Undefined where no plugin says what the model is shown; else that, and it is bounded by nobody but the plugin. */
  async project({ callId, toolName, args }: ToolQuestion, output: ToolCallOutput): Promise<string | undefined> {
    const plugin = this.#plugins.find(({ parts }) => parts.projectToolResult);
    if (!plugin) return undefined;
    const usual = projectOutput(output);
    try {
      const context = turnContext(this.#facts, new AbortController().signal, { callId, toolName, args, output });
      const shown: unknown = await plugin.parts.projectToolResult?.(context, usual);
      if (shown === undefined) return undefined;
      if (typeof shown !== "string") throw new TypeError("projectToolResult has to answer with a text");
      return shown;
    } catch (error) {
      return hookText(plugin, error);
    }
  }
}

function stronger(known: Decision, next: Decision): Decision {
  if (next.rank > known.rank) return next;
  return next.rank === known.rank && next.rank === RANK.answered ? next : known;
}

const stoppedBy = ({ code, message }: { readonly code: string; readonly message: string }): ToolCallOutput =>
  failedOutput({ class: "permission_denied", code, message, source: "plugin" });

/** @throws the store's error: the turn, not the call, is what cannot go on (E-6). */
function brokenHook(code: "before_tool_call_failed" | "after_tool_call_failed", plugin: Installed, error: unknown): ToolCallOutput {
  if (!LashError.is(error)) return failedOutput({ class: "internal", code, message: hookText(plugin, error), source: "plugin" });
  if (error.family === "store") throw error;
  const isOfSession = error.isCode("plugin_session_create_failed") || error.isCode("missing_child_sessions");
  return failedOutput({ class: "internal", code: isOfSession ? error.code : code, message: hookText(plugin, error), source: "plugin" });
}
