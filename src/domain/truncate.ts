const HALF = 2000;

/** Shortens provider text on issues to its first and last 2,000 characters. */
export function truncateRaw(raw: string): string {
  if (raw.length <= 2 * HALF) return raw;
  return `${raw.slice(0, HALF)}\n... ${raw.length - 2 * HALF} characters omitted ...\n${raw.slice(-HALF)}`;
}

/** A text of about `most` characters: what is left out of its middle is told, and no character is cut in two. */
export function cutMiddle(text: string, most: number): string {
  if (text.length <= most) return text;
  const half = Math.floor(most / 2);
  const head = text.slice(0, isPairAt(text, half) ? half - 1 : half);
  const tail = text.slice(isPairAt(text, text.length - half) ? text.length - half + 1 : text.length - half);
  return `${head}\n[... ${text.length - head.length - tail.length} characters are left out here ...]\n${tail}`;
}

/** Whether a cut before this unit would part a surrogate pair. */
const isPairAt = (text: string, index: number): boolean => index > 0 && /^[\uDC00-\uDFFF]/.test(text.charAt(index)) && /^[\uD800-\uDBFF]/.test(text.charAt(index - 1));
