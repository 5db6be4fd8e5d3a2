// What known providers take, by the name that their client gives a model's provider. Read from the clients and the public API
// references; what is not said here is the careful default.

import { ALPHANUMERIC, LETTERS, WORD_CHARACTERS, type Wire } from "../wire.ts";

const anthropic: Partial<Wire> = {
  blankResult: "keep",
  toolName: { characters: WORD_CHARACTERS, maxLength: 128 },
  callId: { characters: WORD_CHARACTERS, maxLength: 64 },
  media: ["image/*", "application/pdf", "text/plain"],
};

const openaiResponses: Partial<Wire> = {
  blankResult: "keep",
  firstMessage: "any",
  toolBlocks: "always",
  callId: { characters: WORD_CHARACTERS, maxLength: 64 },
  media: ["image/*", "application/pdf"],
};

const openaiChat: Partial<Wire> = {
  blankResult: "keep",
  firstMessage: "any",
  toolBlocks: "always",
  media: ["image/*", "audio/wav", "audio/mp3", "audio/mpeg", "application/pdf"],
};

const google: Partial<Wire> = {
  blankResult: "keep",
  toolBlocks: "always",
  toolName: { characters: `${WORD_CHARACTERS}.:`, first: `${LETTERS}_`, maxLength: 64 },
  callId: { characters: WORD_CHARACTERS, maxLength: 64 },
  loneReasoning: "keep",
};

/** Servers of many kinds: some want the reasoning of a round of tool calls again, others do not look at it. */
const openaiCompatible: Partial<Wire> = {
  media: ["image/*", "video/*", "audio/wav", "audio/mp3", "audio/mpeg", "application/pdf", "text/*"],
  replayReasoning: "sinceLastUser",
  // Most of them take no schema, and their client then asks for any JSON.
  outputSchema: "told",
};

const bedrock: Partial<Wire> = { callId: { characters: WORD_CHARACTERS, maxLength: 64 } };

const mistral: Partial<Wire> = {
  callId: { characters: ALPHANUMERIC, minLength: 9, maxLength: 9 },
  media: ["image/*", "application/pdf"],
};

/** The first whose pattern fits. */
const WIRES: readonly (readonly [pattern: RegExp, wire: Partial<Wire>])[] = [
  [/bedrock/, bedrock],
  [/\banthropic\b/, anthropic],
  [/\.responses$/, openaiResponses],
  [/^(openai|azure|azure-openai)\./, openaiChat],
  [/^(google|vertex)\./, google],
  [/^mistral\./, mistral],
  // Their clients do not know plain reasoning.
  [/^(cohere|perplexity|xai)\b/, {}],
  [/\.chat$/, openaiCompatible],
];

/** Whether one that nobody knows passes a schema on is not known either. */
const unknown: Partial<Wire> = { outputSchema: "told" };

export const defaultWireOf = (modelProvider: string): Partial<Wire> => WIRES.find(([pattern]) => pattern.test(modelProvider))?.[1] ?? unknown;
