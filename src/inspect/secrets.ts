// What must not be seen on a screen or in a recording: the domain's redaction, remembered by name, plus looks that
// turn up in contexts and tool results more than in our own values.
import { isSecretKey, REDACTED, redactText } from "../domain/redact.ts";

export { REDACTED };

const MORE_NAMES: ReadonlySet<string> = new Set(["auth", "bearer", "pwd", "hmackey", "signingkey", "connectionstring"]);

const known = new Map<string, boolean>();

/** @returns whether a field of this name holds a secret, whatever its value. */
export function isSecretName(name: string): boolean {
  if (name === "" || name.length > 100) return false;
  const before = known.get(name);
  if (before !== undefined) return before;
  const secret = isSecretKey(name) || MORE_NAMES.has(name.toLowerCase().replace(/[_-]/g, ""));
  // Names come from programs and repeat; names that come from data must not fill the memory.
  if (known.size < 5000) known.set(name, secret);
  return secret;
}

/** Every alternative starts with a literal and has bounded, non-nested repeats: it cannot run away on hostile text. */
const MORE_LOOKS =
  /\b(?:ghu|ghr|glpat|xoxr)[_-][\w-]{16,200}|\bAKIA[A-Z0-9]{16}|\bAIza[\w-]{30,60}|\beyJ[\w-]{10,2000}\.[\w-]{10,4000}(?:\.[\w-]{0,2000})?|-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----/g;

/** @returns the text with everything that looks like a key, token or password in a URL replaced. */
export function scrubSecrets(text: string): string {
  return text.length < 12 ? text : redactText(text.replace(MORE_LOOKS, REDACTED), Number.POSITIVE_INFINITY);
}
