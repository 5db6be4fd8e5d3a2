// What the chat shows: committed messages, and behind them the turn that is under way.

import type { Message, SessionReadView, SessionSighting } from "../../src/index.ts";
import type { InFlight } from "./link.ts";

export type Piece =
  | { readonly kind: "text"; readonly id: string; readonly text: string }
  | { readonly kind: "tool"; readonly id: string; readonly name: string; readonly state: "running" | "done" | "failed" | "kept" | "cut" };

export interface Saying {
  readonly id: string;
  readonly by: "user" | "agent";
  readonly pieces: readonly Piece[];
  /** Message to go back to in order to ask this anew; null is the beginning. Undefined while it is under way. */
  readonly before: string | null | undefined;
}

export class Talk {
  #messages: readonly Message[] = [];
  #asked: { readonly turnId: string; readonly text: string } | undefined;
  #pieces: Piece[] = [];

  /** Whether a turn is under way, here or in another tab. */
  isBusy = false;

  get sayings(): readonly Saying[] {
    const committed = committedSayings(this.#messages);
    if (!this.#asked || this.#messages.some(({ id }) => id === `${this.#asked?.turnId}:0`)) return committed;
    const { turnId, text } = this.#asked;
    const live: Saying[] = [{ id: `${turnId}:0`, by: "user", pieces: [{ kind: "text", id: "asked", text }], before: undefined }];
    return [...committed, ...live, { id: `${turnId}:live`, by: "agent", pieces: this.#pieces, before: undefined }];
  }

  view({ messages }: SessionReadView): void {
    this.#messages = messages;
  }

  ask(turnId: string, text: string): void {
    this.#asked = { turnId, text };
    this.#pieces = [];
    this.isBusy = true;
  }

  /** A question that was not taken: it goes back into the box. */
  takeBack(): void {
    this.#asked = undefined;
    this.isBusy = false;
  }

  crash(): void {
    this.#pieces = this.#pieces.map((piece) => (piece.kind === "tool" && piece.state === "running" ? { ...piece, state: "cut" } : piece));
  }

  /** What the database holds of a turn; replaces what was seen of it, which a crash made void. */
  found({ turnId, asked, log, recorded, cutOff }: InFlight): void {
    this.#asked = { turnId, text: asked };
    this.isBusy = true;
    const known = (callId: string): "kept" | "cut" | "running" => (recorded.includes(callId) ? "kept" : cutOff.includes(callId) ? "cut" : "running");
    this.#pieces = log.flatMap(({ role, id, parts }) =>
      role !== "Assistant" ? [] : parts.flatMap((part): Piece[] => {
        if (part.kind === "Prose" && part.content.trim() !== "") return [{ kind: "text", id: `${id}:${part.id}`, text: part.content }];
        return part.kind === "ToolCall" && part.toolCallId ? [{ kind: "tool", id: part.toolCallId, name: part.toolName ?? "tool", state: known(part.toolCallId) }] : [];
      }),
    );
  }

  /** Only the question: what happens is watched. */
  named({ turnId, asked }: InFlight): void {
    this.#asked = { turnId, text: asked };
  }

  sighting(sighting: SessionSighting): void {
    if (sighting.type === "turn_ended") {
      this.isBusy = false;
      return;
    }
    this.isBusy = true;
    if (sighting.type === "turn_started") {
      if (!sighting.recovered) this.#pieces = [];
      if (this.#asked?.turnId !== sighting.turnId) this.#asked = { turnId: sighting.turnId, text: "" };
      return;
    }
    const { activity } = sighting;
    if (activity.type === "assistant_prose_delta") this.#append(activity.correlationId, activity.text);
    else if (activity.type === "model_attempt_reset") this.#pieces = this.#pieces.filter(({ id }) => !activity.assistantProseCorrelationIds.includes(id));
    else if (activity.type === "tool_call_started") this.#tool(activity.callId, activity.name, "running");
    else if (activity.type === "tool_call_completed") this.#tool(activity.callId, activity.name, activity.output.outcome.status === "success" ? "done" : "failed");
  }

  #append(id: string, text: string): void {
    const index = this.#pieces.findIndex((piece) => piece.id === id);
    const before = this.#pieces[index];
    if (before?.kind === "text") this.#pieces[index] = { ...before, text: before.text + text };
    else this.#pieces.push({ kind: "text", id, text });
  }

  #tool(id: string, name: string, state: "running" | "done" | "failed"): void {
    const index = this.#pieces.findIndex((piece) => piece.id === id);
    const before = this.#pieces[index];
    if (!before) this.#pieces.push({ kind: "tool", id, name, state });
    // What came from the journal stays marked as such.
    else if (before.kind === "tool" && before.state !== "kept") this.#pieces[index] = { ...before, state };
  }
}

function committedSayings(messages: readonly Message[]): readonly Saying[] {
  const failed = new Set(messages.flatMap(({ parts }) => parts.flatMap(({ kind, content, toolCallId }) => (kind === "ToolResult" && content.startsWith('{"error"') ? [toolCallId] : []))));
  const sayings: { id: string; by: "user" | "agent"; pieces: Piece[]; before: string | null }[] = [];
  for (const [index, { id, role, parts }] of messages.entries()) {
    const pieces = parts.flatMap((part): Piece[] => {
      if ((part.kind === "Text" || part.kind === "Prose") && part.content.trim() !== "") return [{ kind: "text", id: part.id, text: part.content }];
      return part.kind === "ToolCall" ? [{ kind: "tool", id: part.id, name: part.toolName ?? "tool", state: failed.has(part.toolCallId) ? "failed" : "done" }] : [];
    });
    if (pieces.length === 0) continue;
    const last = sayings.at(-1);
    if (role === "Assistant" && last?.by === "agent") last.pieces.push(...pieces);
    else sayings.push({ id, by: role === "User" ? "user" : "agent", pieces, before: messages[index - 1]?.id ?? null });
  }
  return sayings;
}
