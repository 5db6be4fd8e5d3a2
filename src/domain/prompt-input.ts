// Prompts as hosts write them: a text, or template and slots. Checked and brought into the form of a layer, which is stored.

import { invalidArgument, refuseUnknown } from "./invalid-argument.ts";
import { isPlainObject } from "./json.ts";
import {
  PROMPT_BUILTINS,
  PROMPT_SLOTS,
  type PromptContribution,
  type PromptEntry,
  type PromptLayer,
  type PromptSection,
  type PromptSlot,
  type PromptTemplate,
} from "./prompt.ts";

/** A text, which goes into the slot `intro`: the lash's first, then the session's, then the turn's. Or what a layer may say. */
export type Prompt = string | PromptParts;

export interface PromptParts {
  /** In place of the template of the layers before. */
  readonly template?: PromptTemplate;
  /** Slots whose content of the layers before is dropped. */
  readonly reset?: readonly PromptSlot[];
  /** Added to what the layers before say. */
  readonly slots?: { readonly [Slot in PromptSlot]?: string | readonly (string | PromptContribution)[] };
}

/** Texts of the layers stand in this order, whatever they say. */
const PRIORITY = { core: 0, session: 1, turn: 2 } as const;

/**
 * @param field - name of the option, for errors.
 * @throws LashError `invalid_argument` - naming what is wrong.
 */
export function layerOf(prompt: Prompt, layer: keyof typeof PRIORITY, field = "prompt"): PromptLayer {
  if (typeof prompt === "string") return prompt.trim() === "" ? {} : { slots: { intro: [{ priority: PRIORITY[layer], content: prompt }] } };
  if (!isPlainObject(prompt)) throw invalidArgument(field, "a string, or an object with template, slots and reset");
  refuseUnknown(prompt, ["template", "reset", "slots"], field);
  const { template, reset, slots } = prompt as PromptParts;
  return {
    ...(template !== undefined && { template: checkTemplate(template, `${field}.template`) }),
    ...(reset !== undefined && { reset: list(reset, `${field}.reset`).map((name, index) => oneOf(PROMPT_SLOTS, name, `${field}.reset[${index}]`)) }),
    ...(slots !== undefined && { slots: checkSlots(slots, `${field}.slots`) }),
  };
}

function checkSlots(slots: NonNullable<PromptParts["slots"]>, field: string): PromptLayer["slots"] & object {
  if (!isPlainObject(slots)) throw invalidArgument(field, "an object with texts by slot");
  refuseUnknown(slots, PROMPT_SLOTS, field);
  return Object.fromEntries(
    Object.entries(slots).map(([name, given]) => {
      const parts = typeof given === "string" ? [given] : list(given, `${field}.${name}`);
      return [name, parts.map((part, index) => checkContribution(part, `${field}.${name}[${index}]`))];
    }),
  );
}

function checkContribution(part: unknown, field: string): PromptContribution {
  if (typeof part === "string") return { content: part };
  if (!isPlainObject(part)) throw invalidArgument(field, "a string, or an object with content");
  refuseUnknown(part, ["title", "priority", "gate", "content"], field);
  const { title, priority, gate, content } = part;
  if (priority !== undefined && !Number.isFinite(priority)) throw invalidArgument(`${field}.priority`, "a number");
  return {
    ...(title !== undefined && { title: text(title, `${field}.title`) }),
    ...(priority !== undefined && { priority: priority as number }),
    ...(gate !== undefined && { gate: checkGate(gate, `${field}.gate`) }),
    content: text(content, `${field}.content`),
  };
}

function checkGate(gate: unknown, field: string): { readonly tools: readonly string[] } {
  if (!isPlainObject(gate)) throw invalidArgument(field, "an object with tools");
  refuseUnknown(gate, ["tools"], field);
  return { tools: list(gate["tools"], `${field}.tools`).map((name, index) => text(name, `${field}.tools[${index}]`)) };
}

function checkTemplate(template: unknown, field: string): PromptTemplate {
  if (!isPlainObject(template)) throw invalidArgument(field, "an object with sections");
  refuseUnknown(template, ["sections"], field);
  return { sections: list(template["sections"], `${field}.sections`).map((section, index) => checkSection(section, `${field}.sections[${index}]`)) };
}

function checkSection(section: unknown, field: string): PromptSection {
  if (!isPlainObject(section)) throw invalidArgument(field, "an object with entries");
  refuseUnknown(section, ["title", "entries"], field);
  const entries = list(section["entries"], `${field}.entries`).map((entry, index) => checkEntry(entry, `${field}.entries[${index}]`));
  return { ...(section["title"] !== undefined && { title: text(section["title"], `${field}.title`) }), entries };
}

function checkEntry(entry: unknown, field: string): PromptEntry {
  const { kind, content, builtin, slot } = isPlainObject(entry) ? entry : {};
  if (kind === "text") return { kind, content: text(content, `${field}.content`) };
  if (kind === "builtin") return { kind, builtin: oneOf(PROMPT_BUILTINS, builtin, `${field}.builtin`) };
  if (kind === "slot") return { kind, slot: oneOf(PROMPT_SLOTS, slot, `${field}.slot`) };
  throw invalidArgument(`${field}.kind`, '"text", "builtin" or "slot"');
}

function list(value: unknown, field: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw invalidArgument(field, "a list");
}

function text(value: unknown, field: string): string {
  if (typeof value === "string") return value;
  throw invalidArgument(field, "a string");
}

function oneOf<Name extends string>(names: readonly Name[], value: unknown, field: string): Name {
  const found = names.find((name) => name === value);
  if (found !== undefined) return found;
  throw invalidArgument(field, `one of ${names.join(", ")}`);
}
