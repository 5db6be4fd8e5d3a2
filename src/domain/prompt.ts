// System prompt: what the layers core, session and turn say, as one text (PP-43..PP-45). Pure, and equal inputs give equal text,
// in whatever order a layer's contributions come: providers cache prompts by their text.

export const PROMPT_SLOTS = ["intro", "execution", "guidance", "project_instructions", "runtime_context", "environment"] as const;
/** A place of the prompt that layers put text into. */
export type PromptSlot = (typeof PROMPT_SLOTS)[number];

export const PROMPT_BUILTINS = ["main_agent_intro", "execution_instructions", "core_guidance"] as const;
/** A text that comes with the runtime. A template has to name it: nothing is said that the host did not ask for. */
export type PromptBuiltin = (typeof PROMPT_BUILTINS)[number];

export type PromptEntry =
  | { readonly kind: "text"; readonly content: string }
  | { readonly kind: "builtin"; readonly builtin: PromptBuiltin }
  | { readonly kind: "slot"; readonly slot: PromptSlot };

export interface PromptSection {
  readonly title?: string;
  readonly entries: readonly PromptEntry[];
}

export interface PromptTemplate {
  readonly sections: readonly PromptSection[];
}

/** A piece of text in a slot. */
export interface PromptContribution {
  readonly title?: string;
  /** Lower comes first. Default 0. */
  readonly priority?: number;
  /** Left out unless the turn has one of these tools. */
  readonly gate?: { readonly tools: readonly string[] };
  readonly content: string;
}

/** What one of core, session and turn adds to the prompt. JSON. */
export interface PromptLayer {
  /** In place of the template of the layers before. */
  readonly template?: PromptTemplate;
  /** Slots whose content of the layers before is dropped. */
  readonly reset?: readonly PromptSlot[];
  readonly slots?: { readonly [Slot in PromptSlot]?: readonly PromptContribution[] };
}

const slot = (name: PromptSlot): PromptEntry => ({ kind: "slot", slot: name });

export const DEFAULT_TEMPLATE: PromptTemplate = {
  sections: [
    { entries: [slot("intro")] },
    { title: "Execution", entries: [slot("execution")] },
    { title: "Guidance", entries: [slot("project_instructions"), slot("guidance")] },
    { title: "Environment", entries: [slot("runtime_context"), slot("environment")] },
  ],
};

const BUILTINS: Readonly<Record<PromptBuiltin, readonly PromptContribution[]>> = {
  main_agent_intro: [{ content: "You are an agent that works for the user: you answer, and you act with the tools you are given." }],
  execution_instructions: [
    { content: "Call a tool where it gets you further, and calls that do not need each other's results together. Their results come back before you go on. When nothing is left to do, answer without calling a tool." },
  ],
  core_guidance: [
    { priority: 0, content: "Do what was asked, all of it and nothing beyond. Say what you did not find out, and never make up what a tool would have answered." },
    { priority: 1, gate: { tools: ["ask"] }, content: "Where only the user can decide, ask with the tool `ask` instead of guessing." },
  ],
};

/**
 * The text of all layers, first to last.
 *
 * @param tools - names of the turn's tools; they open gates.
 * @returns an empty text when nobody says anything.
 */
export function renderPrompt(layers: readonly PromptLayer[], tools: ReadonlySet<string>): string {
  const template = layers.findLast((layer) => layer.template)?.template ?? DEFAULT_TEMPLATE;
  const textOf = (entry: PromptEntry): readonly string[] => {
    if (entry.kind === "text") return [entry.content.trim()];
    return textsOf(entry.kind === "builtin" ? BUILTINS[entry.builtin] : contributionsTo(entry.slot, layers), tools);
  };
  const sections = template.sections.map(({ title, entries }) => {
    const body = paragraphs(entries.flatMap(textOf));
    return body === "" || title === undefined ? body : `## ${title.trim()}\n\n${body}`;
  });
  return paragraphs(sections);
}

/** What the layers put into a slot since one of them last reset it. */
function contributionsTo(name: PromptSlot, layers: readonly PromptLayer[]): readonly PromptContribution[] {
  const from = layers.findLastIndex(({ reset }) => reset?.includes(name));
  return layers.slice(Math.max(from, 0)).flatMap(({ slots }) => slots?.[name] ?? []);
}

/** PP-44: trimmed, without empty ones and without doubles, in an order of their own. */
function textsOf(contributions: readonly PromptContribution[], tools: ReadonlySet<string>): readonly string[] {
  const open = contributions.filter(({ gate }) => gate === undefined || gate.tools.some((tool) => tools.has(tool)));
  const tidy = open
    .map(({ title = "", priority = 0, content }) => ({ title: title.trim(), priority, content: content.trim() }))
    .filter(({ content }) => content !== "")
    .toSorted((a, b) => a.priority - b.priority || byText(a.title, b.title) || byText(a.content, b.content));
  return tidy
    .filter((each, index) => {
      const before = tidy[index - 1];
      return before?.priority !== each.priority || before.title !== each.title || before.content !== each.content;
    })
    .map(({ title, content }) => (title === "" ? content : `### ${title}\n\n${content}`));
}

/** By UTF-16 code unit: the same everywhere, where a locale is not. */
const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const paragraphs = (texts: readonly string[]): string => texts.filter((text) => text !== "").join("\n\n");
