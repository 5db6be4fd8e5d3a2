// Session: the variables that stay from one cell to the next (`LL-45`, `RLM-18`).
//   P1. A running cell works on its own copy: until it is kept, a cell that is given up leaves no trace.
//   P2. What persists are named variables. Projected bindings are the host's and never among them (`LL-90`).
import type { CompiledEntry } from "../compiler/compile.ts";
import { DEFAULT_BOUNDS, type Bounds, fixedMeter } from "../values/bounds.ts";
import { fromJson } from "../values/from-json.ts";
import type { Json } from "../values/json-value.ts";
import { decodeValue, encodeValue, type Rehydrate } from "../values/snapshot-value.ts";
import { toJson } from "../values/to-json.ts";
import type { Value } from "../values/value.ts";
import { Vm, type VmOptions, type VmRestore } from "../vm/vm.ts";
import type { VmSnapshot } from "../vm/snapshot.ts";
import type { Projections } from "./projections.ts";

export interface SessionSnapshot {
  readonly globals: { readonly [name: string]: Json };
}

export interface CellOptions extends VmOptions {
  /** Read-only names for this cell; they win over variables of the same name (`RLM-15`). */
  readonly projections?: Projections;
}

export class Session {
  #globals: Map<string, Value>;

  constructor(globals: Map<string, Value> = new Map()) {
    this.#globals = globals;
  }

  /** Reads back what `snapshot` gave; nested projections are looked up through `rehydrate`. */
  static restore(snapshot: SessionSnapshot, rehydrate: Rehydrate = () => undefined, bounds: Bounds = DEFAULT_BOUNDS): Session {
    const meter = fixedMeter(bounds);
    const entries = Object.entries(snapshot.globals).map(
      ([name, json]) => [name, decodeValue(json, meter, rehydrate)] as const,
    );
    return new Session(new Map(entries));
  }

  /** Names in the order they were first bound. */
  get names(): readonly string[] {
    return [...this.#globals.keys()];
  }

  /** A copy of a variable as JSON; undefined when it is unbound. */
  get(name: string): Json | undefined {
    const value = this.#globals.get(name);
    return value === undefined ? undefined : toJson(value);
  }

  /** Sets a variable unless it is bound already; true if it was not (`RLM-32`). */
  setDefault(name: string, json: Json): boolean {
    if (this.#globals.has(name)) return false;
    this.#globals.set(name, fromJson(json, fixedMeter()));
    return true;
  }

  /** Forgets variables that a projected binding hides. */
  drop(names: Iterable<string>): void {
    for (const name of names) this.#globals.delete(name);
  }

  /** A VM for one cell that sees the variables. Nothing of it stays until `keep`. */
  begin(cell: CompiledEntry, options: CellOptions = {}): Vm {
    const globals = new Map<string, Value>(this.#globals);
    for (const [name, value] of options.projections?.bindings ?? []) globals.set(name, value);
    return Vm.start(cell, { ...options, globals });
  }

  /** A VM that goes on where a snapshot of `begin`'s VM was taken. */
  resume(cell: CompiledEntry, snapshot: VmSnapshot, options: VmRestore & { projections?: Projections } = {}): Vm {
    const { projections, ...rest } = options;
    return Vm.restore(cell, snapshot, projections === undefined ? rest : { ...rest, bindings: projections.bindings });
  }

  /** Takes over what a cell assigned, whether it finished or failed. */
  keep(vm: Vm): void {
    for (const [name, value] of vm.variables()) this.#globals.set(name, value);
  }

  /** Each variable as a value of its own; bigger than `globals` when a program bound the same large value twice. */
  snapshot(): SessionSnapshot {
    return { globals: Object.fromEntries([...this.#globals].map(([name, value]) => [name, encodeValue(value)] as const)) };
  }
}
