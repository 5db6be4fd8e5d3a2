// Takes secrets out of values on their way to traces, inspection and logs (design 10).
// A second line of defence: what is known to be secret is never put in. Cheap and bounded, since it sees everything.
import { isJsonPrimitive, isPlainObject, type Json } from "./json.ts";

export interface RedactBounds {
  /** Levels below the root that are shown. Default 16. */
  readonly maxDepth?: number;
  /** Values that are shown in all. Default 10,000. */
  readonly maxValues?: number;
  /** UTF-16 units of one string that are shown. Default 10,000. */
  readonly maxTextLength?: number;
}

export const REDACTED = "[redacted]";
const CUT = "[cut]";

/**
 * Ends of key names, compared in lower case without separators: `accessToken`, `X-API-Key`, `wait_secret`, `key_id`
 * (a wait key is a bearer capability, E-19). Not plural, so `inputTokens` stays.
 */
const SECRET_KEY =
  /(apikey|accesskey|privatekey|secretkey|encryptionkey|secret|password|passwd|passphrase|authorization|cookie|credentials?|token|signature|waitkey|keyid|encryptedcontent)$/;

/** Secrets inside text. None of the patterns can back-track past its own match. */
const SECRET_TEXT: readonly (readonly [RegExp, string])[] = [
  [/\b(Bearer|Basic) +[\w+/.~=-]{8,}/gi, `$1 ${REDACTED}`],
  [/\b(sk|rk|pk|gh[pos]|github_pat|xox[abp])[-_][\w-]{16,}/g, REDACTED],
  [/(:\/\/)[^\s/@]{1,256}@/g, `$1${REDACTED}@`],
  [/(lash-await-event:)[\w-]+/g, `$1${REDACTED}`],
];

/** One look that spares most texts the four patterns above: each of them starts with something of this. */
const MAY_HOLD_SECRET = /bearer |basic |:\/\/|lash-await-event:|\b(sk|rk|pk|gh[pos]|github_pat|xox[abp])[-_]/i;

/** @returns whether values under `key` are secret by name. */
export const isSecretKey = (key: string): boolean => key.length <= 100 && SECRET_KEY.test(key.replace(/[-_.\s]/g, "").toLowerCase());

/** @returns `text` with tokens, credentials and wait keys replaced, cut at `maxLength` UTF-16 units. */
export function redactText(text: string, maxLength = 10_000): string {
  const short = text.length > maxLength ? `${text.slice(0, maxLength)}${CUT}` : text;
  if (!MAY_HOLD_SECRET.test(short)) return short;
  return SECRET_TEXT.reduce((clean, [pattern, replacement]) => clean.replace(pattern, replacement), short);
}

/**
 * A copy that may be shown.
 *
 * @param value - JSON; anything else in it shows as its type, what is over a bound as `[cut]`.
 */
export function redact(value: unknown, bounds: RedactBounds = {}): Json {
  const { maxDepth = 16, maxValues = 10_000, maxTextLength = 10_000 } = bounds;
  let left = maxValues;
  const copy = (source: unknown, depth: number): Json => {
    left -= 1;
    if (typeof source === "string") return redactText(source, maxTextLength);
    if (isJsonPrimitive(source)) return source;
    if (typeof source !== "object") return `[${typeof source}]`;
    if (depth === maxDepth || left <= 0) return CUT;
    if (Array.isArray(source)) return copyArray(source, depth + 1);
    return isPlainObject(source) ? copyObject(source, depth + 1) : "[object]";
  };
  const copyArray = (source: readonly unknown[], depth: number): Json => {
    const items: Json[] = [];
    for (const item of source) {
      if (left <= 0) return [...items, CUT];
      items.push(copy(item, depth));
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
      if (member !== undefined) members.push([key, isSecretKey(key) && member !== null ? REDACTED : copy(member, depth)]);
    }
    // Defines own properties, so a key `__proto__` stays a key.
    return Object.fromEntries(members);
  };
  return copy(value, 0);
}
