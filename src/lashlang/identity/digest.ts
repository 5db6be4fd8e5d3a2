// SHA-256 over strings, as hex. The one place that knows the hash.
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";

export function sha256Hex(text: string): string {
  return bytesToHex(sha256(utf8ToBytes(text)));
}

/** Over NUL-terminated parts, so that no two lists of parts read the same (`LL-92`, `LL-95`). */
export function sha256OfParts(parts: readonly string[]): string {
  return sha256Hex(parts.map((part) => `${part}\0`).join(""));
}
