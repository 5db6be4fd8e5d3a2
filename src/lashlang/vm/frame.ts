// Frame: everything one execution holds while it runs. There are no user functions, so one frame is a whole program.
// Owns: slots (variables, then temporaries), meters, ordinals, the open effect. Vm owns: the loop around instructions.
//   F1. Every field that changes is either in the snapshot or computed from it (`heap`).
//   F2. `heap` is the sum of what the slots weigh; every write to a slot goes through here or keeps scalars scalars.
//   F3. Temporaries are read once: `take` empties them.
import type { CallSite } from "../linker/linked-program.ts";
import { appendOwned } from "../values/assign.ts";
import { boundExhausted, limitOf, type Bounds, type Meter } from "../values/bounds.ts";
import { typeError } from "../values/errors.ts";
import type { Json } from "../values/json-value.ts";
import { materialize } from "../values/materialize.ts";
import { Projected } from "../values/projected.ts";
import { type List, type Value, weigh } from "../values/value.ts";
import type { AbilityOp, EffectOutcome, EffectRequest } from "./effects.ts";
import { observation, type Observation, type ObservationDetails, type Observer } from "./observation.ts";

/** An empty slot is an unbound variable or an unused temporary. */
export type Slots = (Value | undefined)[];

/** Computes a value without suspending; may read slots, take temporaries, charge and throw. */
export type Eval = (s: Slots, f: Frame) => Value;

/** One step. Returns the index of the next one, or PARKED or DONE. */
export type Instruction = (s: Slots, f: Frame) => number;

export const PARKED = -1;
export const DONE = -2;

/** How the program itself ended, with its value as JSON; errors are the Vm's to add. */
export type Ending =
  | { readonly kind: "finished"; readonly value: Json }
  | { readonly kind: "failed"; readonly value: Json }
  | { readonly kind: "continued" };

/** Counters that name effects. */
export interface Ordinals {
  effects: number;
  sleeps: number;
  events: number;
  sends: number;
  awaits: number;
  cancels: number;
  prints: number;
  /** Waits per signal name. */
  readonly waits: Map<string, number>;
}

export class Frame implements Meter {
  readonly slots: Slots;
  /** Evaluations per call site. */
  readonly counts: number[];
  readonly ordinals: Ordinals = {
    effects: 0,
    sleeps: 0,
    events: 0,
    sends: 0,
    awaits: 0,
    cancels: 0,
    prints: 0,
    waits: new Map(),
  };
  readonly observer: Observer | null;
  readonly bounds: Bounds;
  /** Instructions left in the current slice; below zero when the last one charged more than was left. */
  fuel = 0;
  heap = 0;
  /** Logical bytes printed. */
  printed = 0;
  /** Where to go on once `effect` is settled. */
  resumeAt = 0;
  effect: EffectRequest | null = null;
  outcome: EffectOutcome | null = null;
  ending: Ending | null = null;
  readonly #heapLimit: number;
  readonly #depthLimit: number;
  readonly #outputLimit: number;
  readonly #sites: readonly CallSite[];

  constructor(slots: number, sites: readonly CallSite[], bounds: Bounds, observer: Observer | null) {
    this.#sites = sites;
    this.bounds = bounds;
    this.observer = observer;
    this.slots = Array.from({ length: slots }, (): Value | undefined => undefined);
    this.counts = sites.map(() => 0);
    this.#heapLimit = limitOf(bounds.heap);
    this.#depthLimit = bounds.depth;
    this.#outputLimit = limitOf(bounds.output);
    this.reweigh();
  }

  charge(units: number): void {
    this.fuel -= units;
  }

  admit(weight: number, depth: number): void {
    if (weight > this.#heapLimit) throw boundExhausted("heap", this.#heapLimit);
    if (depth > this.#depthLimit) throw boundExhausted("depth", this.#depthLimit);
  }

  /** Says that what slots hold weighs `delta` more. */
  grew(delta: number): void {
    this.heap += delta;
    if (this.heap > this.#heapLimit) throw boundExhausted("heap", this.#heapLimit);
  }

  /** Computes `heap` anew from the slots. */
  reweigh(): void {
    let heap = 0;
    for (const value of this.slots) heap += weigh(value);
    this.heap = heap;
  }

  /** Writes a slot, emptying it with undefined. */
  store(slot: number, value: Value | undefined): void {
    const old = this.slots[slot];
    this.slots[slot] = value;
    this.grew(weigh(value) - weigh(old));
  }

  /** Reads a temporary and empties it. */
  take(slot: number): Value {
    const value = this.slots[slot] as Value;
    this.slots[slot] = undefined;
    this.heap -= weigh(value) - weigh(undefined);
    return value;
  }

  /** Adds an item at the end of a list in a slot that nobody else refers to. */
  append(list: List, item: Value): void {
    const before = list.weight;
    appendOwned(list, item, this);
    this.grew(list.weight - before);
  }

  /** Assigns a variable: projected bindings are refused, projected values stored whole. */
  assign(slot: number, value: Value, name: string): void {
    this.refuseReadOnly(slot, name);
    this.store(slot, materialize(value, this));
  }

  refuseReadOnly(slot: number, name: string): void {
    if (this.slots[slot] instanceof Projected) throw typeError(`\`${name}\` is a read-only projected binding`);
  }

  /** Counts an evaluation of a call site. */
  occurrence(site: number): number {
    const count = (this.counts[site] ?? 0) + 1;
    this.counts[site] = count;
    return count;
  }

  siteAt(site: number): CallSite {
    return this.#sites[site] as CallSite;
  }

  /** Tells an observer of the last evaluation of a call site. */
  observe(type: Observation["type"], site: number, details?: ObservationDetails): void {
    this.observer?.(observation(type, this.siteAt(site), this.counts[site] ?? 0, details));
  }

  /** Counts a request among those of its kind, from 0. */
  ordinal(kind: Exclude<keyof Ordinals, "waits">): number {
    this.ordinals[kind] += 1;
    return this.ordinals[kind] - 1;
  }

  /** Opens a request; the VM parks and goes on at `resumeAt` when it is settled. */
  park(op: AbilityOp, resumeAt: number): typeof PARKED {
    this.effect = { effectId: this.ordinal("effects") + 1, op };
    this.resumeAt = resumeAt;
    return PARKED;
  }

  /** The outcome that the last request was settled with; the VM runs no further without one. */
  settled(): EffectOutcome {
    const outcome = this.outcome as EffectOutcome;
    this.outcome = null;
    return outcome;
  }

  /** Accounts for a text that is printed. */
  print(text: string): void {
    this.printed += 2 * text.length + 16;
    if (this.printed > this.#outputLimit) throw boundExhausted("output", this.#outputLimit);
  }

  end(ending: Ending): typeof DONE {
    this.ending = ending;
    return DONE;
  }
}

