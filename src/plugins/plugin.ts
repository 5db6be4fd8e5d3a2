// plugin(): something that sessions are built with, once per lash.

import { assertJson } from "../domain/bounded-json.ts";
import { pluginError } from "../domain/errors.ts";
import { checkedId } from "../domain/id-rules.ts";
import { invalidArgument, refuseUnknown } from "../domain/invalid-argument.ts";
import type { Plugin, PluginContributions, PluginSession } from "./contract.ts";
import type { PluginKit } from "./kit.ts";
import { openPlugins } from "./session-plugins.ts";

export interface PluginOptions {
  /** Unique among the plugins of a session. Stored with its state and with the messages it puts into a turn. */
  readonly id: string;
  /** Goes up when `state.save` gives something else than before. Default "1". */
  readonly version?: string;
  /**
   * Called synchronously for every session that is opened, in whichever way, so it is quick and does no I/O. What it returns
   * belongs to that session alone. A throw fails the open, and leaves nothing.
   */
  readonly build: (session: PluginSession) => PluginContributions;
}

const kit: PluginKit = {
  open: openPlugins,

  check(plugins, options, limits) {
    const ids = new Set<string>();
    for (const [index, each] of plugins.entries()) {
      if (each?.kit === undefined) throw invalidArgument(`plugins[${index}]`, "made by plugin(...)");
      if (ids.has(each.id)) throw pluginError("plugin_registration", `two plugins have the id "${each.id}"; leave one of them out`, { details: { pluginId: each.id } });
      ids.add(each.id);
    }
    if (typeof options !== "object" || options === null) throw invalidArgument("pluginOptions", "an object of options by plugin id");
    for (const [id, value] of Object.entries(options)) {
      if (!ids.has(id)) throw invalidArgument(`pluginOptions.${id}`, "left out: the session has no such plugin");
      assertJson(value, { field: `pluginOptions.${id}`, limit: "toolArgumentsBytes", limits });
    }
  },

  recordedOptions(plugins, turn) {
    const recorded = (turn?.config.plugins ?? []).filter(({ id }) => plugins.some((each) => each.id === id));
    return Object.fromEntries(recorded.flatMap(({ id, options }) => (options === undefined ? [] : [[id, options]])));
  },
};

/** Declares a plugin. @throws LashError `invalid_argument` - naming the field that is wrong. */
export function plugin(options: PluginOptions): Plugin {
  refuseUnknown(options, ["id", "version", "build"], "plugin options");
  const { id, version = "1", build } = options;
  checkedId(id, "plugin.id", "an id that is not blank");
  if (typeof version !== "string") throw invalidArgument(`plugin.version (of "${id}")`, "a text");
  if (typeof build !== "function") throw invalidArgument(`plugin.build (of "${id}")`, "a function that returns what the plugin contributes");
  return { id, version, build, kit };
}
