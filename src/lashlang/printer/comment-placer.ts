// Decides where the comments of a source go when it is printed again: before the statement they precede or stand in,
// behind the one whose last line they end.
import { childrenOf } from "../syntax/children.ts";
import type { Declaration, Expr } from "../syntax/ast.ts";
import type { Comment } from "../syntax/lexer.ts";
import type { Span } from "../syntax/span.ts";

export class CommentPlacer {
  readonly #source: string;
  readonly #comments: readonly Comment[];

  constructor(source: string, comments: readonly Comment[]) {
    this.#source = source;
    this.#comments = comments;
  }

  /** Nothing to place: canonical text is wanted, not a formatted source. */
  get isEmpty(): boolean {
    return this.#source === "";
  }

  /** Comments that begin in `[start, end)`. */
  between(start: number, end: number): readonly Comment[] {
    const first = this.#firstAt(start);
    const after = this.#firstAt(end);
    return this.#comments.slice(first, after);
  }

  /** Those after `end`, up to the item, and those inside it that no block of it will print. */
  before(item: Declaration | Expr, end: number): readonly Comment[] {
    const candidates = this.between(end, item.span.end);
    if (candidates.length === 0) return candidates;
    const blocks = blocksOf(item);
    return candidates.filter((comment) => !blocks.some((block) => comment.start >= block.start && comment.start < block.end));
  }

  /** The comment on the line where the item ends. */
  trailing(item: Declaration | Expr, nextStart: number): Comment | null {
    const [comment] = this.between(item.span.end, nextStart);
    if (comment === undefined || this.#source.slice(item.span.end, comment.start).includes("\n")) return null;
    return comment;
  }

  blankBetween(start: number, end: number): boolean {
    return /\n[ \t\r]*\n/.test(this.#source.slice(start, end));
  }

  #firstAt(offset: number): number {
    let [low, high] = [0, this.#comments.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#comments[middle]?.start ?? 0) < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The blocks that an item prints line by line. */
function blocksOf(item: Declaration | Expr): readonly Span[] {
  switch (item.kind) {
    case "Type":
      return [];
    case "Process":
      return [item.body.span];
    case "Labeled":
      return blocksOf(item.statement);
    case "If":
    case "For":
    case "While":
      return childrenOf(item).flatMap((child) => (child.kind === "Block" ? [child.span] : child.kind === "If" ? blocksOf(child) : []));
    default:
      return [];
  }
}
