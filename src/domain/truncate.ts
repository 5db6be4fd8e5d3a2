const HALF = 2000;

/** Shortens provider text on issues to its first and last 2,000 characters (T-25). */
export function truncateRaw(raw: string): string {
  if (raw.length <= 2 * HALF) return raw;
  return `${raw.slice(0, HALF)}\n... ${raw.length - 2 * HALF} characters omitted ...\n${raw.slice(-HALF)}`;
}
