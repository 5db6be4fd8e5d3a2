// The read-only names a host binds for its programs (`LL-88` to `LL-90`).
import { Projected, type ProjectionRef, type ProjectionSource } from "../values/projected.ts";

/** A set of projected bindings, by name. */
export class Projections {
  readonly #bound = new Map<string, Projected>();

  /** @throws RangeError when the name is taken: a program could not tell the two apart. */
  bind(name: string, source: ProjectionSource): this {
    if (this.#bound.has(name)) throw new RangeError(`projected binding \`${name}\` is already bound`);
    this.#bound.set(name, new Projected(name, source));
    return this;
  }

  has(name: string): boolean {
    return this.#bound.has(name);
  }

  get names(): readonly string[] {
    return [...this.#bound.keys()];
  }

  get bindings(): ReadonlyMap<string, Projected> {
    return this.#bound;
  }

  /** The source behind a ref, among the bound ones. */
  find(ref: ProjectionRef): ProjectionSource | undefined {
    for (const { source } of this.#bound.values()) {
      if (source.ref !== undefined && source.ref.kind === ref.kind && source.ref.key === ref.key) return source;
    }
    return undefined;
  }
}
