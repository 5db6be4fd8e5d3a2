// Statement grammar: blocks, control flow, assignment, what ends or leaves a program.
import type { AssignTarget, Block, Expr, IfStatement, Label, TargetStep } from "./ast.ts";
import type { Cursor } from "./cursor.ts";
import type { Unspanned } from "./span.ts";
import { failSubmitRemoved, parseExpr, parseIndex } from "./parse-expr.ts";

/** What the statements around allow. */
export interface StatementContext {
  readonly inProcess: boolean;
  readonly inLoop: boolean;
}

/** block := "{" { [label] statement } "}" */
export function parseBlock(cursor: Cursor, context: StatementContext): Block {
  return cursor.nested(() =>
    cursor.afresh(() => {
      const { start } = cursor.expect("{");
      const statements: Expr[] = [];
      while (!cursor.at("}")) {
        if (cursor.atEnd()) cursor.failExpected("`}`");
        statements.push(parseLabeledStatement(cursor, context));
      }
      cursor.expect("}");
      return { kind: "Block", statements, span: cursor.spanFrom(start) };
    }),
  );
}

function parseLabeledStatement(cursor: Cursor, context: StatementContext): Expr {
  if (!cursor.at("@")) return parseStatement(cursor, context);
  return cursor.node<Expr>(() => {
    const label = parseLabel(cursor);
    if (isDeclaration(cursor)) failLabelTarget(cursor);
    return { kind: "Labeled", label, statement: parseStatement(cursor, context) };
  });
}

/** label := "@" "label" "(" lkey ":" STRING {"," lkey ":" STRING} [","] ")"; the target must follow */
export function parseLabel(cursor: Cursor): Label {
  const { start } = cursor.expect("@");
  cursor.expect("label");
  cursor.expect("(");
  const label: Record<"title" | "description", string | null> = { title: null, description: null };
  const invalid = (message: string): never =>
    cursor.fail("InvalidLabelAnnotation", `invalid @label annotation: ${message}`, { span: cursor.spanFrom(start) });
  cursor.list(")", () => {
    const key = cursor.expectKey("`title` or `description`");
    if (key !== "title" && key !== "description") return invalid(`unknown field \`${key}\``);
    if (label[key] !== null) invalid(`duplicate \`${key}\` field`);
    cursor.expect(":");
    label[key] = cursor.expectString("a string");
  });
  const { title, description } = label;
  if (title === null) return invalid("`title` is required");
  if (cursor.at("@") || cursor.at("}") || cursor.atEnd()) failLabelTarget(cursor);
  return { title, description };
}

export function failLabelTarget(cursor: Cursor): never {
  return cursor.fail(
    "InvalidLabelTarget",
    "@label can annotate statements or process declarations, but not other declarations or another @label",
  );
}

/** At `type Name` or `process name`, which only the top level may hold. A bare `type` as a statement would mean nothing. */
export function isDeclaration(cursor: Cursor): boolean {
  return (cursor.at("type") || cursor.at("process")) && cursor.atIdentifier(1);
}

export function parseStatement(cursor: Cursor, context: StatementContext): Expr {
  return cursor.node<Expr>(() => parseByKeyword(cursor, context));
}

/** Its span, unless it has one of its own, is that of all its tokens. */
type Parsed = Expr | Unspanned<Expr>;

function parseByKeyword(cursor: Cursor, context: StatementContext): Parsed {
  const token = cursor.peek();
  if (token.kind === "identifier") {
    if (cursor.at("=", cursor.offsetAfterPath())) return parseAssignment(cursor); // LL-11: before any keyword
    return parseContextual(cursor, context, token.text) ?? parseExpr(cursor);
  }
  if (token.kind !== "reserved") return parseExpr(cursor);
  switch (token.text) {
    case "if":
      return parseIf(cursor, context);
    case "for":
      return parseFor(cursor, context);
    case "print":
      if (context.inProcess) failForeground(cursor, "print");
      cursor.next();
      return { kind: "Print", value: parseExpr(cursor) };
    case "cancel":
      cursor.next();
      return { kind: "Cancel", handle: parseExpr(cursor) };
    case "submit":
      if (cursor.options.submitKeyword === "reject") failSubmitRemoved(cursor);
      if (context.inProcess) failForeground(cursor, "submit"); // LL-1
      return parseFinish(cursor, "submit");
    default:
      return parseExpr(cursor);
  }
}

