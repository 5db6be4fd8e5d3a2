// Things to say, each with a number of its own, so that the judge knows them again.

import type { Said } from "./said.ts";
import type { TurnPlan } from "./world.ts";

/** `word` of fixed width: none is part of another. */
export class Phrases {
  #count = 0;

  word(kind: string): string {
    return `${kind}${String((this.#count += 1)).padStart(4, "0")}x`;
  }

  text(around = ""): Said {
    return { kind: "text", text: `${this.word("text")}${around}` };
  }

  reasoning(around = ""): Said {
    return { kind: "reasoning", text: `${this.word("thought")}${around}` };
  }

  search(): Said {
    return { kind: "search", query: this.word("query") };
  }

  call(tool = "look", more: object = {}): Said {
    return { kind: "call", tool, input: { n: this.word("call"), ...more } };
  }

  /** A turn of one answer. */
  plain(...said: readonly Said[]): TurnPlan {
    return { user: this.word("user"), answers: [{ said: said.length === 0 ? [this.text()] : said }] };
  }

  /** A turn whose first answer calls tools and whose second one ends it. */
  calling(...said: readonly Said[]): TurnPlan {
    return { user: this.word("user"), answers: [{ said }, { said: [this.text()] }] };
  }
}

export const SEALED: Said = { kind: "sealed" };
