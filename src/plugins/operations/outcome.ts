// What a command or a task answers, checked before anything of it is committed.

import { admissible } from "../../actors/input-lane.ts";
import type { RuntimePorts } from "../../actors/ports.ts";
import { isId } from "../../domain/id-rules.ts";
import { isPlainObject } from "../../domain/json.ts";
import type { PluginEvent } from "../../domain/plugin-message.ts";
import { parseTurnInput } from "../../domain/turn-input.ts";
import type { SessionCommit } from "../../stores/contract.ts";
import { eventsOf } from "../directives.ts";
import type { QueueTurn } from "./contract.ts";

export type QueuedInputs = NonNullable<SessionCommit["queuedInputs"]>;

export interface ReadOutcome {
  /** Not yet held against its schema. */
  readonly output: unknown;
  readonly events: readonly PluginEvent[];
  readonly queuedInputs: QueuedInputs;
}

const FIELDS = ["output", "events", "directives"];

/** @throws what is wrong with it, naming it. */
export async function readOutcome(answer: unknown, by: { readonly pluginId: string; readonly sessionId: string; readonly ports: RuntimePorts }): Promise<ReadOutcome> {
  if (!isPlainObject(answer) || !("output" in answer) || Object.keys(answer).some((key) => !FIELDS.includes(key))) throw new TypeError("a command or task answers with { output, events?, directives? }");
  const { output, events = [], directives = [] } = answer as Readonly<Record<string, unknown>>;
  if (!Array.isArray(directives)) throw new TypeError("`directives` has to be an array");
  const queuedInputs: QueuedInputs[number][] = [];
  for (const directive of directives as readonly QueueTurn[]) queuedInputs.push(await queuedInput(directive, by));
  return { output, events: eventsOf(events as readonly PluginEvent[]), queuedInputs };
}

async function queuedInput(directive: QueueTurn, { pluginId, sessionId, ports }: Parameters<typeof readOutcome>[1]): Promise<QueuedInputs[number]> {
  if (directive?.type !== "queue_turn") throw new TypeError("the one directive of an operation is { type: \"queue_turn\", input, sourceKey? }");
  const { input, sourceKey } = directive;
  if (sourceKey !== undefined && (typeof sourceKey !== "string" || sourceKey.trim() === "" || !isId(sourceKey))) throw new TypeError("`sourceKey` has to be a short text that is not blank");
  const parsed = parseTurnInput(input, ports.limits);
  // A commit brings no bytes along.
  if (parsed.imageBlobs !== undefined || parsed.fileBlobs !== undefined || parsed.items.some(({ type }) => type === "file")) {
    throw new TypeError("the input of queue_turn refers to images and files that the session has: it has no `imageBlobs`, no `fileBlobs` and no files with their bytes");
  }
  if (parsed.traceTurnId !== undefined) throw new TypeError("the input of queue_turn has no `traceTurnId`");
  const { input: accepted } = await admissible(ports, sessionId, parsed, () => undefined);
  return { ingress: { scope: "next_turn" }, input: accepted, ...(sourceKey !== undefined && { sourceKey: `plugin:${pluginId}:${sourceKey}` }) };
}