/** Words that are keywords at statement position only. */
function parseContextual(cursor: Cursor, context: StatementContext, word: string): Parsed | null {
  switch (word) {
    case "let":
      if (!cursor.atIdentifier(1)) return null;
      cursor.next();
      return parseAssignment(cursor);
    case "while":
      return parseWhile(cursor, context);
    case "break":
    case "continue":
      if (!context.inLoop) cursor.fail("LoopControlOutsideLoop", `\`${word}\` can only be used inside a loop`);
      cursor.next();
      return { kind: word === "break" ? "Break" : "Continue" };
    case "finish":
      return parseFinish(cursor, "finish");
    case "yield":
    case "wake":
    case "fail":
      if (!context.inProcess) cursor.fail("SessionProcessAdminOutsideBlock", `\`${word}\` can only be used inside a \`process\` body`);
      cursor.next();
      return { kind: word === "yield" ? "Yield" : word === "wake" ? "Wake" : "Fail", value: parseExpr(cursor) };
    case "trigger":
      if (opensTriggerDeclaration(cursor)) failTriggerRemoved(cursor);
      return null;
    case "sleep":
      // A statement that is the bare name `sleep` means nothing, so an operand after it was meant as a duration.
      if (cursor.atIdentifier(1) && !cursor.at("until", 1)) {
        cursor.next();
        cursor.failExpected("`for` or `until`");
      }
      return null;
    case "type":
    case "process":
      if (isDeclaration(cursor)) cursor.fail("Unexpected", `unexpected \`${word}\``, { hint: "declarations stand at the top level" });
      return null;
    default:
      return null;
  }
}

/** LL-3: `trigger` before anything that cannot go on with a variable of that name. */
function opensTriggerDeclaration(cursor: Cursor): boolean {
  const after = cursor.peek(1);
  return after.kind === "identifier" || after.kind === "string" || cursor.at("{", 1);
}

function failTriggerRemoved(cursor: Cursor): never {
  return cursor.fail(
    "DeclarativeTriggerRemoved",
    "declarative trigger syntax has been removed; construct a source value and call the trigger registry register operation",
    { hint: "construct a source value, then `await triggers.register({ source: ..., target: ..., inputs: { ... } })?`" },
  );
}

function failForeground(cursor: Cursor, word: "print" | "submit"): never {
  return cursor.fail("ForegroundControlInsideProcess", `\`${word}\` can't be used inside a \`process\` body`);
}

/** ("finish"|"submit") expr */
function parseFinish(cursor: Cursor, word: "finish" | "submit"): Parsed {
  const { start, end } = cursor.next();
  if (cursor.at("}") || cursor.atEnd()) {
    const goal = word === "finish" ? "finish with null" : "submit null";
    cursor.fail("MissingFinishValue", `\`${word}\` requires a value; use \`${word} null\` to ${goal}`, { span: { start, end } });
  }
  return { kind: "Finish", value: parseExpr(cursor) };
}

/** target "=" expr; a `let` before it is part of the statement */
function parseAssignment(cursor: Cursor): Parsed {
  const target = parseTarget(cursor);
  cursor.expect("=");
  return { kind: "Assign", target, value: parseExpr(cursor) };
}

/** target := IDENT { "." key | "[" expr "]" } */
function parseTarget(cursor: Cursor): AssignTarget {
  const { start } = cursor.peek();
  const name = cursor.expectIdentifier("a variable name");
  const steps: TargetStep[] = [];
  for (;;) {
    if (cursor.take(".")) steps.push({ kind: "Field", field: cursor.expectKey("a field name") });
    else if (cursor.at("[")) steps.push({ kind: "Index", index: parseIndex(cursor) });
    else return { name, steps, span: cursor.spanFrom(start) };
  }
}

/** What stands between a statement keyword and its block. */
function parseHeader(cursor: Cursor): Expr {
  return cursor.within(cursor.commaSeparates, true, () => parseExpr(cursor));
}

/** if := "if" expr block [ "else" (if | block) ]; a loop, because `else if` chains are long but not deep */
function parseIf(cursor: Cursor, context: StatementContext): Expr {
  const arms: { readonly start: number; readonly condition: Expr; readonly consequent: Block }[] = [];
  let last: Block | null = null;
  do {
    const { start } = cursor.expect("if");
    arms.push({ start, condition: parseHeader(cursor), consequent: parseBlock(cursor, context) });
    if (!cursor.take("else")) break;
    if (!cursor.at("if")) last = parseBlock(cursor, context);
  } while (last === null);
  return arms.reduceRight<IfStatement | Block | null>(
    (otherwise, { start, ...arm }) => ({ kind: "If", ...arm, otherwise, span: cursor.spanFrom(start) }),
    last,
  ) as IfStatement;
}

/** for := "for" IDENT "in" expr block */
function parseFor(cursor: Cursor, context: StatementContext): Parsed {
  cursor.next();
  const name = cursor.expectIdentifier("a variable name");
  cursor.expect("in");
  const iterable = parseHeader(cursor);
  const body = parseBlock(cursor, { ...context, inLoop: true });
  return { kind: "For", name, iterable, body };
}

/** while := "while" expr block */
function parseWhile(cursor: Cursor, context: StatementContext): Parsed {
  cursor.next();
  const condition = parseHeader(cursor);
  const body = parseBlock(cursor, { ...context, inLoop: true });
  return { kind: "While", condition, body };
}
