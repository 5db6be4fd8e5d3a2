// A plugin as it is built for one session, and the calling of its hooks: whatever they throw gets a code and a name.

import { errorText } from "../domain/error-mapping.ts";
import { type LashError, pluginError, runtimeError } from "../domain/errors.ts";
import type { Json } from "../domain/json.ts";
import type { Logger } from "../domain/logger.ts";
import type { Plugin, PluginContributions, Prioritized } from "./contract.ts";
import type { SessionSeed } from "./kit.ts";

export interface Installed {
  readonly id: string;
  readonly version: string;
  readonly options: Json | undefined;
  readonly parts: PluginContributions;
}

const HOOKS = [
  "hideTools", "prompt", "beforeTurn", "beforeModelCall", "onText", "onResponse", "onStreamFinished", "beforeToolCall", "afterToolCall", "projectToolResult",
  "atCheckpoint", "afterTurn", "onTurnFinalized", "onTurnPersisted", "onSessionRestored", "onSessionConfigChanged", "changeConfig", "materialize", "onSessionClosed",
] as const satisfies readonly (keyof PluginContributions)[];
const PARTS: ReadonlySet<string> = new Set([...HOOKS, "tools", "operations", "transformContext", "compact", "state"]);

/** @throws LashError `plugin_registration` - naming the plugin, and what is wrong with it. */
export function install({ id, version, build }: Plugin, { sessionId, options: all }: SessionSeed): Installed {
  const options = Object.hasOwn(all, id) ? all[id] : undefined;
  let parts: unknown;
  try {
    parts = build({ sessionId, options });
  } catch (error) {
    throw refused(id, `it could not be built: ${errorText(error)}`, error);
  }
  if (typeof parts !== "object" || parts === null) throw refused(id, "`build` has to return an object with what the plugin contributes");
  if (parts instanceof Promise) throw refused(id, "`build` is synchronous; what takes time belongs into `materialize`");
  check(id, parts as Readonly<Record<string, unknown>>);
  return { id, version, options, parts };
}

function check(id: string, parts: Readonly<Record<string, unknown>>): void {
  // Hooks of a class stand on its prototype, and may keep what they need beside them.
  const isPlain = Object.getPrototypeOf(parts) === Object.prototype || Object.getPrototypeOf(parts) === null;
  for (const name of isPlain ? Object.keys(parts) : []) if (!PARTS.has(name)) throw refused(id, `\`${name}\` is nothing that a plugin contributes; known are ${[...PARTS].join(", ")}`);
  for (const hook of HOOKS) if (parts[hook] !== undefined && typeof parts[hook] !== "function") throw refused(id, `\`${hook}\` has to be a function`);
  for (const name of ["transformContext", "compact"]) {
    const part = parts[name];
    if (part !== undefined && typeof runOf(part as Prioritized<unknown>) !== "function") throw refused(id, `\`${name}\` has to be a function, or { priority, run }`);
  }
  if (parts["operations"] !== undefined && !Array.isArray(parts["operations"])) throw refused(id, "`operations` has to be an array of what `handle` of a definition gives");
  if (parts["tools"] !== undefined && !Array.isArray(parts["tools"])) throw refused(id, "`tools` has to be an array of tool(...)");
  const { state } = parts as PluginContributions;
  if (state !== undefined && [state?.revision, state?.save, state?.load].some((part) => typeof part !== "function")) throw refused(id, "`state` has to have revision, save and load");
}

export const refused = (pluginId: string, why: string, cause?: unknown): LashError =>
  pluginError("plugin_registration", `plugin ${pluginId}: ${why}`, { details: { pluginId }, ...(cause !== undefined && { cause }) });

const runOf = <Run>(part: Prioritized<Run>): unknown => (typeof part === "object" && part !== null && "run" in part ? part.run : part);

/** Parts with a priority, higher first; equal ones in the order of their plugins (PT section 3). */
export function byPriority<Run extends (...args: never[]) => unknown>(
  plugins: readonly Installed[],
  partOf: (parts: PluginContributions) => Prioritized<Run> | undefined,
): readonly { readonly plugin: Installed; readonly run: Run }[] {
  const found = plugins.flatMap((plugin) => {
    const part = partOf(plugin.parts);
    if (part === undefined) return [];
    return typeof part === "function" ? [{ plugin, run: part, priority: 0 }] : [{ plugin, run: part.run, priority: part.priority ?? 0 }];
  });
  return found.toSorted((a, b) => b.priority - a.priority);
}

type HookCode = "context_prepare_turn" | "plugin_prepare_turn" | "plugin_checkpoint" | "plugin_finalize_turn";

export const hookFailed = (code: HookCode, plugin: Installed, error: unknown): LashError =>
  runtimeError(code, hookText(plugin, error), { details: { pluginId: plugin.id }, cause: error });

export const hookText = ({ id }: Installed, error: unknown): string => `plugin ${id}: ${errorText(error)}`;

/** Hooks that only observe: all together, and what they throw is logged. */
export async function observe(plugins: readonly Installed[], about: { readonly hook: string; readonly sessionId: string; readonly logger: Logger }, tell: (parts: PluginContributions) => unknown): Promise<void> {
  await Promise.all(
    plugins.map(async (plugin) => {
      try {
        await tell(plugin.parts);
      } catch (error) {
        about.logger({ level: "warn", event: "plugin.hook_failed", sessionId: about.sessionId, code: "plugin_invoke", message: `${about.hook}: ${hookText(plugin, error)}` });
      }
    }),
  );
}
