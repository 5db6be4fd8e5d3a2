// Vm: runs one compiled entry until it finishes or parks.
// Owns: the loop around instructions, slices of work, endings. Frame owns: slots and meters. Host owns: effects, time, storage.
//   V1. `run` is synchronous and re-entrant nowhere; the only ways out are `ready` (slice used up), `parked` and `done`.
//   V2. Between calls the state is JSON: a snapshot may be taken then, and a VM restored from it goes on alike.
//   V3. How the work is cut into slices changes nothing a program can see, its bounds included (B1).
//   V4. Nothing a program does throws out of `run`; a throw from there is a defect of this module or of its host.
import type { CompiledEntry } from "../compiler/compile.ts";
import type { ErrorSpan, ProgramErrorKind } from "../values/errors.ts";
import { ProgramError } from "../values/errors.ts";
import { DEFAULT_BOUNDS, type Bounds, MAX_VALUE_DEPTH, boundExhausted, fixedMeter, limitOf } from "../values/bounds.ts";
import { projectionAt } from "../values/access.ts";
import { Projected } from "../values/projected.ts";
import type { Rehydrate } from "../values/snapshot-value.ts";
import { type Value, markShared } from "../values/value.ts";
import type { EffectOutcome, EffectRequest } from "./effects.ts";
import { type Ending, Frame, type Instruction, PARKED } from "./frame.ts";
import type { Observer } from "./observation.ts";
import { type VmSnapshot, checkSnapshot, fillFrame, takeSnapshot } from "./snapshot.ts";

export interface RuntimeError {
  readonly kind: ProgramErrorKind;
  readonly message: string;
  /** Of the enclosing top-level statement or the failing call; none when the program was compiled without. */
  readonly span?: ErrorSpan;
}

export type Outcome = Ending | { readonly kind: "error"; readonly error: RuntimeError };

export type VmState =
  | { readonly kind: "ready" }
  | { readonly kind: "parked"; readonly effect: EffectRequest }
  | { readonly kind: "done"; readonly outcome: Outcome };

export interface VmOptions {
  /** Each bound left out has its default. */
  readonly bounds?: Partial<Bounds>;
  /** Told what happens between effects. */
  readonly observer?: Observer;
  /** Instructions that earlier attempts of this run have spent: meters of processes outlive restarts. Default 0. */
  readonly spent?: number;
}

/** What a VM is started with. */
export interface VmStart extends VmOptions {
  /** Bound to the variables of these names. Values stay the caller's: the program copies what it changes. */
  readonly globals?: ReadonlyMap<string, Value>;
}

export interface VmRestore {
  readonly observer?: Observer;
  /** The projected bindings the program was started with, which snapshots leave out. */
  readonly bindings?: ReadonlyMap<string, Projected>;
  /**
   * Finds the projections nested in values again. What it does not know is looked for under the bindings by its path, and
   * says that it is unavailable when it is not there either.
   */
  readonly rehydrate?: Rehydrate;
}

/** Instructions per slice when the caller names no number. */
export const SLICE = 1024;

const READY: VmState = { kind: "ready" };

export class Vm {
  readonly compiled: CompiledEntry;
  readonly #frame: Frame;
  readonly #limit: number;
  #at = 0;
  #used = 0;
  #current: VmState = READY;

  private constructor(compiled: CompiledEntry, bounds: Bounds, observer: Observer | undefined) {
    this.compiled = compiled;
    this.#limit = limitOf(bounds.instructions);
    this.#frame = new Frame(compiled.slots, compiled.entry.sites, bounds, observer ?? null);
  }

  static start(compiled: CompiledEntry, options: VmStart = {}): Vm {
    const bounds = { ...DEFAULT_BOUNDS, ...options.bounds };
    if (bounds.depth > MAX_VALUE_DEPTH) throw new RangeError(`bounds.depth must be at most ${MAX_VALUE_DEPTH}`);
    const vm = new Vm(compiled, bounds, options.observer);
    vm.#used = options.spent ?? 0;
    const { globals } = options;
    if (globals !== undefined) {
      compiled.entry.variables.forEach((name, slot) => {
        const value = globals.get(name);
        if (value === undefined) return;
        markShared(value);
        vm.#frame.slots[slot] = value;
      });
      vm.#frame.reweigh();
    }
    return vm;
  }

