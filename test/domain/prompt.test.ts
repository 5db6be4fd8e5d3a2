// The system prompt as one text of its layers (PP-43..PP-45).

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PROMPT_BUILTINS, PROMPT_SLOTS, renderPrompt, type PromptContribution, type PromptLayer, type PromptTemplate } from "../../src/domain/prompt.ts";
import { layerOf, type Prompt } from "../../src/domain/prompt-input.ts";

const none: ReadonlySet<string> = new Set();
const render = (core: Prompt, session: Prompt = "", turn: Prompt = "", tools = none): string =>
  renderPrompt([layerOf(core, "core"), layerOf(session, "session"), layerOf(turn, "turn")], tools);
const intro = (...contributions: readonly PromptContribution[]): PromptLayer => ({ slots: { intro: contributions } });

describe("layers (PP-43)", () => {
  test("texts of lash, session and turn follow each other in this order, whatever they say", () => {
    expect(render("Zeal.", "  Youth.  ", "Art.")).toBe("Zeal.\n\nYouth.\n\nArt.");
    expect(render("", " ", "")).toBe("");
  });

  test("a slot is appended to, unless a layer resets it; that drops what the layers before said in this slot only", () => {
    const core = { slots: { guidance: "Be brief.", environment: "A laptop." } };
    expect(render(core, { slots: { guidance: ["Be kind."] } })).toBe("## Guidance\n\nBe brief.\n\nBe kind.\n\n## Environment\n\nA laptop.");
    expect(render(core, { reset: ["guidance"], slots: { guidance: "Be long." } })).toBe("## Guidance\n\nBe long.\n\n## Environment\n\nA laptop.");
    expect(render(core, { reset: ["guidance"] }, { slots: { guidance: "Again." } })).toBe("## Guidance\n\nAgain.\n\n## Environment\n\nA laptop.");
  });

  test("a later template replaces an earlier one and keeps what the slots hold", () => {
    const template = (title: string): PromptTemplate => ({ sections: [{ title, entries: [{ kind: "text", content: " fixed " }, { kind: "slot", slot: "intro" }] }] });
    expect(render("Hello.", { template: template("One") })).toBe("## One\n\nfixed\n\nHello.");
    expect(render("Hello.", { template: template("One") }, { template: template("Two") })).toBe("## Two\n\nfixed\n\nHello.");
  });
});

describe("contributions (PP-44)", () => {
  test("are trimmed; empty ones vanish, equal ones collapse, those that differ in title or priority do not", () => {
    const parts = [{ content: " b " }, { content: "b" }, { content: "  " }, { title: "T", content: "b" }, { priority: 1, content: "b" }];
    expect(renderPrompt([intro(...parts)], none)).toBe("b\n\n### T\n\nb\n\nb");
  });

  test("stand in the order of priority, then title, then content", () => {
    const parts = [{ content: "c" }, { content: "a" }, { title: "A", content: "z" }, { priority: -1, content: "first" }, { priority: 10, content: "last" }];
    expect(renderPrompt([intro(...parts)], none).split("\n\n")).toEqual(["first", "a", "c", "### A", "z", "last"]);
  });

  test("equal inputs in any order, once or twice, give equal text", () => {
    const contribution = fc.record({ title: fc.option(fc.constantFrom("A", "B ", ""), { nil: undefined }), priority: fc.constantFrom(-1, 0, 1), content: fc.constantFrom("x", " x", "y", "", "é", "Z") }, { requiredKeys: ["content"] });
    const slots = fc.array(fc.tuple(fc.constantFrom(...PROMPT_SLOTS), contribution), { maxLength: 12 });
    const layer = (entries: readonly (readonly [string, object])[]): PromptLayer => ({ slots: Object.fromEntries(PROMPT_SLOTS.map((name) => [name, entries.flatMap(([slot, part]) => (slot === name ? [part as PromptContribution] : []))])) });
    fc.assert(
      fc.property(slots, fc.infiniteStream(fc.nat()), (entries, dice) => {
        const shuffled = [...entries, ...entries].map((entry) => [dice.next().value ?? 0, entry] as const).toSorted(([a], [b]) => a - b).map(([, entry]) => entry);
        expect(renderPrompt([layer(shuffled)], none)).toBe(renderPrompt([layer(entries)], none));
      }),
    );
  });
});

