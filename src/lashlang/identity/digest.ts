import { sha256Hex } from "./sha256.ts";

/** SHA-256 over NUL-terminated parts, so that no two lists of parts read the same. */
export function sha256OfParts(parts: readonly string[]): string {
  return sha256Hex(parts.map((part) => `${part}\0`).join(""));
}
