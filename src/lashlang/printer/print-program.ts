// Programs and statements as canonical text. With the comments and the text of a source it formats that source:
// comments and blank lines stay where they are.
import type { Block, Declaration, Expr, IfStatement, Label, Param, ProcessDeclaration, Program } from "../syntax/ast.ts";
import type { Comment } from "../syntax/lexer.ts";
import type { Span } from "../syntax/span.ts";
import { CommentPlacer } from "./comment-placer.ts";
import { pad, printClosed, printExpr } from "./print-expr.ts";
import { printKey, printString, printType } from "./print-type.ts";

/**
 * Prints a program so that parsing the text gives the same tree.
 *
 * @param from - the source and its comments, to format it; default none, which is canonical source.
 * @returns text that ends with a newline, or is empty.
 */
export function printProgram(program: Program, from: { source: string; comments: readonly Comment[] } = { source: "", comments: [] }): string {
  const comments = new CommentPlacer(from.source, from.comments);
  // Declarations are hoisted, so their place among the statements is the author's; trees without places have them first.
  const items = [...program.declarations, ...program.main.statements].sort((left, right) => left.span.start - right.span.start);
  const lines = printItems(items, comments, 0, program.main.span);
  return lines.map((line) => `${line}\n`).join("");
}

function isDeclaration(item: Declaration | Expr): item is Declaration {
  return item.kind === "Type" || item.kind === "Process";
}

function printItems(items: readonly (Declaration | Expr)[], comments: CommentPlacer, indent: number, within: Span): string[] {
  const texts = printGuarded(items, comments, indent);
  const lines: string[] = [];
  let end = within.start;
  items.forEach((item, index) => {
    const previous = items[index - 1];
    const leading = comments.before(item, end);
    const start = leading[0]?.start ?? item.span.start;
    const apart = previous !== undefined && (comments.blankBetween(end, start) || (comments.isEmpty && isDeclaration(previous) !== isDeclaration(item)));
    if (apart) lines.push("");
    leading.forEach((comment, place) => {
      lines.push(pad(indent) + comment.text);
      const after = leading[place + 1]?.start ?? item.span.start;
      if (comments.blankBetween(comment.end, after)) lines.push("");
    });
    const trailing = comments.trailing(item, items[index + 1]?.span.start ?? within.end);
    lines.push(`${pad(indent)}${texts[index] ?? ""}${trailing === null ? "" : ` ${trailing.text}`}`);
    end = trailing?.end ?? item.span.end;
  });
  for (const comment of comments.between(end, within.end)) {
    if (comments.blankBetween(end, comment.start) && lines.length > 0) lines.push("");
    lines.push(pad(indent) + comment.text);
    end = comment.end;
  }
  return lines;
}

/**
 * Newlines mean nothing (`LL-14`), so a statement must not read as the rest of the one before it. That cannot come from
 * parsed source, only from trees made otherwise; there, parentheses keep the two apart.
 */
