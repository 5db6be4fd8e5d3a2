// Tool names both ways: what a receiver knows a tool by, and what we call it. Tools of the request come first, and among them those
// whose names are legal, so that a legal name always stands for itself. Names that only history has follow in its order, so that what
// comes later changes none of them.

import type { LlmToolSpec } from "../contract.ts";
import type { NameRule } from "../wire.ts";
import { isLegalName, legalName } from "./legal-name.ts";
import { wellFormed, wellFormedSchema } from "./unicode.ts";

export class ToolNames {
  readonly #rule: NameRule;
  /** Own name to legal name. */
  readonly #legal = new Map<string, string>();
  readonly #taken = new Set<string>();
  /** Own names that only history has, in its order. */
  readonly #ofHistory: string[] = [];

  constructor(rule: NameRule, tools: readonly LlmToolSpec[]) {
    this.#rule = rule;
    for (const { name } of tools) if (isLegalName(name, rule)) this.#add(name);
    for (const { name } of tools) if (!this.#legal.has(name)) this.#add(name);
  }

  legal(own: string): string {
    const known = this.#legal.get(own);
    if (known !== undefined) return known;
    this.#ofHistory.push(own);
    return this.#add(own);
  }

  /** As `legal`, of a tool that has been named before; any other name stays what it is. */
  known(own: string): string {
    return this.#legal.get(own) ?? own;
  }

  /** Legal names of names that had to change, and what we call those. */
  changed(): Map<string, string> {
    const changed = new Map<string, string>();
    for (const [own, legal] of this.#legal) if (own !== legal) changed.set(legal, own);
    return changed;
  }

  get mark(): number {
    return this.#ofHistory.length;
  }

  rewind(mark: number): void {
    for (const own of this.#ofHistory.splice(mark)) {
      const legal = this.#legal.get(own);
      this.#legal.delete(own);
      if (legal !== undefined) this.#taken.delete(legal);
    }
  }

  #add(own: string): string {
    const legal = legalName(own, this.#rule, (candidate) => this.#taken.has(candidate));
    this.#legal.set(own, legal);
    this.#taken.add(legal);
    return legal;
  }
}

/** The tools as the receiver takes them; the array itself where nothing had to change. */
export function toolsToSend(tools: readonly LlmToolSpec[], names: ToolNames): readonly LlmToolSpec[] {
  const sent = tools.map((tool): LlmToolSpec => {
    const { name, description, inputSchema } = tool;
    const mended = { name: names.legal(name), description: wellFormed(description), inputSchema: wellFormedSchema(inputSchema) };
    const isSame = mended.name === name && mended.description === description && mended.inputSchema === inputSchema;
    return isSame ? tool : { ...tool, ...mended };
  });
  return sent.every((tool, index) => tool === tools[index]) ? tools : sent;
}
