// Source text to syntax tree: declarations and the main block. Statements, expressions and types have their own files.
import type { Declaration, Expr, Label, Param, Program, ProcessDeclaration, TypeDeclaration } from "./ast.ts";
import { childrenOf } from "./children.ts";
import { Cursor } from "./cursor.ts";
import { lex } from "./lexer.ts";
import type { Comment } from "./lexer.ts";
import { MAX_TREE_HEIGHT, NESTING_MESSAGE } from "./limits.ts";
import { failLabelTarget, isDeclaration, parseBlock, parseLabel, parseStatement } from "./parse-statement.ts";
import { parseType } from "./parse-type.ts";
import type { TypeExpr } from "./type-expr.ts";

export interface ParseOptions {
  /** Whether `submit` still ends a cell. Default `accept`; `reject` names its replacement. */
  readonly submitKeyword?: "accept" | "reject";
}

/**
 * Parses a program. Knows nothing of the host: names and types are the linker's.
 *
 * @throws SourceError of phase `parse`; no input makes it throw anything else.
 */
export function parse(source: string, options: ParseOptions = {}): Program {
  return parseWithComments(source, options).program;
}

/** As `parse`, with the comments that the tree does not hold; the formatter puts them back. */
export function parseWithComments(source: string, options: ParseOptions = {}): { program: Program; comments: readonly Comment[] } {
  const { tokens, comments } = lex(source);
  const cursor = new Cursor(source, tokens, { submitKeyword: options.submitKeyword ?? "accept" });
  const program = parseProgram(cursor);
  // A tree is never higher than its source has tokens.
  if (tokens.length > MAX_TREE_HEIGHT) limitHeight(cursor, program);
  return { program, comments };
}

/**
 * Parses one type on its own, for hosts that describe their operations in text.
 *
 * @throws SourceError of phase `parse`.
 */
export function parseTypeText(source: string): TypeExpr {
  const cursor = new Cursor(source, lex(source).tokens, { submitKeyword: "accept" });
  const type = parseType(cursor);
  if (!cursor.atEnd()) cursor.failExpected("the end of the type");
  return type;
}

/** program := { typeDecl | [label] processDecl | [label] statement } */
function parseProgram(cursor: Cursor): Program {
  const declarations: Declaration[] = [];
  const statements: Expr[] = [];
  const context = { inProcess: false, inLoop: false };
  while (!cursor.atEnd()) {
    const { start } = cursor.peek();
    const label = cursor.at("@") ? parseLabel(cursor) : null;
    if (isDeclaration(cursor) && cursor.at("type")) {
      if (label !== null) failLabelTarget(cursor);
      declarations.push(parseTypeDeclaration(cursor));
    } else if (isDeclaration(cursor)) {
      declarations.push(parseProcessDeclaration(cursor, start, label));
    } else {
      const statement = parseStatement(cursor, context);
      statements.push(label === null ? statement : { kind: "Labeled", label, statement, span: cursor.spanFrom(start) });
    }
  }
  const main = { kind: "Block" as const, statements, span: { start: 0, end: cursor.source.length } };
  return { declarations, main };
}

/** typeDecl := "type" IDENT "=" type */
function parseTypeDeclaration(cursor: Cursor): TypeDeclaration {
  const { start } = cursor.next();
  const name = cursor.expectIdentifier("a type name");
  cursor.expect("=");
  return { kind: "Type", name, type: parseType(cursor), span: cursor.spanFrom(start) };
}

/** processDecl := "process" IDENT "(" [ params ] ")" [ "signals" "{" [ params ] "}" ] [ "->" type ] block */
function parseProcessDeclaration(cursor: Cursor, start: number, label: Label | null): ProcessDeclaration {
  cursor.next();
  const name = cursor.expectIdentifier("a process name");
  cursor.expect("(");
  const params = parseParams(cursor, ")", "a parameter name or `)`");
  let signals: readonly Param[] = [];
  if (cursor.take("signals")) {
    cursor.expect("{");
    signals = parseParams(cursor, "}", "a signal name or `}`");
  }
  let returnType: TypeExpr | null = null;
  if (cursor.at("-") && cursor.at(">", 1)) {
    cursor.next();
    cursor.next();
    returnType = parseType(cursor);
  }
  const body = parseBlock(cursor, { inProcess: true, inLoop: false });
  return { kind: "Process", name, params, signals, returnType, label, body, span: cursor.spanFrom(start) };
}

/** [ param {"," param} [","] ] and the closer; param := IDENT ":" type */
function parseParams(cursor: Cursor, close: ")" | "}", what: string): Param[] {
  return cursor.list(close, (start) => {
    const name = cursor.expectIdentifier(what);
    cursor.expect(":");
    return { name, type: parseType(cursor), span: cursor.spanFrom(start) };
  });
}

/** LL-19: the one walk that must not recurse, because it is what makes the others safe. */
function limitHeight(cursor: Cursor, program: Program): void {
  const pending: { readonly expr: Expr; readonly height: number }[] = [{ expr: program.main, height: 1 }];
  for (const declaration of program.declarations) {
    if (declaration.kind === "Process") pending.push({ expr: declaration.body, height: 1 });
  }
  for (let top = pending.pop(); top !== undefined; top = pending.pop()) {
    const { expr, height } = top;
    if (height > MAX_TREE_HEIGHT) cursor.fail("NestingTooDeep", NESTING_MESSAGE, { span: expr.span });
    for (const child of childrenOf(expr)) pending.push({ expr: child, height: height + 1 });
  }
}
