// Ids of calls on the wire: legal, and each only once in a request. An id follows from the calls before it alone, so that those of a
// longer history begin with those of a shorter one.

import { sha256Hex } from "../../domain/sha256.ts";
import type { IdRule } from "../wire.ts";

const LONGEST_HASH = 32;

interface Claim {
  readonly id: string;
  readonly own: string;
  /** How often the id that it began as had been given out before. */
  readonly before: number;
  readonly base: string;
}

export class CallIds {
  readonly #rule: IdRule;
  readonly #used = new Set<string>();
  /** How many calls began as an id, so that a provider that gives all calls one id costs no search. */
  readonly #counts = new Map<string, number>();
  readonly #claims: Claim[] = [];
  readonly #renamed = new Map<string, string>();

  constructor(rule: IdRule) {
    this.#rule = rule;
  }

  /**
   * The id of the next call on the wire.
   *
   * @param isOwn - the receiver gave this id itself, so it takes it.
   */
  claim(own: string, isOwn: boolean): string {
    const base = isOwn && own !== "" && own.isWellFormed() ? own : legalId(own, this.#rule);
    const before = this.#counts.get(base) ?? 0;
    let round = before + 1;
    let id = round === 1 ? base : numberedId(base, round, this.#rule);
    for (; this.#used.has(id); id = numberedId(base, round, this.#rule)) round += 1;
    this.#counts.set(base, round);
    this.#used.add(id);
    this.#claims.push({ id, own, before, base });
    if (id !== own) this.#renamed.set(id, own);
    return id;
  }

  /** Ids of the wire that are not what the call is known by here, and what that is. */
  renamed(): Map<string, string> {
    return new Map(this.#renamed);
  }

  get mark(): number {
    return this.#claims.length;
  }

  rewind(mark: number): void {
    for (const { id, base, before } of this.#claims.splice(mark).reverse()) {
      this.#used.delete(id);
      this.#renamed.delete(id);
      if (before === 0) this.#counts.delete(base);
      else this.#counts.set(base, before);
    }
  }
}

/** The id itself where it is legal. */
function legalId(own: string, rule: IdRule): string {
  const { characters, minLength = 1, maxLength } = rule;
  const filler = characters.includes("_") ? "_" : "";
  const id = [...own].map((char) => (characters.includes(char) ? char : filler)).join("");
  return id.length >= minLength && id.length <= maxLength ? id : hashedId(own, rule);
}

function numberedId(base: string, round: number, rule: IdRule): string {
  const numbered = `${base}_${round}`;
  return rule.characters.includes("_") && numbered.length <= rule.maxLength ? numbered : hashedId(`${base} ${round}`, rule);
}

/** Hexadecimal digits are legal everywhere. */
function hashedId(text: string, { minLength = 1, maxLength }: IdRule): string {
  return sha256Hex(text).slice(0, Math.max(minLength, Math.min(maxLength, LONGEST_HASH)));
}
