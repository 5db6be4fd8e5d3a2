// What a model says in a test, before any provider's words for it.

import { fieldsOf, listOf, textOf, type Fields } from "./json.ts";

export type Said =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "reasoning"; readonly text: string }
  /** Reasoning that nobody can read. */
  | { readonly kind: "sealed" }
  | { readonly kind: "call"; readonly tool: string; readonly input: Fields }
  /** Something that the provider does itself. */
  | { readonly kind: "search"; readonly query: string };

/** Numbers that no other answer of the world has. */
export type Numbers = () => number;

/** Numbers of calls, reasoning and items are unique; the words around them are the provider's. */
export const isCall = (said: Said): said is Extract<Said, { kind: "call" }> => said.kind === "call";

/** Neighbours of one kind that a wire cannot tell apart, as one. */
export function merged(said: readonly Said[], kind: "text" | "reasoning"): readonly Said[] {
  const out: Said[] = [];
  for (const one of said) {
    const last = out.at(-1);
    if (one.kind === kind && last?.kind === kind) out[out.length - 1] = { kind, text: last.text + one.text };
    else out.push(one);
  }
  return out;
}

export const joinedText = (said: readonly Said[], kind: "text" | "reasoning"): string =>
  said.map((one) => (one.kind === kind ? one.text : "")).join("");

/** Without cache markers, at any depth. */
export function unmarked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unmarked);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).flatMap(([key, one]) => (key === "cache_control" ? [] : [[key, unmarked(one)]])));
}

/** Blocks of messages in order, each with the role of its message: how messages are cut makes no difference. */
export const blocksOf = (messages: unknown, field: "content" | "parts"): readonly (readonly [role: string, block: Fields])[] =>
  listOf(messages).flatMap((message) => {
    const content = message[field];
    const blocks = typeof content === "string" ? [{ type: "text", text: content }] : listOf(content);
    return blocks.map((block): readonly [string, Fields] => [textOf(message["role"]), fieldsOf(unmarked(block))]);
  });
