/** Where something stands in its source: UTF-16 offsets, `end` exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A node before its span is known. */
export type Unspanned<Node> = Node extends unknown ? Omit<Node, "span"> : never;
