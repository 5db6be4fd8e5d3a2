// Prompts as hosts write them: a text, or template and slots. Checked and brought into the form of a layer, which is stored.

import * as z from "zod/mini";
import { invalidArgument } from "./invalid-argument.ts";
import { isPlainObject } from "./json.ts";
import { PROMPT_BUILTINS, PROMPT_SLOTS, type PromptContribution, type PromptLayer, type PromptSlot, type PromptTemplate } from "./prompt.ts";

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

const slot = z.enum(PROMPT_SLOTS);

const entry = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("text"), content: z.string() }),
  z.strictObject({ kind: z.literal("builtin"), builtin: z.enum(PROMPT_BUILTINS) }),
  z.strictObject({ kind: z.literal("slot"), slot }),
]);

const contribution = z.strictObject({
  title: z.exactOptional(z.string()),
  priority: z.exactOptional(z.number()),
  gate: z.exactOptional(z.strictObject({ tools: z.array(z.string()) })),
  content: z.string(),
});

/** Of a layer, as `layerOf` makes it and as it is stored. */
export const promptLayer = z.strictObject({
  template: z.exactOptional(z.strictObject({ sections: z.array(z.strictObject({ title: z.exactOptional(z.string()), entries: z.array(entry) })) })),
  reset: z.exactOptional(z.array(slot)),
  slots: z.exactOptional(z.partialRecord(slot, z.array(contribution))),
});

/** Texts of the layers stand in this order, whatever they say. */
const PRIORITY = { core: 0, session: 1, turn: 2 } as const;

/** @throws LashError `invalid_argument` - naming what is wrong. */
export function layerOf(prompt: Prompt, layer: keyof typeof PRIORITY): PromptLayer {
  if (typeof prompt === "string") return prompt.trim() === "" ? {} : { slots: { intro: [{ priority: PRIORITY[layer], content: prompt }] } };
  const parsed = z.safeParse(promptLayer, withPlainTexts(prompt));
  if (parsed.success) return parsed.data as PromptLayer;
  const [issue] = parsed.error.issues;
  throw invalidArgument(fieldOf(["prompt", ...(issue?.path ?? [])]), wanted(issue));
}

/** Short forms of contributions, written out. */
function withPlainTexts(prompt: unknown): unknown {
  const slots = isPlainObject(prompt) ? prompt["slots"] : undefined;
  if (!isPlainObject(prompt) || !isPlainObject(slots)) return prompt;
  const writtenOut = Object.entries(slots).map(([name, parts]) => {
    const list: unknown = typeof parts === "string" ? [parts] : parts;
    return [name, Array.isArray(list) ? list.map((part: unknown) => (typeof part === "string" ? { content: part } : part)) : list];
  });
  return { ...prompt, slots: Object.fromEntries(writtenOut) };
}

function wanted(issue: z.core.$ZodIssue | undefined): string {
  if (issue?.code === "unrecognized_keys") return `without ${issue.keys.join(", ")}`;
  if (issue?.code === "invalid_value") return `one of ${issue.values.join(", ")}`;
  return issue?.code === "invalid_type" && issue.path.length > 0 ? `of type ${issue.expected}` : "a string, or an object with template, slots and reset";
}

const fieldOf = (path: readonly PropertyKey[]): string => path.map((part, index) => (typeof part === "number" ? `[${part}]` : `${index > 0 ? "." : ""}${String(part)}`)).join("");
