// Durable waits: a one-shot promise resolved by key, from anywhere, before or after a crash (effects.md section 5).

import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import { canonicalJson, isPlainObject, type Json } from "./json.ts";
import { sha256Hex } from "./sha256.ts";

export type WaitScope = { readonly type: "turn"; readonly session_id: string; readonly turn_id: string };
export type WaitIdentity = { readonly type: "tool_completion"; readonly tool_call_id: string } | { readonly type: "tool_approval"; readonly tool_call_id: string } | { readonly type: "custom"; readonly key: string };

/** Names one wait; `key_id` follows from the other two. */
export interface WaitName {
  readonly scope: WaitScope;
  readonly wait: WaitIdentity;
  readonly key_id: string;
}

export type Resolution =
  | { readonly status: "ok"; readonly payload: Json }
  | { readonly status: "err"; readonly payload: { readonly code: string; readonly message: string; readonly raw?: Json } }
  | { readonly status: "timeout" }
  | { readonly status: "cancelled" };

/** What a resolver is told; a late one learns what was recorded before. */
export type ResolveOutcome =
  | { readonly status: "accepted" }
  | { readonly status: "already_resolved"; readonly terminal: Resolution }
  | { readonly status: "unknown_or_revoked" };

export function waitName(scope: WaitScope, wait: WaitIdentity): WaitName {
  return { scope, wait, key_id: sha256Hex(canonicalJson({ scope, wait })) };
}

const PREFIX = "lashwk1";

/** The bearer form of a wait: whoever has it may resolve it, so it is never logged. */
export function signWait(name: WaitName, secretHex: string): string {
  return `${PREFIX}.${toBase64Url(canonicalJson(name))}.${signatureOf(name, secretHex)}`;
}

/** @returns the wait a key names, or undefined when it is malformed, foreign or tampered with. */
export function readWaitKey(key: string, secretHex: string): WaitName | undefined {
  if (typeof key !== "string" || key.length > 8192) return undefined;
  const [prefix, body, signature, ...rest] = key.split(".");
  if (prefix !== PREFIX || body === undefined || signature === undefined || rest.length > 0) return undefined;
  const name = parseName(body);
  if (!name || !sameText(signature, signatureOf(name, secretHex))) return undefined;
  return name;
}

function signatureOf({ scope, wait, key_id }: WaitName, secretHex: string): string {
  return bytesToHex(hmac(sha256, hexToBytes(secretHex), new TextEncoder().encode(canonicalJson({ scope, wait, key_id }))));
}

function parseName(body: string): WaitName | undefined {
  try {
    const value: unknown = JSON.parse(fromBase64Url(body));
    if (!isPlainObject(value) || !isPlainObject(value["scope"]) || !isPlainObject(value["wait"])) return undefined;
    const name = value as unknown as WaitName;
    return waitName(name.scope, name.wait).key_id === name.key_id ? name : undefined;
  } catch {
    return undefined;
  }
}

/** Takes as long for a near miss as for a far one. */
function sameText(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let index = 0; index < a.length; index++) difference |= a.charCodeAt(index) ^ b.charCodeAt(index);
  return difference === 0;
}

function toBase64Url(text: string): string {
  const binary = Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("");
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function fromBase64Url(text: string): string {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(binary, (char) => char.charCodeAt(0)));
}
