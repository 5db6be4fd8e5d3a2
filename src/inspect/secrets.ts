// What must not be seen on a screen or in a recording: the domain's redaction, remembered by name.
import { isSecretKey, REDACTED, redactText } from "../domain/redact.ts";

export { REDACTED };

const known = new Map<string, boolean>();

/** @returns whether a field of this name holds a secret, whatever its value. */
export function isSecretName(name: string): boolean {
  if (name === "" || name.length > 100) return false;
  const before = known.get(name);
  if (before !== undefined) return before;
  const secret = isSecretKey(name);
  // Names come from programs and repeat; names that come from data must not fill the memory.
  if (known.size < 5000) known.set(name, secret);
  return secret;
}

/** @returns the text with everything that looks like a key, token or password in a URL replaced. */
export const scrubSecrets = (text: string): string => (text.length < 12 ? text : redactText(text, Number.POSITIVE_INFINITY));
