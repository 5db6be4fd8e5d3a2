// The parser's place in the token list: looking, taking, complaining, and the nesting count.
// What it owns is shared by the files that parse types, expressions and statements; none of them sees the tokens otherwise.
import { SourceError } from "../diagnostics/source-error.ts";
import type { ParseErrorCode } from "../diagnostics/source-error.ts";
import { MAX_NESTING, NESTING_MESSAGE } from "./limits.ts";
import { createLookahead } from "./lookahead.ts";
import type { Lookahead } from "./lookahead.ts";
import type { Span, Unspanned } from "./span.ts";
import { describeToken } from "./token.ts";
import type { ContextualWord, Punctuation, ReservedWord, Token } from "./token.ts";

export interface CursorOptions {
  readonly submitKeyword: "accept" | "reject";
}

const KEY_KINDS: readonly Token["kind"][] = ["identifier", "string", "reserved"];

export class Cursor {
  readonly source: string;
  readonly options: CursorOptions;
  readonly lookahead: Lookahead;
  /** True where a comma separates items and so cannot build a tuple. */
  commaSeparates = false;
  /** True between a statement keyword and its block, where `{` opens that block. */
  inHeader = false;
  readonly #tokens: readonly Token[];
  readonly #last: Token;
  #index = 0;
  #depth = 0;

  constructor(source: string, tokens: readonly Token[], options: CursorOptions) {
    this.source = source;
    this.options = options;
    this.#tokens = tokens;
    this.#last = tokens.at(-1) as Token; // the lexer's `end`
    this.lookahead = createLookahead(tokens);
  }

  peek(offset = 0): Token {
    return this.#tokens[this.#index + offset] ?? this.#last;
  }

  next(): Token {
    const token = this.peek();
    this.#index += 1;
    return token;
  }

  /** Where the last taken token ended. */
  get end(): number {
    return this.#tokens[this.#index - 1]?.end ?? 0;
  }

  spanFrom(start: number): Span {
    return { start, end: Math.max(start, this.end) };
  }

  /** The node that `parse` makes, with the span of the tokens it takes; one that has a span already keeps it. */
  node<Node extends object>(parse: () => Node | Unspanned<Node>): Node {
    const { start } = this.peek();
    const node: { span?: Span } = parse();
    node.span ??= this.spanFrom(start);
    return node as Node;
  }

  /** At this mark or word: a reserved one, or one that means something here. A string that spells it is neither. */
  at(text: Punctuation | ReservedWord | ContextualWord, offset = 0): boolean {
    const token = this.peek(offset);
    return token.kind !== "string" && token.text === text;
  }

  atIdentifier(offset = 0): boolean {
    return this.peek(offset).kind === "identifier";
  }

  atEnd(): boolean {
    return this.peek().kind === "end";
  }

  take(text: Punctuation | ReservedWord | ContextualWord): boolean {
    const found = this.at(text);
    if (found) this.#index += 1;
    return found;
  }

  expect(text: Punctuation | ReservedWord | ContextualWord): Token {
    if (!this.at(text)) this.failExpected(`\`${text}\``);
    return this.next();
  }

  expectIdentifier(what: string): string {
    return this.#expectKind(what, ["identifier"]);
  }

  expectString(what: string): string {
    return this.#expectKind(what, ["string"]);
  }

  /** key := IDENT | STRING | reserved word */
  expectKey(what: string): string {
    return this.#expectKind(what, KEY_KINDS);
  }

  #expectKind(what: string, kinds: readonly Token["kind"][]): string {
    if (!kinds.includes(this.peek().kind)) this.failExpected(what);
    return this.next().text;
  }

  /** Index after the path of `.key` and `[...]` that follows the identifier at the cursor, without taking it. */
  offsetAfterPath(): number {
    let offset = 1;
    for (;;) {
      if (this.at(".", offset) && KEY_KINDS.includes(this.peek(offset + 1).kind)) offset += 2;
      else if (this.at("[", offset)) offset = this.offsetAfterBracket(offset);
      else return offset;
    }
  }

  /** Offset of the token after the bracket that closes the one at `offset`. */
  offsetAfterBracket(offset: number): number {
    return this.lookahead.afterBracket(this.#index + offset) - this.#index;
  }

  atTernary(): boolean {
    return this.at("?") && this.lookahead.beginsTernary(this.#index);
  }

  /** Runs `parse` one level deeper. */
  nested<T>(parse: () => T): T {
    if (this.#depth >= MAX_NESTING) this.fail("NestingTooDeep", NESTING_MESSAGE);
    this.#depth += 1;
    const parsed = parse();
    this.#depth -= 1;
    return parsed;
  }

  /** Runs `parse` where commas separate and `{` opens no block. */
  separated<T>(parse: () => T): T {
    return this.within(true, false, parse);
  }

  /** Runs `parse` where neither `,` nor `{` has a special meaning: inside brackets, and in a block. */
  afresh<T>(parse: () => T): T {
    return this.within(false, false, parse);
  }

  /** Runs `parse` with other meanings of `,` and `{`; the old ones come back afterwards. */
  within<T>(separates: boolean, header: boolean, parse: () => T): T {
    const { commaSeparates, inHeader } = this;
    this.commaSeparates = separates;
    this.inHeader = header;
    const parsed = parse();
    this.commaSeparates = commaSeparates;
    this.inHeader = inHeader;
    return parsed;
  }

  /** [ item { "," item } [ "," ] ] and the closer */
  list<T>(close: Punctuation, parseItem: (start: number) => T): T[] {
    const items: T[] = [];
    this.separated(() => {
      while (!this.at(close)) {
        items.push(parseItem(this.peek().start));
        if (!this.take(",")) break;
      }
    });
    this.expect(close);
    return items;
  }

  failExpected(what: string): never {
    return this.fail("Expected", `expected ${what}, found ${describeToken(this.peek())}`);
  }

  failUnexpected(): never {
    const token = this.peek();
    return this.fail("Unexpected", `unexpected ${describeToken(token)}`, { hint: hintForUnexpected(token) });
  }

  fail(code: ParseErrorCode, message: string, { span = this.peek(), hint = null }: { span?: Span; hint?: string | null } = {}): never {
    const { start, end } = span;
    throw new SourceError({ phase: "parse", code, span: { start, end }, source: this.source, hint }, message);
  }
}

/** LL-104 */
function hintForUnexpected(token: Token): string | null {
  if (token.kind !== "reserved") return null;
  if (token.text === "if") return "`if` is a statement; for a value use `cond ? yes : no`";
  if (token.text === "for") return "`for` is a statement; for a list use `[expr for item in items]`";
  return null;
}
