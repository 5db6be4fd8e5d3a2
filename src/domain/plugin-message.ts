// Messages that plugins put into a turn, and what plugins tell whoever watches it. JSON: both go through journals.

import type { Json } from "./json.ts";
import { createMessage, type Message } from "./messages.ts";

/** Only these roles: what an assistant said, only the model says. */
export interface PluginMessage {
  readonly pluginId: string;
  readonly role: "User" | "System";
  readonly text: string;
  /** Shown for the rest of its turn, and never committed. */
  readonly transient?: true;
}

/** Told live, to observers only. */
export type PluginEvent =
  | { readonly type: "status"; readonly key: string; readonly label: string; readonly detail?: string }
  | { readonly type: "custom"; readonly name: string; readonly payload: Json };

/** Messages of a turn's log, with ids that follow from where they stand in it. */
export function messagesOfPlugins(turnId: string, from: number, drafts: readonly PluginMessage[]): readonly Message[] {
  return drafts.map(({ pluginId, role, text, transient }, index) =>
    createMessage(`${turnId}:${from + index}`, role, [{ kind: "Text", content: text }], { kind: "plugin", pluginId, ...(transient && { transient }) }),
  );
}

/** Said by a plugin, not by user or model. */
export const isOfPlugin = ({ origin }: Message): boolean => origin?.kind === "plugin";
