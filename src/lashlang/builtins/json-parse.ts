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
const TOKEN = /[ \t\n\r]*(?:([{}[\]:,])|("(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null))/y;
const BLANK = /[ \t\n\r]*/y;

type Expecting = "value" | "value or `]`" | "key or `}`" | "key" | "`:`" | "`,` or `]`" | "`,` or `}`" | "end of input";

/** Where and why a text that is not JSON goes wrong. A hand-kept stack, so that deep text cannot overflow ours. */
function explain(text: string): string {
  const stack: ("[" | "{")[] = [];
  let expecting: Expecting = "value";
  let at = 0;
  for (;;) {
    BLANK.lastIndex = at;
    BLANK.exec(text);
    const start = BLANK.lastIndex;
    if (start >= text.length) return `unexpected end of input, expected ${expecting}`;
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    const next: Expecting | null = match === null ? null : step(expecting, match[1], match[2] !== undefined, stack);
    if (match === null || next === null) return `expected ${expecting} at ${position(text, start)}`;
    expecting = next;
    at = TOKEN.lastIndex;
  }
}

function step(expecting: Expecting, mark: string | undefined, isText: boolean, stack: ("[" | "{")[]): Expecting | null {
  const after = (): Expecting => {
    const top = stack.at(-1);
    return top === undefined ? "end of input" : top === "[" ? "`,` or `]`" : "`,` or `}`";
  };
  if (mark === undefined) {
    if (expecting === "value" || expecting === "value or `]`") return after();
    return isText && (expecting === "key" || expecting === "key or `}`") ? "`:`" : null;
  }
  if ((mark === "[" || mark === "{") && (expecting === "value" || expecting === "value or `]`")) {
    stack.push(mark);
    return mark === "[" ? "value or `]`" : "key or `}`";
  }
  if (mark === ":") return expecting === "`:`" ? "value" : null;
  if (mark === "," && expecting === "`,` or `]`") return "value";
  if (mark === "," && expecting === "`,` or `}`") return "key";
  if ((mark === "]" || mark === "}") && expecting.endsWith(`\`${mark}\``)) {
    stack.pop();
    return after();
  }
  return null;
}

function position(text: string, offset: number): string {
  const before = text.slice(0, offset);
  const line = before.split("\n").length;
  return `line ${line} column ${offset - before.lastIndexOf("\n")}`;
}
