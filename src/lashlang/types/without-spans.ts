/** A copy of types, or of a linked program. No name of a program is ever a key in there, so `span` can only be a span. */
export function withoutSpans<T>(json: T): T {
  return JSON.parse(JSON.stringify(json, (key, value: unknown) => (key === "span" ? undefined : value)));
}
