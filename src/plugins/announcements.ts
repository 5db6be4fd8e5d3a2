// Runtime events of plugins, as activities of their turn (PT-13).

import type { Emit } from "../actors/model-call.ts";
import type { PluginEvent } from "../domain/plugin-message.ts";

export class Announcements {
  readonly #emit: Emit;
  #count = 0;
  /** Of hooks at the end of the turn: told only once it is committed. */
  #late: { readonly pluginId: string; readonly events: readonly PluginEvent[] }[] = [];

  constructor(emit: Emit) {
    this.#emit = emit;
  }

  async tell(pluginId: string, events: readonly PluginEvent[]): Promise<void> {
    for (const event of events) await this.#emit({ type: "plugin_runtime", pluginId, event }, `plugin:${pluginId}:${++this.#count}`);
  }

  keep(pluginId: string, events: readonly PluginEvent[]): void {
    this.#late.push({ pluginId, events });
  }

  /** What was kept in a try before this one is void. */
  forget(): void {
    this.#late = [];
  }

  async tellKept(): Promise<void> {
    const kept = this.#late;
    this.forget();
    for (const { pluginId, events } of kept) await this.tell(pluginId, events);
  }
}
