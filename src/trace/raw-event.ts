// Stream events as the provider sent them: foreign JSON in dialects of which only the secrets have to be known (TR-2, TR-8).

import type { Json } from "../domain/json.ts";
import { isPlainObject } from "../domain/json.ts";
import { redact } from "../domain/redact.ts";
import { sha256Hex } from "../domain/sha256.ts";
import { shownText } from "./content.ts";
import type { ProviderStreamEvent } from "./records.ts";

const BOUNDS = { maxDepth: 12, maxValues: 1_000, maxTextLength: 4_096, maxTotalLength: 16_384, text: shownText };
/** Members that hold bytes in the dialects we know. */
const BYTES = /b64|base64|^inline_?data$/i;

export function rawEvent(raw: unknown): Omit<ProviderStreamEvent, "type" | "provider" | "sequence" | "elapsed_ms"> {
  const text = JSON.stringify(raw) ?? "null";
  const { type, item_id, output_index } = isPlainObject(raw) ? raw : {};
  return {
    event_name: typeof type === "string" ? shownText(type, 200) : "event",
    ...(typeof item_id === "string" && { item_id: shownText(item_id, 200) }),
    ...(typeof output_index === "number" && { output_index }),
    raw_len: text.length,
    raw_sha256: sha256Hex(text),
    raw_json: redact(withoutBlobs(JSON.parse(text), 0), BOUNDS),
  };
}

/** `redacted_thinking` blocks carry encrypted content under the name `data`. */
function withoutBlobs(value: Json, depth: number): Json {
  if (typeof value !== "object" || value === null || depth > BOUNDS.maxDepth) return value;
  if (Array.isArray(value)) return value.map((item: Json) => withoutBlobs(item, depth + 1));
  const isEncrypted = "type" in value && String(value["type"]).startsWith("redacted");
  return Object.fromEntries(
    Object.entries(value).map(([key, member]: [string, Json]): [string, Json] => {
      if (BYTES.test(key)) return [key, "[bytes]"];
      return isEncrypted && key === "data" ? ["has_encrypted", true] : [key, withoutBlobs(member, depth + 1)];
    }),
  );
}
