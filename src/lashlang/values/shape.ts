// Shape: the ordered key set of a record, shared by records built the same way, so that a field is an array index.
//   S1. Keys are only ever appended: an index found once in a shape stays right.
//   S2. Shapes are a cache: which shape a record has is never visible to a program.
//   S3. Keys live in a Map, so `__proto__` and `constructor` are keys like any other.

/** Past this many keys a record is a dictionary with a shape of its own. */
const MAX_SHARED_KEYS = 24;
/** Past this many shared shapes the cache starts anew; live records keep the old ones. */
const MAX_SHAPES = 4096;

export class Shape {
  readonly names: string[];
  readonly index: Map<string, number>;
  /** Logical bytes of the keys. */
  keyWeight: number;
  /** Null for a dictionary, which one record owns and appends to in place. */
  private next: Map<string, Shape> | null;

  private constructor(names: string[], index: Map<string, number>, keyWeight: number, shared: boolean) {
    this.names = names;
    this.index = index;
    this.keyWeight = keyWeight;
    this.next = shared ? new Map() : null;
  }

  static empty(): Shape {
    if (shapeCount > MAX_SHAPES) {
      root = new Shape([], new Map(), 0, true);
      shapeCount = 0;
    }
    return root;
  }

  /** The root shape of the process-wide cache. */
  static newRoot(): Shape {
    return new Shape([], new Map(), 0, true);
  }

  /** The shape with `name` appended; the receiver itself if it is a dictionary. `name` must be new to it. */
  with(name: string): Shape {
    if (this.next === null) {
      this.append(name);
      return this;
    }
    const known = this.next.get(name);
    if (known !== undefined) return known;
    const shared = this.names.length < MAX_SHARED_KEYS && shapeCount <= MAX_SHAPES;
    const grown = new Shape([...this.names], new Map(this.index), this.keyWeight, shared);
    grown.append(name);
    if (shared) {
      this.next.set(name, grown);
      shapeCount += 1;
    }
    return grown;
  }

  /** A shape another record may use: dictionaries are copied. */
  fork(): Shape {
    return this.next === null ? new Shape([...this.names], new Map(this.index), this.keyWeight, false) : this;
  }

  private append(name: string): void {
    this.index.set(name, this.names.length);
    this.names.push(name);
    this.keyWeight += 16 + 2 * name.length;
  }
}

let shapeCount = 0;
let root = Shape.newRoot();
