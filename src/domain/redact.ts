// Takes secrets out of values on their way to traces, inspection and logs (design 10).
// A second line of defence: what is known to be secret is never put in. Cheap and bounded, since it sees everything.
import { isJsonPrimitive, isPlainObject, type Json } from "./json.ts";
import { REDACTED, redactSecrets } from "./secrets/find.ts";

export interface RedactBounds {
  /** Levels below the root that are shown. Default 16. */
  readonly maxDepth?: number;
  /** Values that are shown in all. Default 10,000. */
  readonly maxValues?: number;
  /** UTF-16 units of one string that are shown. Default 10,000. */
  readonly maxTextLength?: number;
  /** UTF-16 units of all strings and keys together. Default: no limit. */
  readonly maxTotalLength?: number;
  /** How strings are shown. Default `redactText`. */
  readonly text?: (text: string, maxLength: number) => string;
}

export { REDACTED };
const CUT = "[cut]";
/** UTF-16 units of a key that are shown. */
const MAX_KEY_LENGTH = 256;

/**
 * Ends of key names, compared in lower case without separators: `accessToken`, `X-API-Key`, `wait_secret`, `key_id`
 * (a wait key is a bearer capability, E-19). Not plural, so `inputTokens` stays.
 */
const SECRET_KEY =
  /(apikey|accesskey|privatekey|secretkey|encryptionkey|secret|password|passwd|passphrase|authorization|cookie|credentials?|token|signature|waitkey|keyid|encryptedcontent)$/;

/** Too short, or too common as the end of a longer name. */
const SECRET_NAMES: ReadonlySet<string> = new Set(["auth", "bearer", "pwd", "hmackey", "signingkey", "connectionstring"]);

/** @returns whether values under `key` are secret by name. */
export function isSecretKey(key: string): boolean {
  if (key.length > 100) return false;
  const name = key.replace(/[-_.\s]/g, "").toLowerCase();
  return SECRET_KEY.test(name) || SECRET_NAMES.has(name);
}

/** Whether two texts belong together as name and value of a header: `["x-api-key", "…"]`, `{ name: "cookie", value: "…" }`. */
const isValueOf = (name: unknown, value: unknown): boolean => typeof name === "string" && typeof value === "string" && value.length > 5 && isSecretKey(name);

/** Read beyond the cut, so that no secret survives it in part. */
const LOOK_AHEAD = 256;

/** @returns `text` with tokens, credentials and wait keys replaced, cut at `maxLength` UTF-16 units; also in JSON, whole or cut off. */
export const redactText = (text: string, maxLength = 10_000): string => cutAfter(text, maxLength, redactSecrets);

function cutAfter(text: string, maxLength: number, clean: (text: string) => string): string {
  if (text.length <= maxLength) return clean(text);
  return `${clean(text.slice(0, maxLength + LOOK_AHEAD)).slice(0, maxLength)}${CUT}`;
}

/**
 * A copy that may be shown.
 *
 * @param value - JSON; anything else in it shows as its type, what is over a bound as `[cut]`.
 */
export function redact(value: unknown, bounds: RedactBounds = {}): Json {
  const { maxDepth = 16, maxValues = 10_000, maxTextLength = 10_000, maxTotalLength = Infinity, text = redactText } = bounds;
  let left = maxValues;
  let lengthLeft = maxTotalLength;
  const shown = (source: string): string => {
    const copied = text(source, Math.max(0, Math.min(maxTextLength, lengthLeft)));
    lengthLeft -= copied.length;
    return copied;
  };
  const copy = (source: unknown, depth: number): Json => {
    left -= 1;
    if (typeof source === "string") return shown(source);
    if (isJsonPrimitive(source)) return source;
    if (typeof source !== "object") return `[${typeof source}]`;
    if (depth === maxDepth || left <= 0) return CUT;
    if (Array.isArray(source)) return copyArray(source, depth + 1);
    return isPlainObject(source) ? copyObject(source, depth + 1) : "[object]";
  };
  const copyArray = (source: readonly unknown[], depth: number): Json => {
    const items: Json[] = [];
    let name: unknown;
    for (const item of source) {
      if (left <= 0) return [...items, CUT];
      items.push(isValueOf(name, item) ? REDACTED : copy(item, depth));
      name = item;
    }
    return items;
  };
  const copyObject = (source: Readonly<Record<string, unknown>>, depth: number): Json => {
    const members: [string, Json][] = [];
    for (const [key, member] of Object.entries(source)) {
      if (left <= 0) {
        members.push([CUT, CUT]);
        break;
      }
      if (member === undefined) continue;
      lengthLeft -= Math.min(key.length, MAX_KEY_LENGTH);
      const isSecret = isSecretKey(key) ? member !== null : key === "value" && isValueOf(source["name"] ?? source["key"], member);
      members.push([redactText(key, MAX_KEY_LENGTH), isSecret ? REDACTED : copy(member, depth)]);
    }
    // Defines own properties, so a key `__proto__` stays a key.
    return Object.fromEntries(members);
  };
  return copy(value, 0);
}
