// SHA-256, synchronous, because a hash is needed inside transactions, where IndexedDB allows no other await; WebCrypto would
// also cost more than it saves on the 1 KB that is usual here.

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

type Digest = (data: string | Uint8Array) => string;

const encoder = new TextEncoder();

/** In plain JavaScript, for pages. */
export const portableSha256Hex: Digest = (data) => bytesToHex(sha256(typeof data === "string" ? encoder.encode(data) : data));

/** Node's. Asked for at run time and not imported: bundles for pages must not know of it. */
const native = (globalThis as { process?: Partial<NodeJS.Process> }).process?.getBuiltinModule?.("node:crypto")?.hash;

/**
 * SHA-256 as 64 lower-case hex digits.
 *
 * @param data - bytes as they are; text as UTF-8, where a lone surrogate reads as U+FFFD (canonical JSON has none).
 */
export const sha256Hex: Digest = native ? (data) => native("sha256", data, "hex") : portableSha256Hex;
