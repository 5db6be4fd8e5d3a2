// Expression grammar (section 3 of the language), one function per production.
import type { BinaryOperator, ComprehensionClause, Expr, RecordEntry, StartArgument } from "./ast.ts";
import type { Cursor } from "./cursor.ts";
import type { Unspanned } from "./span.ts";
import { parseObjectType } from "./parse-type.ts";
import { startsExpression } from "./token.ts";
import type { Token } from "./token.ts";

/** expr := ternary { "," ternary } [","]; any comma makes a tuple, except where commas separate */
export function parseExpr(cursor: Cursor): Expr {
  if (cursor.commaSeparates) return parseSingle(cursor);
  return cursor.nested(() => {
    const { start } = cursor.peek();
    const first = parseTernary(cursor);
    if (!cursor.at(",")) return first;
    const items = [first];
    while (cursor.take(",") && startsExpression(cursor.peek())) items.push(parseTernary(cursor));
    return { kind: "Tuple", items, span: cursor.spanFrom(start) };
  });
}

/** single := expr without tuple */
export function parseSingle(cursor: Cursor): Expr {
  return cursor.nested(() => parseTernary(cursor));
}

/** ternary := or [ "?" single ":" single ] */
function parseTernary(cursor: Cursor): Expr {
  const { start } = cursor.peek();
  const condition = parseBinary(cursor, 1);
  if (!cursor.atTernary()) return condition;
  cursor.next();
  const consequent = cursor.within(true, cursor.inHeader, () => parseSingle(cursor));
  cursor.expect(":");
  const otherwise = cursor.within(true, cursor.inHeader, () => parseSingle(cursor));
  return { kind: "Ternary", condition, consequent, otherwise, span: cursor.spanFrom(start) };
}

/** Low to high (`LL-30`). */
const BINDING_POWER: Readonly<Record<BinaryOperator, number>> = {
  or: 1,
  and: 2,
  "==": 3, "!=": 3, "<": 3, "<=": 3, ">": 3, ">=": 3,
  "+": 4, "-": 4,
  "*": 5, "/": 5, "%": 5,
};

export function bindingPower(operator: BinaryOperator): number {
  return BINDING_POWER[operator];
}

/** or, and, cmp, add and mul in one loop; all are left associative */
function parseBinary(cursor: Cursor, minimum: number): Expr {
  const { start } = cursor.peek();
  let left = parseUnary(cursor);
  for (;;) {
    const operator = binaryOperator(cursor.peek());
    if (operator === null || BINDING_POWER[operator] < minimum) return left;
    cursor.next();
    const right = parseBinary(cursor, BINDING_POWER[operator] + 1);
    left = { kind: "Binary", operator, left, right, span: cursor.spanFrom(start) };
  }
}

function binaryOperator({ kind, text }: Token): BinaryOperator | null {
  const operator = text === "||" ? "or" : text === "&&" ? "and" : text;
  return kind !== "string" && Object.hasOwn(BINDING_POWER, operator) ? (operator as BinaryOperator) : null;
}

/** unary := ("-"|"not"|"!"|"await") unary | postfix */
function parseUnary(cursor: Cursor): Expr {
  const { start } = cursor.peek();
  if (cursor.take("await")) {
    const value = cursor.nested(() => parseUnary(cursor));
    return { kind: "Await", value, span: cursor.spanFrom(start) };
  }
  const operator = cursor.take("-") ? "-" : cursor.take("not") || cursor.take("!") ? "not" : null;
  if (operator === null) return parsePostfix(cursor);
  const operand = cursor.nested(() => parseUnary(cursor));
  return { kind: "Unary", operator, operand, span: cursor.spanFrom(start) };
}

/** postfix := primary { "." key [args] | "[" expr "]" | "?" } */
function parsePostfix(cursor: Cursor): Expr {
  const { start } = cursor.peek();
  let object = parsePrimary(cursor);
  for (;;) {
    if (cursor.take(".")) {
      const field = cursor.expectKey("a field name");
      object = cursor.at("(")
        ? { kind: "ReceiverCall", receiver: object, operation: field, args: parseArgs(cursor), span: cursor.spanFrom(start) }
        : { kind: "Field", object, field, span: cursor.spanFrom(start) };
    } else if (cursor.at("[")) {
      object = { kind: "Index", object, index: parseIndex(cursor), span: cursor.spanFrom(start) };
    } else if (cursor.at("?") && !cursor.atTernary()) {
      cursor.next();
      object = { kind: "Unwrap", value: object, span: cursor.spanFrom(start) };
    } else {
      return object;
    }
  }
}

