// What observers see of one model call while it runs: its stream as activities (turn.md section 14). Live only.

import { draftOf } from "../domain/answer-parts.ts";
import type { Clock } from "../domain/clock.ts";
import type { Json } from "../domain/json.ts";
import { spokenParts, type PartDraft } from "../domain/messages.ts";
import { failedOutput, type ToolCallOutput } from "../domain/tool-output.ts";
import type { TurnActivityBody } from "../observe/contract.ts";
import type { LlmOutputPart, LlmResponse, LlmStreamEvent, LlmToolResultPart } from "../providers/contract.ts";
import { LiveInputs } from "./live-inputs.ts";
import { LiveText } from "./live-text.ts";

/** Takes what happens during the call. May give a promise, which the stream then waits for. */
export type Emit = (body: TurnActivityBody, correlationId: string) => void | Promise<void>;

/** A call that the provider runs itself, from when it was told. */
interface OwnRun {
  readonly args: Json;
  readonly startedAt: number;
}

export class LiveAnswer {
  readonly #emit: Emit;
  readonly #prefix: string;
  readonly #clock: Clock;
  readonly #text: LiveText;
  readonly #inputs: LiveInputs;
  /** Correlation ids of this attempt's rows that are no text. */
  #rows: string[] = [];
  readonly #runs = new Map<string, OwnRun>();
  /** Parts that were told as they came, by kind. */
  #told = new Map<LlmOutputPart["type"], number>();

