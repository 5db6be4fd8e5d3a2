// One text per JSON value, however its keys are ordered: what content identities are hashes of (`LL-81`).
// Every part carries its own length, so that no value can be read as another.

export type CanonicalValue =
  | null
  | boolean
  | number
  | string
  | undefined
  | readonly CanonicalValue[]
  | { readonly [key: string]: CanonicalValue };

/** Entries whose value is undefined count as absent. */
export function canonicalText(value: CanonicalValue): string {
  const parts: string[] = [];
  write(value, parts);
  return parts.join("");
}

function write(value: CanonicalValue, parts: string[]): void {
  if (value === null || value === undefined) {
    parts.push("n");
  } else if (typeof value === "boolean") {
    parts.push(value ? "t" : "f");
  } else if (typeof value === "number") {
    const text = String(value);
    parts.push(`d${text.length}:${text}`);
  } else if (typeof value === "string") {
    writeText(value, parts);
  } else if (isList(value)) {
    parts.push(`a${value.length}:`);
    for (const item of value) write(item, parts);
  } else {
    const keys = Object.keys(value).filter((key) => value[key] !== undefined).sort();
    parts.push(`o${keys.length}:`);
    for (const key of keys) {
      writeText(key, parts);
      write(value[key], parts);
    }
  }
}

const LONE_SURROGATE = /\p{Surrogate}/u;

/** Text with half a character in it would lose that half on its way to bytes, and so read like another. */
function writeText(text: string, parts: string[]): void {
  if (!LONE_SURROGATE.test(text)) parts.push(`s${text.length}:${text}`);
  else parts.push(`u${text.length}:${JSON.stringify(text)}`);
}

function isList(value: object): value is readonly CanonicalValue[] {
  return Array.isArray(value);
}