describe("rendering (PP-45)", () => {
  test("the default template: intro, Execution, Guidance with the project's instructions first, Environment; empty sections are skipped", () => {
    const all = Object.fromEntries(PROMPT_SLOTS.map((name) => [name, `${name}.`]));
    expect(render({ slots: all })).toBe(
      "intro.\n\n## Execution\n\nexecution.\n\n## Guidance\n\nproject_instructions.\n\nguidance.\n\n## Environment\n\nruntime_context.\n\nenvironment.",
    );
  });

  test("advice that needs a user is left out without a tool `ask`; a gate opens when one of its tools is there (PT-15)", () => {
    const template: PromptTemplate = { sections: [{ entries: PROMPT_BUILTINS.map((builtin) => ({ kind: "builtin", builtin })) }] };
    expect(render({ template }, "", "", new Set(["ask"]))).toContain("`ask`");
    expect(render({ template })).not.toContain("ask with");
    expect(render({ template }).split("\n\n")).toHaveLength(3);
    const gated = { slots: { guidance: [{ gate: { tools: ["a", "b"] }, content: "Use one." }] } };
    expect([render(gated, "", "", new Set(["c"])), render(gated, "", "", new Set(["b"]))]).toEqual(["", "## Guidance\n\nUse one."]);
  });

  test("the runtime says nothing that no layer asked for", () => {
    expect(renderPrompt([], new Set(["ask"]))).toBe("");
  });
});

describe("bad input", () => {
  test.each<[unknown, string]>([
    [5, "prompt"],
    [{ slot: {} }, "prompt"],
    [{ reset: ["intro", "outro"] }, "prompt.reset[1]"],
    [{ slots: { outro: "x" } }, "prompt.slots"],
    [{ slots: { intro: 5 } }, "prompt.slots.intro"],
    [{ slots: { intro: [{ title: "x" }] } }, "prompt.slots.intro[0].content"],
    [{ slots: { intro: [{ content: "x", priority: Number.NaN }] } }, "prompt.slots.intro[0].priority"],
    [{ slots: { intro: [{ content: "x", gate: { tools: "ask" } }] } }, "prompt.slots.intro[0].gate.tools"],
    [{ template: { sections: [{ entries: [{ kind: "slot", slot: "outro" }] }] } }, "prompt.template.sections[0].entries[0].slot"],
    [{ template: { sections: [{ entries: [{ kind: "poem" }] }] } }, "prompt.template.sections[0].entries[0].kind"],
  ])("%j names %s", (prompt, field) => {
    expect(() => layerOf(prompt as Prompt, "core")).toThrowError(expect.objectContaining({ code: "invalid_argument", details: { field } }));
  });

  test("the message says what to write instead", () => {
    const messageOf = (prompt: unknown): string => {
      try {
        return JSON.stringify(layerOf(prompt as Prompt, "core"));
      } catch (error) {
        return error instanceof Error ? error.message : String(error);
      }
    };
    expect(messageOf({ slot: {} })).toBe("`prompt` must be without slot");
    expect(messageOf({ slots: { intro: [{ content: 5 }] } })).toBe("`prompt.slots.intro[0].content` must be of type string");
    expect(messageOf({ reset: ["outro"] })).toMatch("`prompt.reset[0]` must be one of intro, execution");
    expect(messageOf(5)).toBe("`prompt` must be a string, or an object with template, slots and reset");
  });

  test("a layer is its own form: what is stored reads back as itself", () => {
    const layer = layerOf({ template: { sections: [{ title: "T", entries: [{ kind: "slot", slot: "intro" }] }] }, reset: ["intro"], slots: { intro: ["a", { title: "b", priority: 2, gate: { tools: ["c"] }, content: "d" }] } }, "session");
    expect(layerOf(JSON.parse(JSON.stringify(layer)), "turn")).toEqual(layer);
  });
});
