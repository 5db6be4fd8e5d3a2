// What must not be seen on a screen or in a recording: values by their name, and secrets by their look.

export const REDACTED = "[redacted]";

/**
 * Whole names, compared without case, `_` and `-`. Whole, not contained: `inputTokens`, `tokenUsage` and `maxOutputTokens`
 * are what people open the inspector for.
 */
const NAMES: ReadonlySet<string> = new Set([
  "apikey", "xapikey", "authorization", "proxyauthorization", "auth", "accesstoken", "refreshtoken", "idtoken", "sessiontoken", "bearer",
  "bearertoken", "token", "secret", "clientsecret", "secretkey", "secretaccesskey", "hmacsecret", "hmackey", "privatekey", "signingkey",
  "password", "passwd", "passphrase", "pwd", "cookie", "setcookie", "credential", "credentials", "signature", "waitkey", "awaiteventkey",
  "encryptedcontent", "connectionstring", "databaseurl",
]);

const known = new Map<string, boolean>();

/** @returns whether a field of this name holds a secret, whatever its value. */
export function isSecretName(name: string): boolean {
  if (name === "" || name.length > 40) return false;
  const before = known.get(name);
  if (before !== undefined) return before;
  const secret = NAMES.has(name.toLowerCase().replace(/[_-]/g, ""));
  // Names come from programs and repeat; names that come from data must not fill the memory.
  if (known.size < 5000) known.set(name, secret);
  return secret;
}

/** Every alternative starts with a literal and has bounded, non-nested repeats: it cannot run away on hostile text. */
const LOOKS =
  /\b(?:sk|pk|rk)-[\w-]{16,200}|\b(?:gh[oprsu]|github_pat|glpat|xox[abprs])[_-][\w-]{16,200}|\bAKIA[A-Z0-9]{16}|\bAIza[\w-]{30,60}|\beyJ[\w-]{10,2000}\.[\w-]{10,4000}(?:\.[\w-]{0,2000})?|\b[Bb]earer [\w.~+/-]{8,4000}=*|-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----|(?<=:\/\/[^\s/:@]{1,100}:)[^\s/@]{1,200}(?=@)/g;

/** @returns the text with everything that looks like a key, token or password in a URL replaced. */
export function scrubSecrets(text: string): string {
  return text.length < 12 ? text : text.replace(LOOKS, REDACTED);
}