/** "[" expr "]" after an operand */
export function parseIndex(cursor: Cursor): Expr {
  cursor.expect("[");
  const index = cursor.afresh(() => parseExpr(cursor));
  cursor.expect("]");
  return index;
}

/** Its span, unless it has one of its own, is that of all its tokens. */
type Primary = Expr | Unspanned<Expr>;

function parsePrimary(cursor: Cursor): Expr {
  return cursor.node<Expr>(() => {
    const token = cursor.peek();
    switch (token.kind) {
      case "number":
        cursor.next();
        return { kind: "Number", value: token.value };
      case "string":
        cursor.next();
        return { kind: "String", value: token.text };
      case "identifier":
        return parseNamed(cursor, token.text);
      default:
        if (cursor.at("[")) return parseList(cursor);
        if (cursor.at("{")) return parseRecord(cursor);
        if (cursor.at("(")) return parseParens(cursor);
        if (cursor.take("null")) return { kind: "Null" };
        if (cursor.take("true")) return { kind: "Bool", value: true };
        if (cursor.take("false")) return { kind: "Bool", value: false };
        // LL-2: in strict mode the message helps wherever the old word stands
        if (cursor.at("submit") && cursor.options.submitKeyword === "reject") return failSubmitRemoved(cursor);
        return cursor.failUnexpected();
    }
  });
}

export function failSubmitRemoved(cursor: Cursor): never {
  return cursor.fail("SubmitRemoved", "`submit` was removed; use `finish <value>`");
}

/** A primary that begins with an identifier: special forms, a builtin call, or a variable (`LL-6`, `LL-12`). */
function parseNamed(cursor: Cursor, name: string): Primary {
  const special = parseSpecial(cursor, name);
  if (special !== null) return special;
  cursor.next();
  return cursor.at("(") ? { kind: "BuiltinCall", name, args: parseArgs(cursor) } : { kind: "Variable", name };
}

function parseSpecial(cursor: Cursor, name: string): Primary | null {
  switch (name) {
    case "Type":
      if (!cursor.at("{", 1)) return null;
      cursor.next();
      return { kind: "TypeLiteral", type: parseObjectType(cursor) };
    case "sleep":
      return parseSleep(cursor);
    case "start":
      return parseStart(cursor);
    case "wait_signal":
      return cursor.at("(", 1) ? parseWaitSignal(cursor) : null;
    case "signal_run":
      return cursor.at("(", 1) ? parseSignalRun(cursor) : null;
    case "parallel":
      if (!cursor.inHeader && cursor.at("{", 1)) cursor.fail("Unexpected", "unexpected `parallel`"); // LL-3
      return null;
    default:
      return null;
  }
}

/** "sleep" ("for"|"until") expr; a lone `sleep` is a name, unless what follows shows that a duration was meant */
function parseSleep(cursor: Cursor): Primary | null {
  const mode = cursor.at("for", 1) ? "For" : cursor.at("until", 1) ? "Until" : null;
  if (mode === null) {
    const after = cursor.peek(1);
    if (after.kind !== "number" && after.kind !== "string" && !cursor.at("(", 1)) return null;
    cursor.next();
    return cursor.failExpected("`for` or `until`");
  }
  cursor.next();
  cursor.next();
  return { kind: "Sleep", mode, value: parseExpr(cursor) };
}

/** "start" IDENT "(" [ key ":" single {"," key ":" single} [","] ] ")" */
function parseStart(cursor: Cursor): Primary | null {
  const { start, end } = cursor.peek();
  if (cursor.at("call", 1)) cursor.fail("Unexpected", "unexpected `start call`", { span: { start, end: cursor.peek(1).end } });
  const inlineBody = cursor.at("{", 1) || (cursor.at("(", 1) && cursor.at("{", cursor.offsetAfterBracket(1)));
  if (inlineBody && !cursor.inHeader) {
    cursor.fail("Unexpected", "unexpected inline `start` process body", { span: { start, end } });
  }
  if (!cursor.atIdentifier(1)) return null;
  cursor.next();
  const process = cursor.expectIdentifier("a process name");
  cursor.expect("(");
  const args = cursor.list(")", (argumentStart): StartArgument => {
    const name = cursor.expectKey("an argument name or `)`");
    cursor.expect(":");
    return { name, value: parseSingle(cursor), span: cursor.spanFrom(argumentStart) };
  });
  return { kind: "Start", process, args };
}

