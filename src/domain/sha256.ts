import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

const encoder = new TextEncoder();

/**
 * SHA-256 as 64 lower-case hex digits. Synchronous, because a hash is needed inside transactions, where IndexedDB
 * allows no other await; WebCrypto would also cost more than it saves on the 1 KB that is usual here.
 *
 * @param data - bytes as they are; text as UTF-8, where a lone surrogate reads as U+FFFD (canonical JSON has none).
 */
export const sha256Hex = (data: string | Uint8Array): string =>
  bytesToHex(sha256(typeof data === "string" ? encoder.encode(data) : data));
