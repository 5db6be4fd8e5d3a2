// Reading JSON that nobody has checked yet, and saying no to it.

export type Fields = Readonly<Record<string, unknown>>;

/** What a strict server found wrong with a request; it becomes a 400 in the provider's form. */
export class Refused extends Error {
  override readonly name = "Refused";
}

export function refuse(message: string): never {
  throw new Refused(message);
}

/** @throws Refused unless it holds. */
export function demand(holds: boolean, message: string): asserts holds {
  if (!holds) refuse(message);
}

export const isFields = (value: unknown): value is Fields => typeof value === "object" && value !== null && !Array.isArray(value);

export const fieldsOf = (value: unknown): Fields => (isFields(value) ? value : {});

export const listOf = (value: unknown): readonly Fields[] => (Array.isArray(value) ? value.map(fieldsOf) : []);

export const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

export const isBlank = (value: unknown): boolean => typeof value !== "string" || value.trim() === "";

/** Equal as JSON values: the order of keys does not count. */
export const sameJson = (a: unknown, b: unknown): boolean => canonical(a) === canonical(b);

/** JSON text with sorted keys and without fields that are undefined. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (!isFields(value)) return JSON.stringify(value) ?? "null";
  const entries = Object.entries(value).filter(([, one]) => one !== undefined);
  return `{${entries
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, one]) => `${JSON.stringify(key)}:${canonical(one)}`)
    .join(",")}}`;
}

/** Every text in a value, keys of objects included. */
export function* textsIn(value: unknown): Generator<string> {
  if (typeof value === "string") yield value;
  else if (Array.isArray(value)) for (const one of value) yield* textsIn(one);
  else if (isFields(value)) {
    for (const [key, one] of Object.entries(value)) {
      yield key;
      yield* textsIn(one);
    }
  }
}

/** All of these servers parse strictly: half of a surrogate pair is no text. */
export function demandUnicode(body: unknown): void {
  for (const text of textsIn(body)) demand(text.isWellFormed(), "the request body is not valid JSON: lone surrogate in a string");
}
