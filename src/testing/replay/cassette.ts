// What is recorded of a provider: its calls, in the order in which they began, as JSON.
//
//   CA1. A request is known by what it says: its scope (ids of session and turn) and its headers are no part of it, bytes are there as
//        their hash.
//   CA2. Secrets are taken out before anything is hashed or kept, so that a request has one hash whether or not they are still in it.
//   CA3. Bytes of answers stand beside the rest, so that nobody takes their text for a secret.

import { base64Of, bytesOfBase64 } from "../../domain/base64.ts";
import { canonicalJson, isPlainObject, type Json, type JsonObject } from "../../domain/json.ts";
import type { Redactor } from "../../domain/redactor.ts";
import { sha256Hex } from "../../domain/sha256.ts";
import type { LlmRequest, LlmResponse, LlmStreamEvent, Provider, ProviderFailure } from "../../providers/contract.ts";

/** Plain JSON, to be kept in a file. */
export interface Cassette {
  readonly version: 1;
  /** What the provider says of itself. */
  readonly provider: JsonObject & { readonly id: string };
  readonly calls: readonly CassetteCall[];
}

export interface CassetteCall {
  readonly hash: string;
  readonly request: JsonObject;
  /** What was streamed, in order. */
  readonly events: readonly JsonObject[];
  readonly response?: JsonObject;
  /** Instead of a response. */
  readonly failure?: ProviderFailure;
  /** Bytes of files that the model made, base64. */
  readonly files?: readonly string[];
}

/** `progress` is told beside the stream: content that came without an event of its own. */
export type RecordedEvent = LlmStreamEvent | { readonly type: "progress"; readonly chars: number };

/** A provider's own description, as far as it is data. */
export const PROVIDER_FACTS = ["id", "modelId", "variants", "options", "streams", "wire"] as const satisfies readonly (keyof Provider)[];

/** A request as it is compared (CA1, CA2). */
export function comparableOf(request: LlmRequest, redactor: Redactor): JsonObject {
  const { scope: _scope, headers: _headers, attachments, ...said } = request;
  const bytes = attachments.map(({ mime, data }) => ({ mime, bytes: data.length, sha256: sha256Hex(data) }));
  return { ...(redactor.json(said as unknown as Json) as JsonObject), attachments: bytes };
}

export const hashOf = (comparable: JsonObject): string => sha256Hex(canonicalJson(comparable));

const FILE = "$file";

/** Event or response as JSON; its bytes go to `files` (CA3). */
export function packed(value: LlmResponse | RecordedEvent, redactor: Redactor, files: string[]): JsonObject {
  const pack = (part: unknown): unknown => {
    if (part instanceof Uint8Array) return { [FILE]: files.push(base64Of(part)) - 1 };
    if (Array.isArray(part)) return part.map(pack);
    return isPlainObject(part) ? Object.fromEntries(Object.entries(part).map(([key, member]) => [key, pack(member)])) : part;
  };
  return redactor.json(pack(value) as Json) as JsonObject;
}

export function unpacked<T>(value: Json, files: readonly string[]): T {
  const unpack = (part: Json): unknown => {
    if (Array.isArray(part)) return part.map(unpack);
    if (!isPlainObject(part)) return part;
    const file: unknown = part[FILE];
    if (typeof file === "number") return bytesOfBase64(files[file] ?? "");
    return Object.fromEntries(Object.entries(part).map(([key, member]) => [key, unpack(member as Json)]));
  };
  return unpack(value) as T;
}
