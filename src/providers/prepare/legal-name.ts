// Names that a receiver takes, made from names of ours.

import type { NameRule } from "../wire.ts";

const NAMELESS = "tool";

export const isLegalName = (name: string, { characters, first = characters, maxLength }: NameRule): boolean =>
  name !== "" && name.length <= maxLength && [...name].every((char, index) => (index === 0 ? first : characters).includes(char));

/** The nearest legal name that is not taken; the name itself where it is one. */
export function legalName(name: string, rule: NameRule, isTaken: (candidate: string) => boolean): string {
  const base = isLegalName(name, rule) ? name : mended(name, rule);
  let candidate = base;
  for (let round = 2; isTaken(candidate); round += 1) {
    const suffix = `${filler(rule)}${round}`;
    candidate = `${base.slice(0, rule.maxLength - suffix.length)}${suffix}`;
  }
  return candidate;
}

function mended(name: string, rule: NameRule): string {
  const { characters, first = characters, maxLength } = rule;
  const kept = [...name].map((char) => (characters.includes(char) ? char : filler(rule))).join("");
  const legal = kept === "" ? NAMELESS : kept;
  const begin = first.includes(legal[0] ?? "") ? "" : first.includes("_") ? "_" : NAMELESS;
  return `${begin}${legal}`.slice(0, maxLength);
}

const filler = ({ characters }: NameRule): string => (characters.includes("_") ? "_" : "");
