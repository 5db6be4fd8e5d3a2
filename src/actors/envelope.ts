// Effect envelopes: what identifies an operation (effects.md sections 1 and 3).
//
// An envelope holds no live values, times or random ids, and names history by reference, so that the same operation
// hashes equal in every process and however long the session is (E-4, E-5).

import { canonicalJson, type JsonObject } from "../domain/json.ts";
import { sha256Hex } from "../domain/sha256.ts";

export interface Envelope {
  readonly invocation: {
    readonly scope: { readonly session_id: string; readonly turn_id: string; readonly turn_index: number; readonly protocol_iteration: number };
    readonly subject: { readonly type: "effect"; readonly effect_id: string; readonly kind: string };
    /** Replay key of the effect this one is part of. */
    readonly caused_by?: string;
    readonly replay: { readonly key: string };
  };
  readonly command: JsonObject;
}

/** SHA-256 of the canonical JSON of the whole envelope. */
export const envelopeHash = (envelope: Envelope): string => sha256Hex(canonicalJson(envelope));

/** Digest of a growing list: names all of it in 64 characters, at the cost of its newest element. */
export const chainDigest = (previous: string, value: unknown): string => sha256Hex(`${previous}\n${canonicalJson(value)}`);


/** The effect of a turn that an operation belongs to. */
export interface EffectPlace {
  readonly sessionId: string;
  readonly turnId: string;
  readonly turnIndex: number;
  readonly iteration: number;
  readonly effectId: number;
}

/** Identifies one operation of a turn. */
export function effectEnvelope({ sessionId, turnId, turnIndex, iteration, effectId }: EffectPlace, replayKey: string, command: JsonObject, causedBy?: string): Envelope {
  return {
    invocation: {
      scope: { session_id: sessionId, turn_id: turnId, turn_index: turnIndex, protocol_iteration: iteration },
      subject: { type: "effect", effect_id: String(effectId), kind: String(command["kind"]) },
      ...(causedBy !== undefined && { caused_by: causedBy }),
      replay: { key: replayKey },
    },
    command,
  };
}