  constructor(emit: Emit, effectId: number, clock: Clock) {
    this.#emit = emit;
    this.#prefix = `llm:${effectId}`;
    this.#clock = clock;
    this.#inputs = new LiveInputs(emit, (id) => this.#row(id));
    let last = { row: "", correlationId: "" };
    // Nearly every delta belongs to the row of the one before.
    this.#text = new LiveText((row, text) => {
      if (row !== last.row || last.correlationId === "") last = { row, correlationId: this.#row(row) };
      return emit({ type: "assistant_prose_delta", text }, last.correlationId);
    });
  }

  take(event: LlmStreamEvent): void | Promise<void> {
    switch (event.type) {
      case "textDelta":
        return this.#text.add(event.itemId, event.text);
      case "reasoningDelta":
        if (event.isAside !== true) this.#text.part();
        return this.#emit({ type: "reasoning_delta", text: event.text }, this.#row(event.itemId));
      case "toolInputStart":
        this.#text.part();
        return this.#inputs.start(event);
      case "toolInputDelta":
        return this.#inputs.add(event.callId, event.text);
      case "toolInputEnd":
        return this.#inputs.end(event.callId);
      case "part":
        return this.#part(event.part);
      case "retryStatus":
        return this.#emit({ ...event, type: "retry_status" }, this.#row("retry"));
      case "modelAttemptReset":
        return this.#reset(event.proseItemIds, event.reasoningItemIds);
      case "usage":
        return undefined;
    }
  }

  /** Tells the rest once the answer is there: what did not stream, what hooks made of it, and what only its end says. */
  async settle({ parts, warnings = [] }: Pick<LlmResponse, "parts" | "warnings">): Promise<void> {
    const texts = visible(parts);
    await this.#text.settle(texts, (rows) => this.#withdraw(rows.map((row) => this.#row(row)), [], []));
    await this.#dropInputs(await this.#inputs.settle(new Set(parts.flatMap((part) => (part.type === "toolCall" ? [part.callId] : [])))));
    const before = this.#told;
    this.#told = new Map();
    for (const part of parts) {
      const place = this.#told.get(part.type) ?? 0;
      if (place >= (before.get(part.type) ?? 0)) await this.#tell(part);
      this.#told.set(part.type, place + 1);
    }
    for (const [index, warning] of warnings.entries()) await this.#emit({ type: "model_warning", warning }, this.#row(`warning:${index}`));
  }

  /** There is no answer: what was said stays, and none of its calls is one. */
  async fail(): Promise<void> {
    await this.#dropInputs(this.#inputs.reset());
  }

  #dropInputs(rows: readonly string[]): void | Promise<void> {
    return rows.length > 0 ? this.#withdraw([], [], rows) : undefined;
  }

  #part(part: LlmOutputPart): void | Promise<void> {
    if (part.type === "text") return undefined;
    if (part.type !== "source" && part.type !== "approvalRequest" && part.type !== "opaque") this.#text.part();
    // A file is told once it is stored.
    if (part.type === "reasoning" || part.type === "file" || part.type === "reasoningFile") return undefined;
    this.#told.set(part.type, (this.#told.get(part.type) ?? 0) + 1);
    const ended = part.type === "toolCall" ? this.#inputs.end(part.callId) : undefined;
    return ended ? ended.then(() => this.#tell(part)) : this.#tell(part);
  }

  #tell(part: LlmOutputPart): void | Promise<void> {
    switch (part.type) {
      case "toolCall":
        return part.providerExecuted ? this.#started(part.callId, part.toolName, part.inputJson) : undefined;
      case "toolResult":
        return this.#completed(part);
      case "source":
        return this.#emit({ type: "source", source: part.source }, this.#newRow("source"));
      case "approvalRequest":
        return this.#emit({ type: "tool_approval_requested", approvalId: part.approvalId, callId: part.callId }, this.#newRow("approval"));
      case "file":
        return this.#emit(
          { type: "file_generated", mime: part.mime, ...(part.attachment && { attachment: part.attachment }), ...(part.url !== undefined && { url: part.url }) },
          this.#newRow("file"),
        );
      case "text":
      case "reasoning":
      case "reasoningFile":
      case "opaque":
        return undefined;
    }
  }

  #started(callId: string, name: string, inputJson: string): void | Promise<void> {
    const args = readJson(inputJson);
    this.#runs.set(callId, { args, startedAt: this.#clock.monotonic() });
    return this.#emit({ type: "tool_call_started", callId, name, args, providerExecuted: true }, this.#callRow(callId));
  }

  #completed(result: LlmToolResultPart): void | Promise<void> {
    const { callId, toolName: name } = result;
    const { args, startedAt } = this.#runs.get(callId) ?? { args: {}, startedAt: this.#clock.monotonic() };
    const durationMs = Math.round(this.#clock.monotonic() - startedAt);
    return this.#emit({ type: "tool_call_completed", callId, name, args, providerExecuted: true, output: outputOf(result), durationMs }, this.#callRow(callId));
  }

  #reset(proseItemIds: readonly string[], reasoningItemIds: readonly string[]): void | Promise<void> {
    const prose = new Set([...proseItemIds, ...this.#text.reset()]);
    const rows = [...this.#inputs.reset(), ...this.#rows];
    this.#rows = [];
    this.#told = new Map();
    this.#runs.clear();
    return this.#withdraw([...prose].map((id) => this.#row(id)), reasoningItemIds.map((id) => this.#row(id)), rows);
  }

  #withdraw(prose: readonly string[], reasoning: readonly string[], others: readonly string[]): void | Promise<void> {
    return this.#emit(
      {
        type: "model_attempt_reset",
        assistantProseCorrelationIds: prose,
        reasoningCorrelationIds: reasoning,
        ...(others.length > 0 && { otherCorrelationIds: others }),
      },
      this.#row("reset"),
    );
  }

  #row(id: string): string {
    return `${this.#prefix}:${id}`;
  }

  #newRow(kind: string): string {
    const row = this.#row(`${kind}:${this.#rows.length}`);
    this.#rows.push(row);
    return row;
  }

  #callRow(callId: string): string {
    const row = this.#row(`call:${callId}`);
    if (!this.#rows.includes(row)) this.#rows.push(row);
    return row;
  }
}

/** Texts of an answer that people see; one without an id of its own gets one by its place. */
function visible(parts: readonly LlmOutputPart[]): { readonly itemId: string; readonly text: string; readonly isApart: boolean }[] {
  const drafts = parts.flatMap((part, index): (PartDraft & { readonly itemId: string })[] => {
    const draft = draftOf(part);
    return draft ? [{ ...draft, itemId: (part.type === "text" ? part.itemId : undefined) ?? `text:${index}` }] : [];
  });
  return spokenParts(drafts).map(({ part: { itemId, content }, isApart }) => ({ itemId, text: content, isApart }));
}

function outputOf({ result, isError }: LlmToolResultPart): ToolCallOutput {
  if (isError !== true) return { outcome: { status: "success", payload: result } };
  const message = typeof result === "string" ? result : JSON.stringify(result);
  return failedOutput({ class: "external", code: "tool_failed", message, source: "tool", raw: result });
}

/** As the model wrote it, where that is no JSON. */
function readJson(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}
