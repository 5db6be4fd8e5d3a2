// The variables of one entry while it is lowered: slots, what is bound so far in source order, and what types they hold.
// One flat scope (`LL-41`); only loop and comprehension bindings come and go.
import type { TypeExpr } from "../syntax/type-expr.ts";
import { ANY, unionOf } from "../types/type-algebra.ts";

interface Binding {
  readonly slot: number;
  /** Bound so far: shadows modules and processes of its name. */
  bound: boolean;
  type: TypeExpr;
}

/** What a binding was before a change. */
interface Change {
  readonly name: string;
  readonly bound: boolean;
  readonly type: TypeExpr;
}

export class EntryScope {
  readonly inProcess: boolean;
  readonly #bindings = new Map<string, Binding>();
  readonly #named = new Set<number>();
  /** For each loop around the current place, the names it binds somewhere. */
  readonly #boundLater: ReadonlySet<string>[] = [];
  #changes: Change[] = [];
  #siteCount = 0;

  constructor(inProcess: boolean) {
    this.inProcess = inProcess;
  }

  /** Slot to name. */
  get variables(): readonly string[] {
    return Array.from(this.#bindings.keys());
  }

  /** Slots whose names are more than a choice of the author: params and session variables. */
  get namedSlots(): readonly number[] {
    return Array.from(this.#named).sort((left, right) => left - right);
  }

  get sites(): number {
    return this.#siteCount;
  }

  nextSite(): number {
    this.#siteCount += 1;
    return this.#siteCount - 1;
  }

  isBound(name: string): boolean {
    return this.#bindings.get(name)?.bound ?? false;
  }

  isBoundLater(name: string): boolean {
    return this.#boundLater.some((names) => names.has(name));
  }

  /** `any` for what is not bound so far. */
  typeOf(name: string): TypeExpr {
    const binding = this.#bindings.get(name);
    return binding?.bound === true ? binding.type : ANY;
  }

  /** The slot of a name that is read; read before it is bound, it is a session variable or a mistake. */
  read(name: string): number {
    const binding = this.#slotOf(name);
    if (!binding.bound) this.#named.add(binding.slot);
    return binding.slot;
  }

  assign(name: string, type: TypeExpr): number {
    const binding = this.#slotOf(name);
    this.#changes.push({ name, bound: binding.bound, type: binding.type });
    binding.bound = true;
    binding.type = type;
    return binding.slot;
  }

  /** Binds something the entry is given rather than something it computes. */
  declare(name: string, type: TypeExpr): void {
    this.#named.add(this.assign(name, type));
  }

  /** Binds `name` for `body` only; afterwards it is what it was. */
  bindDuring<T>(name: string, type: TypeExpr, body: (slot: number) => T): T {
    const binding = this.#slotOf(name);
    const { bound, type: typeBefore } = binding;
    const result = body(this.assign(name, type));
    binding.bound = bound;
    binding.type = typeBefore;
    return result;
  }

  /** Names that `body` will bind may be read in it before that, in a later round of the loop. */
  inLoop<T>(names: ReadonlySet<string>, body: () => T): T {
    this.#boundLater.push(names);
    const result = body();
    this.#boundLater.pop();
    return result;
  }

  /** Lowers ways of which only one is taken: a variable they set ends with the union of what they leave in it. */
  alternatives<T>(ways: readonly (() => T)[]): T[] {
    const outer = this.#changes;
    const ends: ReadonlyMap<string, TypeExpr>[] = [];
    const before = new Map<string, Change>();
    const results: T[] = [];
    for (const way of ways) {
      this.#changes = [];
      results.push(way());
      const end = new Map<string, TypeExpr>();
      const first = new Map<string, Change>();
      for (const change of this.#changes) {
        if (this.isBound(change.name)) end.set(change.name, this.typeOf(change.name));
        if (!first.has(change.name)) first.set(change.name, change);
      }
      for (const [name, change] of first) {
        this.#slotOf(name).type = change.type;
        if (!before.has(name)) before.set(name, change);
      }
      ends.push(end);
    }
    this.#changes = outer;
    for (const [name, { bound, type }] of before) {
      if (!this.isBound(name)) continue; // a loop variable of one of the ways
      this.assign(name, unionOf(ends.flatMap((end) => end.get(name) ?? (bound ? [type] : []))));
    }
    return results;
  }

  #slotOf(name: string): Binding {
    const known = this.#bindings.get(name);
    if (known !== undefined) return known;
    const binding = { slot: this.#bindings.size, bound: false, type: ANY };
    this.#bindings.set(name, binding);
    return binding;
  }
}
