// The plugins of one opened session: built, restored, asked about its settings, and let go.

import type { OperationRequest, PluggedTurn, SessionPlugins, TurnPlugins } from "../actors/plugin-port.ts";
import { overlaid, type SettingsChange } from "../actors/session-settings.ts";
import type { Compactor } from "../domain/compaction.ts";
import { errorText } from "../domain/error-mapping.ts";
import { pluginError, wiringError } from "../domain/errors.ts";
import { type Json, jsonEqual } from "../domain/json.ts";
import type { Message } from "../domain/messages.ts";
import { recordedLimit, type SessionPolicy } from "../domain/session.ts";
import { toolIdOf, type RecordedPlugin } from "../domain/turn-config.ts";
import type { TurnHook } from "../machines/turn.context.ts";
import type { ComponentBody } from "../stores/contract.ts";
import type { Tool } from "../tools/contract.ts";
import type { Plugin, PluginContributions } from "./contract.ts";
import { byPriority, hookText, install, type Installed, observe, refused } from "./installed.ts";
import type { SessionSeed } from "./kit.ts";
import { Operations } from "./operations/operations.ts";
import { PluginStates } from "./plugin-state.ts";
import { PluginsOfTurn } from "./turn-plugins.ts";

/** Which contributions make a turn wait where. */
const TAKES_PART: readonly (readonly [TurnHook, readonly (keyof PluginContributions)[]])[] = [
  ["preparesContext", ["transformContext"]],
  ["beforeTurn", ["beforeTurn"]],
  ["syncsEnvironment", ["prompt", "hideTools", "beforeModelCall"]],
  ["checkpoints", ["atCheckpoint"]],
  ["finalizes", ["afterTurn", "onTurnFinalized"]],
  ["afterPersist", ["afterTurn", "onTurnPersisted"]],
];

export function openPlugins(plugins: readonly Plugin[], session: SessionSeed): SessionPlugins {
  const installed: Installed[] = [];
  try {
    for (const plugin of plugins) installed.push(install(plugin, session));
    return new PluginsOfSession(installed, session);
  } catch (error) {
    leave(installed, session);
    throw error;
  }
}

class PluginsOfSession implements SessionPlugins {
  readonly recorded: readonly RecordedPlugin[];
  readonly tools: readonly Tool[];
  readonly toolOwners: ReadonlyMap<string, string>;
  readonly hooks: readonly TurnHook[];
  readonly addsToPrompt: boolean;
  readonly compactor: Compactor | undefined;
  readonly #plugins: readonly Installed[];
  readonly #seed: SessionSeed;
  readonly #states: PluginStates;
  readonly #operations: Operations;

  constructor(plugins: readonly Installed[], seed: SessionSeed) {
    this.#plugins = plugins;
    this.#seed = seed;
    this.recorded = plugins.map(({ id, options }) => ({ id, ...(options !== undefined && { options }) }));
    this.tools = toolsOf(plugins, seed.toolNames);
    this.toolOwners = new Map(plugins.flatMap(({ id, parts: { tools = [] } }) => tools.map((tool) => [toolIdOf(tool), id] as const)));
    const has = (names: readonly (keyof PluginContributions)[]): boolean => plugins.some(({ parts }) => names.some((name) => parts[name]));
    this.hooks = TAKES_PART.flatMap(([hook, names]) => (has(names) ? [hook] : []));
    this.addsToPrompt = has(["prompt", "transformContext", "hideTools"]);
    this.compactor = compactorOf(plugins);
    requireOneProjector(plugins);
    this.#states = new PluginStates(plugins, seed.sessionId, seed.logger);
    this.#operations = new Operations(plugins, seed, this.#states);
  }

  restore(base: ComponentBody | undefined): void {
    this.#states.restore(base);
  }

  capture(base: ComponentBody | undefined, within: "turn" | "session"): Json | undefined {
    return this.#states.capture(base, within);
  }

  committed(base: ComponentBody | undefined): void {
    this.#states.committed(base);
  }

  isDirty(): boolean {
    return this.#states.isDirty();
  }

  operate(request: OperationRequest, closed: AbortSignal): Promise<unknown> {
    return this.#operations.run(request, closed);
  }

