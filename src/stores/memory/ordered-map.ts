// OrderedMap: a B+tree from strings to values that can be forked for nothing.
//
//   M1. `fork` shares every node. A map changes only nodes that carry its own edit token and copies others on the way down,
//       so its origin never sees what happens to a fork. The origin itself must not be changed any more: it has the token.
//   M2. A leaf's keys ascend. A branch's key i is at most the smallest key below child i, and above all keys below child
//       i - 1; key 0 is never compared.
//   M3. No node but the root is empty; neighbours that fit into one node are merged when one of them shrinks.

/** Most entries of a leaf, most children of a branch. Small enough that copying a path of nodes costs a microsecond. */
const WIDTH = 16;
const SPARSE = WIDTH / 4;

interface Leaf<V> {
  readonly edit: object;
  readonly keys: string[];
  readonly values: V[];
  readonly children: null;
}

interface Branch<V> {
  readonly edit: object;
  readonly keys: string[];
  readonly children: Node<V>[];
}

type Node<V> = Leaf<V> | Branch<V>;

/** Carries nobody's token, so nobody changes it. */
const EMPTY: Leaf<never> = { edit: {}, keys: [], values: [], children: null };

export class OrderedMap<V> {
  readonly #edit = {};
  #root: Node<V> = EMPTY;

  /** A map with the same entries that can be changed without this one noticing, which from now on must stay as it is (M1). */
  fork(): OrderedMap<V> {
    const fork = new OrderedMap<V>();
    fork.#root = this.#root;
    return fork;
  }

  get(key: string): V | undefined {
    let node = this.#root;
    while (node.children !== null) node = childAt(node, childIndex(node.keys, key));
    const at = lowerBound(node.keys, key);
    return node.keys[at] === key ? node.values[at] : undefined;
  }

  /** Values with `from <= key < to`, from that end which `reverse` names, at most `limit` of them. */
  between(from: string, to: string, limit: number, reverse: boolean): V[] {
    const found: V[] = [];
    collect(this.#root, { from, to, limit, reverse }, found);
    return found;
  }

  set(key: string, value: V): void {
    const root = this.#own(this.#root);
    const right = this.#insert(root, key, value);
    this.#root = right === null ? root : { edit: this.#edit, keys: [root.keys[0] ?? "", right.keys[0] ?? ""], children: [root, right] };
  }

  delete(key: string): void {
    if (this.get(key) === undefined) return;
    let root = this.#own(this.#root);
    this.#remove(root, key);
    while (root.children !== null && root.children.length === 1) root = childAt(root, 0);
    this.#root = root.keys.length === 0 ? EMPTY : root;
  }

  /** The node itself when this map made it, else a copy that it may change (M1). */
  #own(node: Node<V>): Node<V> {
    if (node.edit === this.#edit) return node;
    const { keys } = node;
    return node.children === null
      ? { edit: this.#edit, keys: keys.slice(), values: node.values.slice(), children: null }
      : { edit: this.#edit, keys: keys.slice(), children: node.children.slice() };
  }

  /** @returns the new right neighbour when `node`, which is owned, had to split. */
  #insert(node: Node<V>, key: string, value: V): Node<V> | null {
    if (node.children === null) {
      const at = lowerBound(node.keys, key);
      if (node.keys[at] === key) {
        node.values[at] = value;
        return null;
      }
      node.keys.splice(at, 0, key);
      node.values.splice(at, 0, value);
    } else {
      const at = childIndex(node.keys, key);
      const child = this.#ownChild(node, at);
      const right = this.#insert(child, key, value);
      if (right === null) return null;
      node.keys.splice(at + 1, 0, right.keys[0] ?? "");
      node.children.splice(at + 1, 0, right);
    }
    return node.keys.length > WIDTH ? this.#split(node) : null;
  }

  #split(node: Node<V>): Node<V> {
    // Keys often arrive in ascending order (turn after turn): cutting late leaves full nodes behind.
    const cut = Math.floor(WIDTH * 0.75);
    const keys = node.keys.splice(cut);
    return node.children === null
      ? { edit: this.#edit, keys, values: node.values.splice(cut), children: null }
      : { edit: this.#edit, keys, children: node.children.splice(cut) };
  }

  #remove(node: Node<V>, key: string): void {
    if (node.children === null) {
      const at = lowerBound(node.keys, key);
      node.keys.splice(at, 1);
      node.values.splice(at, 1);
      return;
    }
    const at = childIndex(node.keys, key);
    const child = this.#ownChild(node, at);
    this.#remove(child, key);
    if (child.keys.length === 0) {
      node.keys.splice(at, 1);
      node.children.splice(at, 1);
    }
    if (child.keys.length === 0 || child.keys.length >= SPARSE || node.children.length === 1) return;
    const left = Math.max(0, at - 1);
    const neighbour = childAt(node, left === at ? at + 1 : left);
    if (child.keys.length + neighbour.keys.length <= WIDTH) this.#merge(node, left);
  }

  #merge(parent: Branch<V>, left: number): void {
    const into = this.#ownChild(parent, left);
    const from = childAt(parent, left + 1);
    const [separator = ""] = parent.keys.splice(left + 1, 1);
    parent.children.splice(left + 1, 1);
    if (into.children === null && from.children === null) {
      into.keys.push(...from.keys);
      into.values.push(...from.values);
    } else if (into.children !== null && from.children !== null) {
      // A branch's own first key was never compared and may be anything (M2); its parent's is right.
      into.keys.push(separator, ...from.keys.slice(1));
      into.children.push(...from.children);
    }
  }

  #ownChild(parent: Branch<V>, at: number): Node<V> {
    const child = this.#own(childAt(parent, at));
    parent.children[at] = child;
    return child;
  }
}

interface Span {
  readonly from: string;
  readonly to: string;
  readonly limit: number;
  readonly reverse: boolean;
}

function collect<V>(node: Node<V>, span: Span, found: V[]): void {
  const { from, to, limit, reverse } = span;
  if (node.children === null) {
    const start = lowerBound(node.keys, from);
    const end = lowerBound(node.keys, to);
    const room = limit - found.length;
    const part = reverse
      ? node.values.slice(Math.max(start, end - room), end).reverse()
      : node.values.slice(start, Math.min(end, start + room));
    for (const value of part) found.push(value);
    return;
  }
  const first = childIndex(node.keys, from);
  const last = childIndex(node.keys, to);
  for (let i = 0; i <= last - first && found.length < limit; i++) {
    collect(childAt(node, reverse ? last - i : first + i), span, found);
  }
}

/** Index of the first key that is not smaller than `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] ?? "") < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Index of the child whose subtree holds `key`, if the map does. */
function childIndex(keys: readonly string[], key: string): number {
  let low = 1;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] ?? "") <= key) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function childAt<V>(branch: Branch<V>, at: number): Node<V> {
  const child = branch.children[at];
  if (child === undefined) throw new RangeError("an ordered map lost a node");
  return child;
}
