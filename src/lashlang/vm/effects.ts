// What a program asks of its host (section 9) and what the host may answer. JSON only, so that a request survives in a
// snapshot and a journal. At most one request is open at a time; a batch carries its operations.
import type { CallSite, ProcessRef } from "../linker/linked-program.ts";
import type { Json } from "../values/json-value.ts";
import type { ProjectionRef, ProjectionSource } from "../values/projected.ts";

/** Identity of one evaluation of one place in the program. */
export interface EffectSite {
  readonly site: CallSite;
  /** Evaluations of this place in this execution, this one included; part of the VM's state. */
  readonly occurrence: number;
}

/** `receiver.operation(payload)`. */
export interface ResourceOperation extends EffectSite {
  readonly receiver: { readonly resourceType: string; readonly alias: string };
  readonly operation: string;
  /** The one record argument, else `{ args: [...] }`; projected parts are materialized. */
  readonly payload: { readonly [key: string]: Json };
  /** Which parts of the payload came from projected values, for tools that keep references. */
  readonly projections: readonly ProjectionUse[];
}

export interface ProjectionUse {
  /** Keys from the payload down to the part. */
  readonly path: readonly (string | number)[];
  readonly name: string;
  readonly ref?: ProjectionRef;
}

/**
 * One request to the host. `ordinal` counts requests of the same kind in this execution, from 0 (signal waits: of the
 * same signal name, from 1); it stands in replay keys.
 */
export type AbilityOp =
  | ({ readonly kind: "ResourceOperation" } & ResourceOperation)
  | { readonly kind: "ResourceOperationBatch"; readonly operations: readonly ResourceOperation[] }
  | ({
      readonly kind: "StartProcess";
      readonly moduleRef: string;
      readonly processRef: ProcessRef;
      readonly hostRequirementsRef: string;
      readonly processName: string;
      readonly args: { readonly [name: string]: Json };
    } & EffectSite)
  /** `leaf` numbers the handles of one awaited tree. */
  | ({ readonly kind: "Await"; readonly handle: Json; readonly leaf: number; readonly ordinal: number } & EffectSite)
  | ({ readonly kind: "Cancel"; readonly handle: Json; readonly ordinal: number } & EffectSite)
  /** `text`: strings raw, all else compact JSON in insertion order. */
  | ({ readonly kind: "Print"; readonly value: Json; readonly text: string; readonly ordinal: number } & EffectSite)
  | ({ readonly kind: "Finish" | "Fail"; readonly value: Json } & EffectSite)
  | ({
      readonly kind: "ProcessEvent";
      readonly event: "Yield" | "Wake";
      readonly value: Json;
      /** The value as `to_string` shows it. */
      readonly text: string;
      readonly ordinal: number;
    } & EffectSite)
  /** `milliseconds`: how long, or, for `Until`, when in epoch time; what is past is due at once. */
  | ({
      readonly kind: "Sleep";
      readonly mode: "For" | "Until";
      readonly milliseconds: number;
      readonly ordinal: number;
    } & EffectSite)
  | ({ readonly kind: "WaitSignal"; readonly name: string; readonly ordinal: number } & EffectSite)
  | ({
      readonly kind: "SignalRun";
      readonly run: Json;
      readonly name: string;
      readonly payload: Json;
      readonly ordinal: number;
    } & EffectSite);

/** An open request. `effectId` counts the requests of this execution from 1. */
export interface EffectRequest {
  readonly effectId: number;
  readonly op: AbilityOp;
}

/** How one operation ended: a value, a view of something the host keeps, or a failure the program sees as data. */
export type OperationOutcome =
  | { readonly value: Json }
  | { readonly projected: { readonly name: string; readonly source: ProjectionSource } }
  | { readonly error: string };

/** How a request ended. `unit` for requests without a result; `batch` in the order of its operations. */
export type EffectOutcome = OperationOutcome | { readonly unit: true } | { readonly batch: readonly OperationOutcome[] };
