// Texts that a step would say twice: what a tool or model answered stands in the journaled outcome, and again in the message
// that was made of it. A message's content that is one of them is stored as its number.
//
// The numbering follows from the outcomes alone, so nothing else is stored; a tool result that is no text reaches the model as
// the JSON text of its payload, which is numbered, too.

import type { Json, JsonObject } from "../../domain/json.ts";
import type { JournaledOutcome } from "../contract.ts";
import { type Fault, isRecord } from "./message-row.ts";

/** Shorter texts are not worth a number. */
const MIN_LENGTH = 64;

/** Texts of the outcomes of one step, in the order of their numbers. */
export function textsOf(outcomes: readonly JournaledOutcome[]): readonly string[] {
  const texts: string[] = [];
  for (const outcome of outcomes) if ("ok" in outcome) collect(outcome.ok, texts);
  return texts;
}

function collect(value: Json, texts: string[]): void {
  if (typeof value === "string") add(value, texts);
  if (typeof value !== "object" || value === null) return;
  for (const [key, member] of Object.entries(value)) {
    if (key === "payload" && typeof member === "object") add(JSON.stringify(member), texts);
    collect(member, texts);
  }
}

function add(text: string, texts: string[]): void {
  if (text.length >= MIN_LENGTH) texts.push(text);
}

/** A message row whose contents are numbers where `texts` has them. */
export function shareTexts(row: JsonObject, texts: readonly string[]): JsonObject {
  if (texts.length === 0) return row;
  const { text, parts } = row;
  if (typeof text === "string") return { ...row, text: numberOf(text, texts) };
  if (!Array.isArray(parts)) return row;
  return { ...row, parts: (parts as readonly JsonObject[]).map((part) => ({ ...part, content: numberOf(String(part["content"]), texts) })) };
}

function numberOf(text: string, texts: readonly string[]): string | number {
  const index = text.length < MIN_LENGTH ? -1 : texts.indexOf(text);
  return index < 0 ? text : index;
}

/** The row as it was before `shareTexts`. */
export function unshareTexts(row: Readonly<Record<string, unknown>>, texts: readonly string[], fault: Fault): Readonly<Record<string, unknown>> {
  const textAt = (content: unknown): unknown => {
    if (typeof content !== "number") return content;
    const text = texts[content];
    if (text === undefined) throw fault(`a message names text ${content}, which the step does not have`);
    return text;
  };
  const { text, parts } = row;
  if (typeof text === "number") return { ...row, text: textAt(text) };
  if (!Array.isArray(parts)) return row;
  return { ...row, parts: parts.map((part: unknown) => (isRecord(part) ? { ...part, content: textAt(part["content"]) } : part)) };
}