function printGuarded(items: readonly (Declaration | Expr)[], comments: CommentPlacer, indent: number): string[] {
  const texts: string[] = [];
  for (let index = items.length - 1; index >= 0; index -= 1) {
    const [previous, item, next, nextText] = [items[index - 1], items[index], items[index + 1], texts[0]];
    if (item === undefined) continue;
    if (isDeclaration(item)) {
      texts.unshift(item.kind === "Type" ? `type ${item.name} = ${printType(item.type)}` : printProcess(item, comments, indent));
      continue;
    }
    let text = printStatement(item, comments, indent, false);
    if (nextText !== undefined && next !== undefined && isContinuedBy(text, next, nextText, texts.length > 1)) text = printStatement(item, comments, indent, true);
    if (previous !== undefined && !endsWithBlock(previous) && /^[[-]/.test(text) && isValue(item)) text = printClosed(item, indent);
    texts.unshift(text);
  }
  return texts;
}

function isContinuedBy(text: string, next: Declaration | Expr, nextText: string, moreFollows: boolean): boolean {
  if (/^[([-]/.test(nextText)) return true;
  if (!text.endsWith("?") || isDeclaration(next)) return false;
  if (next.kind === "Break" || next.kind === "Continue") return moreFollows; // `break [a]`, likewise
  if (!nextText.includes(" ? ")) return false;
  return isValue(next) || /^[a-z]+ [[(-]/.test(nextText); // `finish [a]` may as well index a variable of that name
}

function endsWithBlock(item: Declaration | Expr): boolean {
  if (item.kind === "Labeled") return endsWithBlock(item.statement);
  return item.kind === "If" || item.kind === "For" || item.kind === "While" || item.kind === "Break" || item.kind === "Continue" || item.kind === "Process";
}

const STATEMENT_KINDS: ReadonlySet<string> = new Set([
  "Block", "Labeled", "If", "For", "While", "Break", "Continue", "Assign", "Finish", "Print", "Cancel", "Yield", "Wake", "Fail",
]);

function isValue(expr: Expr): boolean {
  return !STATEMENT_KINDS.has(expr.kind);
}

/** Words that make a statement something else when it begins with them. */
const STATEMENT_WORD = /^(?:while|break|continue|finish|yield|wake|fail|let|trigger|type|process)\b/;

/** `closed`: what follows would continue the text, so its end goes in parentheses. */
function printStatement(statement: Expr, comments: CommentPlacer, indent: number, closed: boolean): string {
  const value = (expr: Expr): string => (closed ? printClosed(expr, indent) : printExpr(expr, indent));
  const header = (expr: Expr): string => {
    const text = printExpr(expr, indent);
    return closed && text.endsWith("?") ? `(${text})` : text;
  };
  const block = (body: Block): string => printBlock(body, comments, indent);
  switch (statement.kind) {
    case "Block":
      throw new TypeError("a block cannot stand on its own");
    case "Labeled":
      return `${printLabel(statement.label)} ${printStatement(statement.statement, comments, indent, closed)}`;
    case "If": {
      const arms: string[] = [];
      let at: IfStatement | Block | null = statement;
      for (; at !== null && at.kind === "If"; at = at.otherwise) arms.push(`if ${header(at.condition)} ${block(at.consequent)}`);
      return [...arms, ...(at === null ? [] : [block(at)])].join(" else ");
    }
    case "For":
      return `for ${statement.name} in ${header(statement.iterable)} ${block(statement.body)}`;
    case "While":
      return `while ${header(statement.condition)} ${block(statement.body)}`;
    case "Break":
      return "break";
    case "Continue":
      return "continue";
    case "Assign": {
      const steps = statement.target.steps.map((step) => (step.kind === "Field" ? `.${printKey(step.field)}` : `[${printExpr(step.index, indent)}]`));
      return `${statement.target.name}${steps.join("")} = ${value(statement.value)}`;
    }
    case "Finish":
    case "Print":
    case "Yield":
    case "Wake":
    case "Fail":
      return `${statement.kind.toLowerCase()} ${value(statement.value)}`;
    case "Cancel":
      return `cancel ${value(statement.handle)}`;
    default: {
      const text = value(statement);
      return STATEMENT_WORD.test(text) ? printClosed(statement, indent) : text;
    }
  }
}

function printBlock(block: Block, comments: CommentPlacer, indent: number): string {
  const lines = printItems(block.statements, comments, indent + 1, block.span);
  return lines.length === 0 ? "{}" : `{\n${lines.join("\n")}\n${pad(indent)}}`;
}

function printProcess(process: ProcessDeclaration, comments: CommentPlacer, indent: number): string {
  const label = process.label === null ? "" : `${printLabel(process.label)}\n`;
  const signals = process.signals.length === 0 ? "" : ` signals { ${printParams(process.signals)} }`;
  const returns = process.returnType === null ? "" : ` -> ${printType(process.returnType)}`;
  return `${label}process ${process.name}(${printParams(process.params)})${signals}${returns} ${printBlock(process.body, comments, indent)}`;
}

function printParams(params: readonly Param[]): string {
  return params.map(({ name, type }) => `${name}: ${printType(type)}`).join(", ");
}

function printLabel({ title, description }: Label): string {
  const fields = [`title: ${printString(title)}`, ...(description === null ? [] : [`description: ${printString(description)}`])];
  return `@label(${fields.join(", ")})`;
}