/** "wait_signal" "(" STRING ")" */
function parseWaitSignal(cursor: Cursor): Primary {
  cursor.next();
  cursor.expect("(");
  const name = parseSignalName(cursor, "wait_signal", "one signal name for `wait_signal`");
  cursor.take(",");
  if (!cursor.at(")")) cursor.failExpected("one signal name for `wait_signal`");
  cursor.next();
  return { kind: "WaitSignal", name };
}

/** "signal_run" "(" single "," STRING "," single ")" */
function parseSignalRun(cursor: Cursor): Primary {
  const arity = "three arguments for `signal_run`: handle, signal name, payload";
  cursor.next();
  cursor.expect("(");
  return cursor.separated(() => {
    if (cursor.at(")")) cursor.failExpected(arity);
    const run = parseSingle(cursor);
    if (!cursor.take(",")) cursor.failExpected(arity);
    const name = parseSignalName(cursor, "signal_run", arity);
    if (!cursor.take(",") || cursor.at(")")) cursor.failExpected(arity);
    const payload = parseSingle(cursor);
    cursor.take(",");
    if (!cursor.at(")")) cursor.failExpected(arity);
    cursor.next();
    return { kind: "SignalRun", run, name, payload };
  });
}

function parseSignalName(cursor: Cursor, builtin: string, arity: string): string {
  const token = cursor.peek();
  if (token.kind !== "string") {
    if (cursor.at(")") || token.kind === "end") cursor.failExpected(arity);
    cursor.fail("Unexpected", `unexpected non-literal signal name in \`${builtin}\``); // LL-21
  }
  cursor.next();
  if (!cursor.at(")") && !cursor.at(",")) {
    cursor.fail("Unexpected", `unexpected non-literal signal name in \`${builtin}\``, { span: token });
  }
  return token.text;
}

/** args := "(" [ single {"," single} [","] ] ")" */
function parseArgs(cursor: Cursor): Expr[] {
  cursor.expect("(");
  return cursor.list(")", () => parseSingle(cursor));
}

/** list := "[" [ single {"," single} [","] ] "]" | "[" single compFor { compFor | compIf } "]" */
function parseList(cursor: Cursor): Primary {
  cursor.next();
  if (cursor.take("]")) return { kind: "List", items: [] };
  const first = cursor.separated(() => parseSingle(cursor));
  if (cursor.at("for")) {
    const clauses = cursor.afresh(() => parseClauses(cursor));
    cursor.expect("]");
    return { kind: "Comprehension", element: first, clauses };
  }
  let rest: readonly Expr[] = [];
  if (cursor.take(",")) rest = cursor.list("]", () => parseSingle(cursor));
  else cursor.expect("]");
  return { kind: "List", items: [first, ...rest] };
}

/** compFor := "for" IDENT "in" expr; compIf := "if" expr */
function parseClauses(cursor: Cursor): ComprehensionClause[] {
  const clauses: ComprehensionClause[] = [];
  for (;;) {
    if (cursor.take("for")) {
      const name = cursor.expectIdentifier("a variable name");
      cursor.expect("in");
      clauses.push({ kind: "For", name, iterable: parseExpr(cursor) });
    } else if (cursor.take("if")) {
      clauses.push({ kind: "If", condition: parseExpr(cursor) });
    } else {
      return clauses;
    }
  }
}

/** record := "{" [ key ":" single {"," key ":" single} [","] ] "}" */
function parseRecord(cursor: Cursor): Primary {
  cursor.next();
  const entries = cursor.list("}", (): RecordEntry => {
    const key = cursor.expectKey("a field name or `}`");
    cursor.expect(":");
    return { key, value: parseSingle(cursor) };
  });
  return { kind: "Record", entries };
}

/** "(" ")" | "(" expr ")" */
function parseParens(cursor: Cursor): Primary {
  cursor.next();
  if (cursor.take(")")) return { kind: "Tuple", items: [] };
  const inner = cursor.afresh(() => parseExpr(cursor));
  cursor.expect(")");
  // A tuple owns its parentheses, so that a caret under it covers them; other nodes keep the span they have.
  return inner.kind === "Tuple" ? { kind: "Tuple", items: inner.items } : inner;
}
