// Configuration of a session's latest accepted turn (T-16, OP-7): stored once by content, like a component, and named by one
// row of the session, which is written only when it names something else. A session has at most one turn in flight, and that is
// the latest one accepted: its rows need not name the configuration again.

import * as z from "zod/mini";
import type { Json } from "../../domain/json.ts";
import { promptLayer } from "../../domain/prompt-input.ts";
import type { TurnConfig } from "../../domain/turn-config.ts";
import type { ConfigClaim } from "../contract.ts";
import { below, type ReadTransaction, type WriteTransaction } from "../engine.ts";
import { COMPONENTS } from "./components.ts";
import { getContent, type PreparedContent, prepareContent, putContent } from "./content.ts";
import { policyRow } from "./policy-row.ts";
import { configKey, contentKey, piecesPrefix } from "./layout.ts";
import { invalidRow, opaque, parseRow } from "./schema.ts";

const KIND = "turn configuration";

const configRow = z.strictObject({ ref: z.string() });

const configBody = z.strictObject({
  policy: policyRow,
  system: z.string(),
  plugins: z.exactOptional(z.array(z.strictObject({ id: z.string(), options: z.exactOptional(opaque) }))),
  layers: z.exactOptional(z.array(promptLayer)),
  limits: z.exactOptional(z.strictObject({ timeoutMs: z.exactOptional(z.number()), tokens: z.exactOptional(z.number()) })),
  ask: z.exactOptional(
    z.strictObject({
      output: z.exactOptional(z.strictObject({ name: z.string(), schema: z.record(z.string(), opaque) })),
      toolChoice: z.exactOptional(z.strictObject({ demand: z.union([z.enum(["auto", "none", "required"]), z.strictObject({ tool: z.string() })]), calls: z.enum(["first", "all"]) })),
      generation: z.exactOptional(z.record(z.string(), opaque)),
      reasoning: z.exactOptional(z.string()),
      providerOptions: z.exactOptional(z.record(z.string(), z.record(z.string(), opaque))),
    }),
  ),
  session: z.exactOptional(z.strictObject({ policy: z.exactOptional(policyRow), prompt: z.exactOptional(promptLayer) })),
  tools: z.array(z.strictObject({ id: z.exactOptional(z.string()), name: z.string(), description: z.string(), inputSchema: z.record(z.string(), opaque), source: z.exactOptional(z.string()) })),
});

/** A runtime accepts turn after turn with the same value: hashing it costs as much as hashing what the turns say. */
const prepared = new WeakMap<TurnConfig, PreparedContent>();

export function prepareConfig(config: TurnConfig): PreparedContent {
  let content = prepared.get(config);
  if (content === undefined) {
    content = prepareContent(config as unknown as Json);
    prepared.set(config, content);
  }
  return content;
}

/**
 * Stores the configuration of a turn that is being accepted, unless it is the one that the session names.
 *
 * @param fencing - of the lease that the turn is accepted under, and whether that was held before: each acquisition counts
 *   one up, so a claimant who knows the one before has seen the latest acceptance.
 */
export function setConfig(
  tx: WriteTransaction,
  sessionId: string,
  { storedAt }: ConfigClaim,
  content: PreparedContent,
  fencing: { readonly token: number; readonly reentered: boolean },
): void {
  if (storedAt !== undefined && storedAt === (fencing.reentered ? fencing.token : fencing.token - 1)) return;
  if (readConfigRef(tx, sessionId) === content.id) return;
  putContent(tx, COMPONENTS, content);
  tx.set(configKey(sessionId), { ref: content.id });
}

/** Content that the session names; undefined before its first turn. */
export function readConfigRef(tx: ReadTransaction, sessionId: string): string | undefined {
  const key = configKey(sessionId);
  const value = tx.get(key);
  return value === undefined ? undefined : parseRow(configRow, KIND, key, value).ref;
}

/** @throws LashError `stored_row_invalid` - the session names none, or what it names is missing or damaged. */
export function readConfig(tx: ReadTransaction, sessionId: string): TurnConfig {
  const key = configKey(sessionId);
  const ref = readConfigRef(tx, sessionId);
  if (ref !== undefined) tx.prefetch([contentKey(COMPONENTS, ref), below(piecesPrefix(COMPONENTS, ref))]);
  const body = ref === undefined ? undefined : getContent(tx, COMPONENTS, ref);
  if (body === undefined) throw invalidRow(KIND, key, "it is missing");
  return parseRow(configBody, KIND, key, body) as TurnConfig;
}
