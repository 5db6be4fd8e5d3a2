// Snapshots: a running program as JSON, between any two instructions (`LL-99`, `OP-24`).
// The cost is that of the live values; nothing is kept in JSON form while a program runs.
import { fixedMeter, type Bounds } from "../values/bounds.ts";
import type { Json } from "../values/json-value.ts";
import { Projected } from "../values/projected.ts";
import { decodeValue, encodeProjected, encodeValue, type Rehydrate } from "../values/snapshot-value.ts";
import { COMPILER_VERSION, type CompiledEntry } from "../compiler/compile.ts";
import type { EffectOutcome, EffectRequest, OperationOutcome } from "./effects.ts";
import type { Frame } from "./frame.ts";

/** Changes whenever the fields below change their meaning. */
export const VM_VERSION = 1;

export interface VmSnapshot {
  readonly version: number;
  readonly compiler: number;
  /** Whose code `at` counts in. */
  readonly moduleRef: string;
  readonly entry: string;
  /** Index of the next instruction; while `effect` is open, of the one that takes its outcome. */
  readonly at: number;
  /** Slots in use, with their values; projected bindings of the host are not among them. */
  readonly slots: readonly (readonly [number, Json])[];
  /** Evaluations per call site that was visited. */
  readonly counts: readonly (readonly [number, number])[];
  readonly ordinals: { readonly [name: string]: number };
  readonly waits: readonly (readonly [string, number])[];
  readonly instructions: number;
  readonly printed: number;
  readonly bounds: Bounds;
  readonly effect: EffectRequest | null;
  readonly outcome: Json;
}

export function takeSnapshot(compiled: CompiledEntry, f: Frame, at: number, instructions: number): VmSnapshot {
  const slots: [number, Json][] = [];
  const variables = compiled.entry.variables.length;
  f.slots.forEach((value, slot) => {
    if (value === undefined || (slot < variables && value instanceof Projected)) return;
    slots.push([slot, encodeValue(value)]);
  });
  const { waits, ...ordinals } = f.ordinals;
  return {
    version: VM_VERSION,
    compiler: COMPILER_VERSION,
    moduleRef: compiled.program.moduleRef,
    entry: compiled.entry.key,
    at,
    slots,
    counts: f.counts.flatMap((count, site) => (count === 0 ? [] : [[site, count] as const])),
    ordinals,
    waits: [...waits],
    instructions,
    printed: f.printed,
    bounds: f.bounds,
    effect: f.effect,
    outcome: f.outcome === null ? null : encodeOutcome(f.outcome),
  };
}

/** Fills a fresh frame. The snapshot must have been checked to belong to the compiled entry. */
export function fillFrame(f: Frame, snapshot: VmSnapshot, rehydrate: Rehydrate): void {
  for (const [slot, json] of snapshot.slots) f.slots[slot] = decodeValue(json, f, rehydrate);
  for (const [site, count] of snapshot.counts) f.counts[site] = count;
  for (const [name, count] of snapshot.waits) f.ordinals.waits.set(name, count);
  Object.assign(f.ordinals, snapshot.ordinals);
  f.printed = snapshot.printed;
  f.effect = snapshot.effect;
  f.resumeAt = snapshot.at;
  f.outcome = snapshot.outcome === null ? null : decodeOutcome(snapshot.outcome, rehydrate);
  f.reweigh();
}

/** Throws unless `snapshot` was taken from this very code. */
export function checkSnapshot(compiled: CompiledEntry, snapshot: VmSnapshot): void {
  const expected = { version: VM_VERSION, compiler: COMPILER_VERSION, moduleRef: compiled.program.moduleRef, entry: compiled.entry.key };
  for (const [field, value] of Object.entries(expected)) {
    const got = snapshot[field as keyof typeof expected];
    if (got !== value) throw new RangeError(`snapshot ${field} mismatch: expected ${value}, got ${got}`);
  }
}

function encodeOutcome(outcome: EffectOutcome): Json {
  if ("batch" in outcome) return { batch: outcome.batch.map(encodeOutcome) };
  if (!("projected" in outcome)) return { ...outcome };
  return { projected: encodeProjected(new Projected(outcome.projected.name, outcome.projected.source)) };
}

/** What `encodeOutcome` wrote: all but views of the host is as it was. */
function decodeOutcome(json: Json, rehydrate: Rehydrate): EffectOutcome {
  const { batch, projected } = json as { readonly batch?: readonly Json[]; readonly projected?: Json };
  if (batch !== undefined) return { batch: batch.map((part) => decodeOutcome(part, rehydrate) as OperationOutcome) };
  if (projected === undefined) return json as EffectOutcome;
  return { projected: decodeValue(projected, fixedMeter(), rehydrate) as Projected };
}