  turn(turn: PluggedTurn): TurnPlugins {
    const { plugins: accepted = [] } = turn.plan.config;
    const own = this.#plugins.filter(({ id }) => accepted.some((each) => each.id === id));
    return new PluginsOfTurn({ ...this.#seed, states: this.#states }, own, turn);
  }

  async materialize(): Promise<void> {
    const { sessionId, clock, isRootSession } = this.#seed;
    for (const plugin of this.#plugins) {
      try {
        await plugin.parts.materialize?.({ sessionId, clock, isRootSession, options: plugin.options });
      } catch (error) {
        throw pluginError("plugin_session", hookText(plugin, error), { details: { pluginId: plugin.id }, cause: error });
      }
    }
  }

  restored(messages: () => readonly Message[]): Promise<void> {
    const { sessionId, clock } = this.#seed;
    const history = this.#plugins.some(({ parts }) => parts.onSessionRestored) ? messages() : [];
    return this.#observe("onSessionRestored", (parts) => parts.onSessionRestored?.({ sessionId, clock, history }));
  }

  async configure(previous: SessionPolicy, change: SettingsChange, record: (change: SettingsChange) => Promise<void>): Promise<void> {
    const asked = overlaid(previous, change);
    const current = jsonEqual(previous, asked) ? asked : this.#changeConfig(previous, asked);
    const { model, maxTurns } = current;
    await record({ ...change, ...(model !== asked.model && { model }), ...(maxTurns !== asked.maxTurns && { maxTurns }) });
    const { sessionId, clock } = this.#seed;
    if (!jsonEqual(previous, current)) await this.#observe("onSessionConfigChanged", (parts) => parts.onSessionConfigChanged?.({ sessionId, clock, previous, current }));
  }

  #changeConfig(previous: SessionPolicy, next: SessionPolicy): SessionPolicy {
    const { sessionId, clock, logger } = this.#seed;
    let current = next;
    for (const plugin of this.#plugins) {
      try {
        const changed = plugin.parts.changeConfig?.({ sessionId, clock, previous, current });
        if (!changed) continue;
        const { model = current.model, maxTurns } = changed;
        current = { ...current, model, ...(maxTurns !== undefined && { maxTurns: recordedLimit(maxTurns) }) };
      } catch (error) {
        logger({ level: "warn", event: "plugin.hook_failed", sessionId, code: "plugin_invoke", message: `changeConfig: ${hookText(plugin, error)}` });
      }
    }
    return current;
  }

  close(): void {
    leave(this.#plugins, this.#seed);
  }

  #observe(hook: string, tell: (parts: PluginContributions) => unknown): Promise<void> {
    return observe(this.#plugins, { hook, ...this.#seed }, tell);
  }
}

/** @throws LashError `duplicate_tool_name` - naming both owners (PT-5). */
function toolsOf(plugins: readonly Installed[], taken: ReadonlySet<string>): readonly Tool[] {
  const owners = new Map([...taken].map((name) => [name, "the host"]));
  const tools: Tool[] = [];
  for (const { id, parts } of plugins) {
    for (const tool of parts.tools ?? []) {
      if (typeof tool?.run !== "function" || typeof tool.validate !== "function") throw refused(id, "`tools` has to be an array of tool(...)");
      const owner = owners.get(tool.name);
      if (owner !== undefined) {
        throw wiringError("duplicate_tool_name", `two tools are named "${tool.name}", of ${owner} and of plugin ${id}; rename one of them`, { details: { tool: tool.name } });
      }
      owners.set(tool.name, `plugin ${id}`);
      tools.push(tool);
    }
  }
  return tools;
}

/** PT-4: two projections of one result would each undo the other. */
function requireOneProjector(plugins: readonly Installed[]): void {
  const [first, second] = plugins.filter(({ parts }) => parts.projectToolResult);
  if (first && second) throw refused(second.id, `projectToolResult is plugin ${first.id}'s; a session has one`);
}

/** The first that makes something of the conversation wins. */
function compactorOf(plugins: readonly Installed[]): Compactor | undefined {
  const compactors = byPriority(plugins, ({ compact }: PluginContributions) => compact);
  if (compactors.length === 0) return undefined;
  return async (request) => {
    for (const { run } of compactors) {
      const made = await run(request);
      if (made !== null && made.messages.length > 0) return made;
    }
    return null;
  };
}

/** Whatever one does, all of them are told. */
function leave(plugins: readonly Installed[], { sessionId, logger }: SessionSeed): void {
  for (const plugin of plugins) {
    try {
      plugin.parts.onSessionClosed?.();
    } catch (error) {
      logger({ level: "warn", event: "plugin.hook_failed", sessionId, code: "plugin_invoke", message: `onSessionClosed: ${errorText(error)}` });
    }
  }
}
