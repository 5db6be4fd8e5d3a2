// Finding secrets in foreign text: errors of providers and tools, and what is shown of everything else (ME-26).
//
//   X1. Linear: every reader below moves forward, or looks ahead by a bounded number of characters. The text is hostile.
//   X2. A mark is never cut into: a text may be cleaned again, on its way from one part to the next.
//   X3. What surrounds a secret stays readable: names, hosts, schemes, quotes.

import { namedSecrets } from "./named.ts";
import { shapedSecrets } from "./shaped.ts";

export const REDACTED = "[redacted]";

/** @returns `text` with everything replaced that is secret by its shape, or by the name that stands before it. */
export function redactSecrets(text: string): string {
  const shaped = shapedSecrets(text);
  const named = namedSecrets(text);
  // Not an array of pieces to join, which takes twice as long.
  let clean = "";
  let done = 0;
  let [s, n] = [0, 0];
  while (s < shaped.length || n < named.length) {
    const isShaped = shaped.from(s) < named.from(n) || (shaped.from(s) === named.from(n) && shaped.to(s) >= named.to(n));
    const spans = isShaped ? shaped : named;
    const index = isShaped ? s++ : n++;
    const from = spans.from(index);
    const to = spans.to(index);
    if (to <= done) continue;
    // Two that overlap become one.
    if (from >= done) clean += text.slice(done, from) + REDACTED + spans.close(index);
    done = to;
  }
  return done === 0 ? text : clean + text.slice(done);
}
