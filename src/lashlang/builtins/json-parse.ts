// `json_parse(text)`: the engine's parser, with messages of our own so that they are the same in every engine.
import type { Meter } from "../values/bounds.ts";
import { toText } from "../values/coerce.ts";
import { valueError } from "../values/errors.ts";
import { fromJson } from "../values/from-json.ts";
import type { Json } from "../values/json-value.ts";
import type { Value } from "../values/value.ts";

export function jsonParse(value: Value, meter: Meter): Value {
  const text = toText(value);
  meter.charge(text.length >> 3);
  // `[],` parses to sixteen times its length, and the engine's parser cannot be told to stop.
  meter.admit(8 * text.length, 0);
  let json: Json;
  try {
    json = JSON.parse(text) as Json;
  } catch {
    throw valueError(`invalid json: ${text.length > MAX_EXPLAINED_UNITS ? "the text is not JSON" : explain(text)}`);
  }
  return fromJson(json, meter);
}

/** The pattern below backtracks over a whole string token; engines bound the space for that. */
const MAX_EXPLAINED_UNITS = 65_536;
/** Space, then a mark, a text, or whatever else stands together; nothing at the end. */
const TOKEN = /[ \t\n\r]*([{}[\]:,]|"(?:\\[^]|[^"\\])*"?|[^ \t\n\r{}[\]:,"]+|$)/gy;

/** Where and why a text that is not JSON goes wrong. A hand-kept stack, so that deep text cannot overflow ours. */
function explain(text: string): string {
  const closers: ("]" | "}")[] = [];
  let expecting = "value";
  for (const { 0: { length }, 1: token = "", index } of text.matchAll(TOKEN)) {
    if (token === "") break;
    const next = step(expecting, token, closers);
    if (next === null) return `expected ${expecting} at ${position(text, index + length - token.length)}`;
    expecting = next;
  }
  return `unexpected end of input, expected ${expecting}`;
}

/** What is expected after `token`; null when `token` is not what was expected. */
function step(expecting: string, token: string, closers: ("]" | "}")[]): string | null {
  const afterValue = (): string => (closers.length === 0 ? "end of input" : `\`,\` or \`${closers.at(-1)}\``);
  const wantsValue = expecting.startsWith("value");
  if (wantsValue && (token === "[" || token === "{")) {
    closers.push(token === "[" ? "]" : "}");
    return token === "[" ? "value or `]`" : "key or `}`";
  }
  if (expecting.endsWith(`\`${token}\``)) {
    if (token === ":") return "value";
    closers.pop();
    return afterValue();
  }
  if (token === "," && expecting.startsWith("`,`")) return closers.at(-1) === "]" ? "value" : "key";
  if (!isScalar(token)) return null;
  if (wantsValue) return afterValue();
  return token.startsWith('"') && expecting.startsWith("key") ? "`:`" : null;
}

function isScalar(token: string): boolean {
  try {
    JSON.parse(token);
    return true;
  } catch {
    return false;
  }
}

function position(text: string, offset: number): string {
  const before = text.slice(0, offset);
  const line = before.split("\n").length;
  return `line ${line} column ${offset - before.lastIndexOf("\n")}`;
}
