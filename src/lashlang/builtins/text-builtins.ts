// Builtins on text: positions and lengths count characters, never UTF-16 units.
import { BOOL, INT, listOf, objectOf, STR } from "../types/type-algebra.ts";
import { admitText } from "../values/arithmetic.ts";
import type { Meter } from "../values/bounds.ts";
import { toText } from "../values/coerce.ts";
import { display } from "../values/display.ts";
import { typeError, valueError } from "../values/errors.ts";
import { charLength, charOffset, scanCost, unitOffset } from "../values/unicode.ts";
import { List, Tuple, type Value, makeList, recordOf } from "../values/value.ts";
import type { Builtin } from "./builtin.ts";

/** Text coercion of an argument that is about to be scanned. */
function scanned(value: Value, meter: Meter): string {
  const text = toText(value);
  meter.charge(text.length >> 6);
  return text;
}

/** A list in the making: adding checks, every so often, that it may become that long. */
function growingList(meter: Meter): { readonly items: Value[]; add(item: Value, weight: number): void } {
  const items: Value[] = [];
  let total = 0;
  const add = (item: Value, weight: number): void => {
    items.push(item);
    total += weight;
    if ((items.length & 1023) !== 0) return;
    meter.charge(1024);
    meter.admit(total, 1);
  };
  return { items, add };
}

function split(meter: Meter, s: Value, sep: Value): Value {
  const text = scanned(s, meter);
  const separator = toText(sep);
  const parts = growingList(meter);
  if (separator === "") {
    parts.add("", 16);
    for (const char of text) parts.add(char, 18);
    parts.add("", 16);
    return makeList(parts.items, meter);
  }
  let from = 0;
  for (;;) {
    const at = text.indexOf(separator, from);
    const part = text.slice(from, at < 0 ? text.length : at);
    parts.add(part, 16 + 2 * part.length);
    if (at < 0) return makeList(parts.items, meter);
    from = at + separator.length;
  }
}

function join(meter: Meter, items: Value, sep: Value): Value {
  if (!(items instanceof List || items instanceof Tuple)) {
    throw typeError("`join` requires a tuple or list as the first argument");
  }
  const separator = toText(sep);
  const texts = items.items.map(toText);
  meter.charge(texts.length);
  let units = separator.length * Math.max(0, texts.length - 1);
  for (const text of texts) units += text.length;
  admitText(units, meter);
  meter.charge(units >> 6);
  return texts.join(separator);
}

function find(meter: Meter, s: Value, n: Value, start: Value, count: number): Value {
  const text = scanned(s, meter);
  const needle = toText(n);
  const from = count < 3 ? 0 : start;
  if (typeof from !== "number" || !Number.isInteger(from) || from < 0) {
    throw typeError("`find` start must be a non-negative integer");
  }
  meter.charge(scanCost(text));
  if (from > charLength(text)) return null;
  const at = text.indexOf(needle, unitOffset(text, from));
  return at < 0 ? null : charOffset(text, at);
}

function grepText(meter: Meter, s: Value, n: Value): Value {
  const text = scanned(s, meter);
  const needle = toText(n);
  if (needle === "") throw valueError("`grep_text` needle must not be empty");
  const matches = growingList(meter);
  let line = 0;
  for (let from = 0; from < text.length; ) {
    const end = text.indexOf("\n", from);
    const next = end < 0 ? text.length : end + 1;
    let content = text.slice(from, end < 0 ? text.length : end);
    // A carriage return belongs to the line break, so only before one is it dropped.
    if (end >= 0 && content.endsWith("\r")) content = content.slice(0, -1);
    line += 1;
    const at = content.indexOf(needle);
    if (at >= 0) {
      const start = charOffset(content, at);
      const match = recordOf(
        [
          ["line", line],
          ["text", content],
          ["match", needle],
          ["start", start],
          ["end", start + charLength(needle)],
        ],
        meter,
      );
      matches.add(match, match.weight);
    }
    if ((line & 63) === 0) meter.charge(16);
    from = next;
  }
  return makeList(matches.items, meter);
}

const MATCH = objectOf([["line", INT], ["text", STR], ["match", STR], ["start", INT], ["end", INT]]);

export const TEXT_BUILTINS: ReadonlyMap<string, Builtin> = new Map<string, Builtin>([
  [
    "starts_with",
    {
      counts: [2],
      gives: BOOL,
      run: (meter, s, p) => scanned(s, meter).startsWith(toText(p)),
      ask: (argument) => ({ kind: "StartsWith", argument }),
    },
  ],
  [
    "ends_with",
    {
      counts: [2],
      gives: BOOL,
      run: (meter, s, p) => scanned(s, meter).endsWith(toText(p)),
      ask: (argument) => ({ kind: "EndsWith", argument }),
    },
  ],
  ["split", { counts: [2], gives: listOf(STR), run: split, ask: (separator) => ({ kind: "Split", separator }) }],
  ["join", { counts: [2], gives: STR, run: join, ask: (separator) => ({ kind: "Join", separator }) }],
  ["trim", { counts: [1], gives: STR, run: (meter, s) => trimText(scanned(s, meter)), ask: () => ({ kind: "Trim" }) }],
  ["find", { counts: [2, 3], gives: INT, run: find, ask: (needle, start) => ({ kind: "Find", needle, start }) }],
  ["grep_text", { counts: [2], gives: listOf(MATCH), run: grepText, ask: (argument) => ({ kind: "GrepText", argument }) }],
  ["to_string", { counts: [1], gives: STR, run: (meter, x) => display(x, meter), ask: () => ({ kind: "Render" }) }],
]);

const SPACE = /^\p{White_Space}/u;

/** By Unicode: JavaScript's `trim` also takes U+FEFF and leaves U+0085. A pattern for the end would go over the text again and again. */
function trimText(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && SPACE.test(text.charAt(start))) start += 1;
  while (end > start && SPACE.test(text.charAt(end - 1))) end -= 1;
  return text.slice(start, end);
}