  /** @throws RangeError when the snapshot belongs to other code or another version. */
  static restore(compiled: CompiledEntry, snapshot: VmSnapshot, options: VmRestore = {}): Vm {
    checkSnapshot(compiled, snapshot);
    const vm = new Vm(compiled, snapshot.bounds, options.observer);
    compiled.entry.variables.forEach((name, slot) => {
      vm.#frame.slots[slot] = options.bindings?.get(name);
    });
    const { bindings = new Map<string, Projected>(), rehydrate = () => undefined } = options;
    const meter = fixedMeter(snapshot.bounds);
    fillFrame(vm.#frame, snapshot, (name, ref) => rehydrate(name, ref) ?? projectionAt(bindings, name, meter));
    vm.#at = snapshot.at;
    vm.#used = snapshot.instructions;
    if (snapshot.effect !== null) vm.#current = { kind: "parked", effect: snapshot.effect };
    return vm;
  }

  get state(): VmState {
    return this.#current;
  }

  /** Instructions spent so far. */
  get instructions(): number {
    return this.#used;
  }

  /** Logical bytes the program holds now. */
  get heap(): number {
    return this.#frame.heap;
  }

  /** Runs one instruction. */
  step(): VmState {
    return this.run(1);
  }

  /** Runs until the program parks, ends, or has spent about `instructions` more. Does nothing unless `ready`. */
  run(instructions = SLICE): VmState {
    if (this.#current.kind !== "ready") return this.#current;
    if (this.#used >= this.#limit) return this.#fail(boundExhausted("instructions", this.#limit));
    const slice = Math.min(instructions, this.#limit - this.#used);
    const f = this.#frame;
    f.fuel = slice;
    const { code } = this.compiled;
    const { slots } = f;
    let at = this.#at;
    let next = at;
    try {
      do {
        at = next;
        next = (code[at] as Instruction)(slots, f);
        f.fuel -= 1;
      } while (next >= 0 && f.fuel > 0);
    } catch (error) {
      this.#at = at;
      this.#used += slice - f.fuel + 1;
      return this.#fail(error);
    }
    this.#used += slice - f.fuel;
    if (next >= 0) {
      this.#at = next;
      return READY;
    }
    if (next === PARKED) return this.#park(f);
    this.#at = at;
    this.#reportOpenSteps("node.completed");
    return this.#end(at, f.ending ?? { kind: "continued" });
  }

  /**
   * Answers the open effect; the program goes on at the next `run`.
   * @throws RangeError when `effectId` is not the open effect: late and repeated answers are the caller's to drop.
   */
  settle(effectId: number, outcome: EffectOutcome): void {
    if (this.#current.kind !== "parked" || this.#current.effect.effectId !== effectId) {
      throw new RangeError(`effect ${effectId} is not open`);
    }
    this.#frame.outcome = outcome;
    this.#frame.effect = null;
    this.#current = READY;
  }

  /** @throws RangeError once the program is done: then there is an outcome to keep instead. */
  snapshot(): VmSnapshot {
    if (this.#current.kind === "done") throw new RangeError("a finished program has no snapshot");
    return takeSnapshot(this.compiled, this.#frame, this.#at, this.#used);
  }

  /** The named variables that are bound now; projected bindings are the host's and left out. */
  variables(): Map<string, Value> {
    return this.#bound((value) => !(value instanceof Projected));
  }

  /** The projected bindings it was started with, for `VmRestore.bindings`. */
  bindings(): Map<string, Projected> {
    return this.#bound((value) => value instanceof Projected);
  }

  #bound<Kept extends Value>(keep: (value: Value) => value is Kept): Map<string, Kept>;
  #bound(keep: (value: Value) => boolean): Map<string, Value>;
  #bound(keep: (value: Value) => boolean): Map<string, Value> {
    const bound = new Map<string, Value>();
    this.compiled.entry.variables.forEach((name, slot) => {
      const value = this.#frame.slots[slot];
      if (value !== undefined && keep(value)) bound.set(name, value);
    });
    return bound;
  }

  #park(f: Frame): VmState {
    this.#at = f.resumeAt;
    this.#current = { kind: "parked", effect: f.effect as EffectRequest };
    return this.#current;
  }

  #end(at: number, outcome: Outcome): VmState {
    this.#at = at;
    this.#restoreBindings(at);
    this.#current = { kind: "done", outcome };
    return this.#current;
  }

  /** Loop variables get back what they were, however the program ended. */
  #restoreBindings(at: number): void {
    const { slots } = this.#frame;
    for (const loop of this.compiled.loops) {
      if (at >= loop.from && at < loop.to) slots[loop.slot] = slots[loop.saved];
    }
  }

  #fail(thrown: unknown): VmState {
    const error = thrown instanceof ProgramError ? thrown : foreignError(thrown);
    const span = error.span ?? this.compiled.spans[this.#at];
    this.#reportOpenSteps("node.failed", { error: clipped(error.message) });
    const report = { kind: error.kind, message: clipped(error.message) };
    return this.#end(this.#at, { kind: "error", error: span === undefined ? report : { ...report, span } });
  }

  /** Labeled statements that the program ended inside, innermost first. */
  #reportOpenSteps(type: "node.completed" | "node.failed", details?: { readonly error: string }): void {
    for (const { from, to, site } of this.compiled.steps) {
      if (this.#at >= from && this.#at < to) this.#frame.observe(type, site, details);
    }
  }
}

/** Messages quote values, and values may be large. */
const MAX_MESSAGE = 4000;

function clipped(message: string): string {
  if (message.length <= MAX_MESSAGE) return message;
  return `${message.slice(0, MAX_MESSAGE).toWellFormed()} ... ${message.length - MAX_MESSAGE} more`;
}

/** A projection that threw, or an engine limit: the program ends with it, the host lives on. */
function foreignError(thrown: unknown): ProgramError {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new ProgramError("ValueError", message);
}
