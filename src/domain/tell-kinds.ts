// What values that are no JSON are told as (tell-value.ts). May throw whatever the value throws.

/** The tag that the engine gives: it knows values of other realms, where `instanceof` does not. */
export const tagOf = (value: object): string => Object.prototype.toString.call(value).slice(8, -1);

/** How many bytes a buffer, a view on one or a blob holds; undefined for anything else. */
export function byteSize(value: object, tag: string): number | undefined {
  if (ArrayBuffer.isView(value)) return value.byteLength;
  if (tag === "ArrayBuffer" || tag === "SharedArrayBuffer") return Number((value as ArrayBufferLike).byteLength);
  return tag === "Blob" || tag === "File" ? Number((value as { readonly size?: unknown }).size) : undefined;
}

/** @returns undefined for what is no boxed primitive. */
export function unboxed(value: object, tag: string): unknown {
  switch (tag) {
    case "Number":
      return Number.prototype.valueOf.call(value);
    case "String":
      return String.prototype.valueOf.call(value);
    case "Boolean":
      return Boolean.prototype.valueOf.call(value);
    case "BigInt":
      return BigInt.prototype.valueOf.call(value);
    case "Symbol":
      return Symbol.prototype.valueOf.call(value);
    default:
      return undefined;
  }
}

/** Above it decimal digits would take longer to find than the size of the number says. */
const MOST_DECIMAL_HEX_DIGITS = 10_000;

/** Decimal; hexadecimal for a number of more than about 12,000 digits. */
export function digitsOf(value: bigint): string {
  const hex = value.toString(16);
  if (hex.length <= MOST_DECIMAL_HEX_DIGITS) return value.toString();
  return value < 0n ? `-0x${hex.slice(1)}` : `0x${hex}`;
}

export function describeFunction(value: object): string {
  const name: unknown = Object.getOwnPropertyDescriptor(value, "name")?.value;
  return typeof name === "string" && name !== "" ? `[function ${brief(name)}]` : "[function]";
}

/** An object that shows nothing of itself, by its class. */
export function describeObject(value: object, tag: string): string {
  if (tag === "RegExp") return RegExp.prototype.toString.call(value);
  const name: unknown = (Object.getPrototypeOf(value) as { readonly constructor?: { readonly name?: unknown } } | null)?.constructor?.name;
  return `[${typeof name === "string" && name !== "" && name !== "Object" ? brief(name) : "object"}]`;
}

/** Own fields, and those that tell what went wrong: they are not enumerable. */
export const errorKeys = (error: object): readonly string[] => ["name", "message", ...["cause", "errors"].filter((key) => Object.hasOwn(error, key))];

/** What was thrown, in a line. Reading it may throw again. */
export function thrownText(thrown: unknown): string {
  try {
    return brief(String(thrown instanceof Error ? thrown.message : thrown));
  } catch {
    return "it cannot be said why";
  }
}

const MOST_BRIEF = 100;
export const brief = (text: string): string => (text.length > MOST_BRIEF ? `${text.slice(0, MOST_BRIEF).toWellFormed()}...` : text);

/** `$.items[2].text`. Keys are cut, since they may be as long as the value. */
export const pathText = (path: readonly (string | number)[]): string =>
  `$${path.map((step) => (typeof step === "number" ? `[${step}]` : `.${step.slice(0, 40)}`)).join("")}`;
