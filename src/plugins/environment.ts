// The environment of a turn: what transforms and contributors make of its history, prompt and tools (T-11, T-16, T-33).
//
// Nothing of it is stored. Whoever drives the turn makes it again, and what was made is named by the digest of the plan, which
// stands in the envelope of every model call: one that comes out otherwise is found by its hash, never silently misread (OP-6).

import type { History } from "../actors/history.ts";
import type { TurnPlan } from "../actors/turn-plan.ts";
import { canonicalJson } from "../domain/json.ts";
import { messageOfDraft, readDraft, type MessageDraft } from "../domain/message-draft.ts";
import type { Message } from "../domain/messages.ts";
import type { TurnIssue } from "../domain/outcome.ts";
import { layerOf, type Prompt } from "../domain/prompt-input.ts";
import { type PromptLayer, renderPrompt } from "../domain/prompt.ts";
import { sha256Hex } from "../domain/sha256.ts";
import { shownTools, toolIdOf, type ToolSpec } from "../domain/turn-config.ts";
import type { Tool } from "../tools/contract.ts";
import { describedTool } from "../actors/described-tools.ts";
import { byPriority, hookFailed, hookText, type Installed } from "./installed.ts";
import type { PluginContributions, PromptAnswer } from "./contract.ts";
import { turnContext, type TurnFacts } from "./turn-context.ts";

/** Why a turn does not go on. */
export interface Refusal {
  readonly issue: TurnIssue;
}

/** What the transforms of a turn gave. */
interface Prepared {
  readonly view: { readonly history: History; readonly digest: string } | undefined;
  readonly layers: readonly PromptLayer[];
  readonly tools: readonly Tool[];
  readonly includesBaseTools: boolean;
}

const UNPREPARED: Prepared = { view: undefined, layers: [], tools: [], includesBaseTools: true };

export class Environment {
  readonly #plugins: readonly Installed[];
  readonly #facts: TurnFacts;
  #prepared = UNPREPARED;
  #latest: { readonly iteration: number; readonly base: TurnPlan; readonly plan: TurnPlan } | undefined;

  constructor(plugins: readonly Installed[], facts: TurnFacts) {
    this.#plugins = plugins;
    this.#facts = facts;
  }

