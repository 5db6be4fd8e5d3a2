// Answers that need a look past the next token, computed once per source so that parsing stays linear:
// where a bracket closes, and whether a `?` begins a ternary or unwraps (`LL-15`).
import { isNamedOrLiteral, isOneOf, startsExpression } from "./token.ts";
import type { Token } from "./token.ts";

const OPENERS = ["(", "[", "{"];
const CLOSERS = [")", "]", "}"];

export interface Lookahead {
  /** Index of the token after the bracket that closes the one at `index`; past the end when nothing closes it. */
  afterBracket(index: number): number;
  /** Whether the `?` at `index` begins a ternary. */
  beginsTernary(index: number): boolean;
}

export function createLookahead(tokens: readonly Token[]): Lookahead {
  const after = matchBrackets(tokens);
  let colonAhead: Uint8Array | null = null; // most programs have no `?` at all
  return {
    afterBracket: (index) => after[index] ?? tokens.length,
    beginsTernary(index) {
      const next = tokens[index + 1];
      if (next === undefined || !startsExpression(next)) return false;
      colonAhead ??= scanForColons(tokens, after);
      return colonAhead[index + 1] === 1;
    },
  };
}

/** Bracket kinds are not compared: a mismatch is the parser's to report, where it stands. */
function matchBrackets(tokens: readonly Token[]): Int32Array {
  const after = new Int32Array(tokens.length).fill(tokens.length);
  const open: number[] = [];
  tokens.forEach((token, index) => {
    if (isOneOf(token, OPENERS)) open.push(index);
    if (!isOneOf(token, CLOSERS)) return;
    const opener = open.pop();
    if (opener !== undefined) after[opener] = index + 1;
  });
  return after;
}

/**
 * For each token: does a scan from it, outside brackets, meet `:` before anything that ends an expression?
 * Beyond `=`, `,`, a closer and the end, two operands side by side end one too, for instance `a()? finish b ? 1 : 2`:
 * there the first `?` unwraps. No valid ternary has operands side by side, so nothing else changes.
 */
function scanForColons(tokens: readonly Token[], after: Int32Array): Uint8Array {
  const meets = new Uint8Array(tokens.length + 1);
  for (let index = tokens.length - 1; index >= 0; index -= 1) {
    const token = tokens[index];
    if (token === undefined || endsScan(tokens, index)) continue;
    if (isOneOf(token, [":"])) {
      meets[index] = 1;
      continue;
    }
    const next = isOneOf(token, OPENERS) ? (after[index] ?? tokens.length) : index + 1;
    if (!startsNewStatement(tokens, next)) meets[index] = meets[next] ?? 0;
  }
  return meets;
}

const SCAN_ENDS = ["=", ",", ")", "]", "}", "@", "|", "if", "else", "in", "print", "cancel", "submit", "call"];

const STATEMENT_WORDS = ["finish", "yield", "wake", "fail", "while", "break", "continue"];

function endsScan(tokens: readonly Token[], index: number): boolean {
  const [before, token, after] = [tokens[index - 1], tokens[index], tokens[index + 1]];
  if (token?.kind === "end") return true;
  if (isFieldName(tokens, index)) return false;
  // No builtin has such a name, so this is `finish (a) ? b : c` on the next line.
  if (isOneOf(token, STATEMENT_WORDS) && isOneOf(after, ["("])) return !isOneOf(before, ["start"]);
  return isOneOf(token, ["for"]) ? !isOneOf(before, ["sleep"]) : isOneOf(token, SCAN_ENDS);
}

function startsNewStatement(tokens: readonly Token[], index: number): boolean {
  const [before, previous, next] = [tokens[index - 2], tokens[index - 1], tokens[index]];
  if (previous === undefined || next === undefined || !startsOperand(next)) return false;
  if (isFieldName(tokens, index - 1)) return true;
  if (!endsOperand(previous)) return false;
  if (isOneOf(previous, ["start", "sleep", "Type"])) return false;
  return !(isOneOf(previous, ["until"]) && isOneOf(before, ["sleep"]));
}

/** After a dot any word is a field name, `a.if` and `a.start` too. */
function isFieldName(tokens: readonly Token[], index: number): boolean {
  return isOneOf(tokens[index - 1], ["."]);
}

function endsOperand(token: Token): boolean {
  return isNamedOrLiteral(token) || isOneOf(token, [...CLOSERS, "null", "true", "false"]);
}

/** Not `(`, `[` and `-`: they may as well go on with the operand before them (`LL-14`). */
function startsOperand(token: Token): boolean {
  return startsExpression(token) && !isOneOf(token, ["(", "[", "-"]);
}
