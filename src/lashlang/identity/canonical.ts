/**
 * One text per JSON value, however its keys are ordered: what content identities are hashes of. Spans say where in
 * a source something stood, so they are left out; a key `span` that holds anything else is data.
 */
export function canonicalText(value: unknown): string {
  return JSON.stringify(value, (key, part: unknown) => {
    if (typeof part !== "object" || part === null || Array.isArray(part)) return part;
    if (key === "span" && "start" in part) return undefined;
    return Object.fromEntries(Object.entries(part).sort(([left], [right]) => (left < right ? -1 : 1)));
  });
}
