// Finding secrets in foreign text: errors of providers and tools, and what is shown of everything else (ME-26).
//
//   X1. Linear: every reader below moves forward, or looks ahead by a bounded number of characters. The text is hostile.
//   X2. A mark is never cut into: a text may be cleaned again, on its way from one part to the next.
//   X3. What surrounds a secret stays readable: names, hosts, schemes, quotes.

import { namedSecrets } from "./named.ts";
import { shapedSecrets } from "./shaped.ts";

export const REDACTED = "[redacted]";

/** A part of a text, in UTF-16 units, and what closes it where the text ends too early. */
export interface Span {
  readonly from: number;
  readonly to: number;
  readonly close?: string;
}

/** @returns `text` with everything replaced that is secret by its shape, or by the name that stands before it. */
export function redactSecrets(text: string): string {
  const spans = inOrder(shapedSecrets(text), namedSecrets(text));
  if (spans.length === 0) return text;
  // Not an array of pieces to join, which takes twice as long.
  let clean = "";
  let done = 0;
  for (const { from, to, close } of spans) {
    if (to <= done) continue;
    // Two that overlap become one.
    if (from >= done) clean += text.slice(done, from) + (close === undefined ? REDACTED : REDACTED + close);
    done = to;
  }
  return clean + text.slice(done);
}

/** By where they begin, and the longer ones first; most texts have those of one kind. */
function inOrder(shaped: readonly Span[], named: readonly Span[]): readonly Span[] {
  const spans = shaped.length === 0 ? named : [...shaped, ...named];
  return spans.toSorted((a, b) => a.from - b.from || b.to - a.to);
}
