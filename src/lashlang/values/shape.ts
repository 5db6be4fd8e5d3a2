// Shape: the ordered key set of a record, shared by records built the same way, so that a field is an array index.
//   S1. Keys are only ever appended: an index found once in a shape stays right.
//   S2. Shapes are a cache: which shape a record has is never visible to a program.
//   S3. Keys live in arrays and Maps, so `__proto__` and `constructor` are keys like any other.

/** Past this many keys a record is a dictionary with a shape of its own. */
const MAX_SHARED_KEYS = 24;
/** Up to this many keys are found by looking at each; a Map would be slower and several times as large. */
const MAX_LISTED_KEYS = 8;
/** Past this many shared shapes the cache starts anew; live records keep the old ones. */
const MAX_SHAPES = 4096;

export class Shape {
  readonly names: string[];
  /** Logical bytes of the keys: a function of the keys alone (W1). */
  keyWeight: number;
  /** False for a dictionary, which one record owns and appends to in place. */
  readonly #shared: boolean;
  #index: Map<string, number> | null = null;
  #next: Map<string, Shape> | null = null;

  private constructor(names: string[], keyWeight: number, shared: boolean) {
    this.names = names;
    this.keyWeight = keyWeight;
    this.#shared = shared;
  }

  static empty(): Shape {
    if (cache.shapes > MAX_SHAPES) {
      cache.root = Shape.newRoot();
      cache.shapes = 0;
    }
    return cache.root;
  }

  static newRoot(): Shape {
    return new Shape([], 0, true);
  }

  /** Where `name` stands among the keys. */
  at(name: string): number | undefined {
    const { names } = this;
    if (names.length <= MAX_LISTED_KEYS) {
      for (let i = 0; i < names.length; i += 1) if (names[i] === name) return i;
      return undefined;
    }
    this.#index ??= new Map(names.map((key, i) => [key, i]));
    return this.#index.get(name);
  }

  /** The shape with `name` appended; the receiver itself if it is a dictionary. `name` must be new to it. */
  with(name: string): Shape {
    if (!this.#shared) {
      this.#append(name);
      return this;
    }
    const known = this.#next?.get(name);
    if (known !== undefined) return known;
    const shared = this.names.length < MAX_SHARED_KEYS && cache.shapes <= MAX_SHAPES;
    const grown = new Shape([...this.names], this.keyWeight, shared);
    grown.#append(name);
    if (shared) {
      this.#next ??= new Map();
      this.#next.set(name, grown);
      cache.shapes += 1;
    }
    return grown;
  }

  /** A shape another record may use: dictionaries are copied. */
  fork(): Shape {
    return this.#shared ? this : new Shape([...this.names], this.keyWeight, false);
  }

  #append(name: string): void {
    this.#index?.set(name, this.names.length);
    // Keys of a dictionary are kept once more than those of a shared shape, in its Map.
    this.keyWeight += 2 * name.length + (this.names.length < MAX_SHARED_KEYS ? 16 : 80);
    this.names.push(name);
  }
}

const cache = { root: Shape.newRoot(), shapes: 0 };