  /** @throws LashError `context_prepare_turn`. */
  async prepare(signal: AbortSignal): Promise<void> {
    const { turn } = this.#facts;
    const committed = turn.resident().history.slice(turn.resident().messageCount);
    let view: readonly Message[] = committed;
    const layers: PromptLayer[] = [];
    const tools = new Map<string, Tool>();
    let includesBaseTools = true;
    const transforms = byPriority(this.#plugins, ({ transformContext }: PluginContributions) => transformContext);
    for (const { plugin, run } of transforms) {
      try {
        const given = await run(turnContext(this.#facts, signal, { view }));
        if (!given) continue;
        if (given.view) view = given.view.map((entry, index) => asMessage(entry, `${turn.turnId}:view:${plugin.id}:${index}`));
        if (given.prompt) layers.push(contributed({ slots: given.prompt }));
        for (const tool of given.tools ?? []) tools.set(checked(tool).name, tool);
        if (given.includeBaseTools === false) includesBaseTools = false;
      } catch (error) {
        throw hookFailed("context_prepare_turn", plugin, error);
      }
    }
    this.#prepared = { view: view === committed ? undefined : shaped(view, committed, turn.resident().history), layers, tools: [...tools.values()], includesBaseTools };
    this.#latest = undefined;
  }

  async planFor(base: TurnPlan, iteration: number, signal: AbortSignal): Promise<TurnPlan | Refusal> {
    if (this.#latest?.iteration === iteration && this.#latest.base === base) return this.#latest.plan;
    const tools = await this.#toolsOf(base, iteration, signal);
    if ("issue" in tools) return tools;
    const names = new Set(tools.specs.map(({ name }) => name));
    const system = await this.#promptOf(base, iteration, names, signal);
    if (typeof system !== "string") return system;
    const plan = this.#isUnchanged(base, system, tools.specs) ? base : this.#derived(base, system, tools);
    this.#latest = { iteration, base, plan };
    return plan;
  }

  #isUnchanged({ config }: TurnPlan, system: string, specs: readonly ToolSpec[]): boolean {
    return !this.#prepared.view && system === config.system && specs.length === config.tools.length && specs.every((spec, index) => spec === config.tools[index]);
  }

  #derived(base: TurnPlan, system: string, { specs, bound }: CurrentTools): TurnPlan {
    const { view } = this.#prepared;
    return {
      ...base,
      config: { ...base.config, system, tools: specs },
      tools: bound,
      ...(view && { view: view.history }),
      digest: sha256Hex(canonicalJson({ plan: base.digest, system, tools: shownTools(specs), view: view?.digest ?? null })),
    };
  }

  async #toolsOf({ config, tools }: TurnPlan, iteration: number, signal: AbortSignal): Promise<CurrentTools | Refusal> {
    const { tools: overlay, includesBaseTools } = this.#prepared;
    // What is lent replaces whatever has its id or its name (PT-14).
    const names = new Set(overlay.map(({ name }) => name));
    const ids = new Set(overlay.map(toolIdOf));
    const own = includesBaseTools ? config.tools.filter((spec) => !names.has(spec.name) && !ids.has(toolIdOf(spec))) : [];
    let specs = [...own, ...overlay.map(({ name, description, inputSchema }): ToolSpec => ({ name, description, inputSchema }))];
    for (const plugin of this.#plugins) {
      if (!plugin.parts.hideTools) continue;
      try {
        const hidden = new Set(plugin.parts.hideTools(turnContext(this.#facts, signal, { iteration }), specs.map(({ name }) => name)));
        specs = specs.filter(({ name }) => !hidden.has(name));
      } catch (error) {
        return { issue: { kind: "execution_environment", code: "reconfigure_failed", message: hookText(plugin, error) } };
      }
    }
    const bound = new Map<string, Tool>();
    for (const { name } of specs) {
      const tool = overlay.find((each) => each.name === name) ?? tools.get(name);
      if (tool) bound.set(name, tool);
    }
    return { specs, bound };
  }

  async #promptOf({ config }: TurnPlan, iteration: number, tools: ReadonlySet<string>, signal: AbortSignal): Promise<string | Refusal> {
    const layers = [...this.#prepared.layers];
    for (const plugin of this.#plugins) {
      if (!plugin.parts.prompt) continue;
      try {
        const given: PromptAnswer = await plugin.parts.prompt(turnContext(this.#facts, signal, { iteration }));
        if (given) layers.push(contributed(typeof given === "string" ? { slots: { guidance: given } } : { slots: given }));
      } catch (error) {
        return { issue: promptIssue(plugin, error) };
      }
    }
    return config.layers ? renderPrompt([...config.layers, ...layers], tools) : config.system;
  }
}

interface CurrentTools {
  readonly specs: readonly ToolSpec[];
  readonly bound: ReadonlyMap<string, Tool>;
}

const promptIssue = (plugin: Installed, error: unknown): TurnIssue => ({ kind: "plugin_prompt", message: hookText(plugin, error) });

const contributed = (prompt: Prompt): PromptLayer => layerOf(prompt, "turn");

function asMessage(entry: Message | MessageDraft, id: string): Message {
  if ("parts" in entry) return entry;
  const draft = readDraft({ ...entry });
  if (!draft) throw new TypeError("a view consists of messages, and of drafts { role, text }");
  return messageOfDraft(id, draft);
}

function checked(tool: Tool): Tool {
  if (typeof tool?.name !== "string" || typeof tool.run !== "function") throw new TypeError("`tools` has to be an array of tool(...)");
  return describedTool(tool, undefined);
}

/** Committed messages are named by their ids, everything else by what it says. */
function shaped(view: readonly Message[], committed: readonly Message[], history: History): Prepared["view"] {
  const known = new Set(committed);
  return { history: history.showing(view), digest: sha256Hex(canonicalJson(view.map((message) => (known.has(message) ? message.id : message)))) };
}
