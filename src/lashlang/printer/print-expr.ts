// Expressions as canonical text: the parser makes the same tree of it again.
//
//   P1. Parentheses appear only where the source must have had some as well, so that printing adds no nesting (`LL-19`);
//       the exceptions are tuples, and names such as `start` that would begin another form.
//   P2. A `?` that unwraps is kept from looking like a ternary wherever a `:` follows (`LL-15`).
import type { BinaryOperator, ComprehensionClause, Expr, Statement } from "../syntax/ast.ts";
import { bindingPower } from "../syntax/parse-expr.ts";
import { numberLiteral } from "./number-literal.ts";
import { printKey, printString, printType } from "./print-type.ts";

/** Where an expression stands. Levels rise with how tightly their surroundings bind. */
interface Place {
  readonly level: number;
  readonly indent: number;
  /** A `:` follows outside brackets, so a `?` before an operand would begin a ternary. */
  readonly beforeColon: boolean;
}

const TERNARY = 1;
const OPERATOR = 1; // added to the binding power of a binary operator: 2 to 6
const UNARY = 7;
const POSTFIX = 8;
const PRIMARY = 9;

/** Longer lists, records and calls get a line per item. */
const MAX_FLAT = 88;

export function printExpr(expr: Expr, indent: number): string {
  return print(expr, { level: TERNARY, indent, beforeColon: false });
}

/** In parentheses, whatever it is, so that nothing that follows can continue it. */
export function printClosed(expr: Expr, indent: number): string {
  const text = printExpr(expr, indent);
  return expr.kind === "Tuple" ? text : `(${text})`;
}

export function pad(indent: number): string {
  return "  ".repeat(indent);
}

function print(expr: Expr, place: Place): string {
  const level = levelOf(expr);
  if (level >= place.level) return printBare(expr, place);
  return `(${printBare(expr, { ...place, level, beforeColon: false })})`;
}

function levelOf(expr: Expr): number {
  switch (expr.kind) {
    case "Ternary":
    case "Sleep":
      return TERNARY;
    case "Binary":
      return OPERATOR + bindingPower(expr.operator);
    case "Unary":
    case "Await":
      return UNARY;
    case "Field":
    case "Index":
    case "Unwrap":
    case "ReceiverCall":
      return POSTFIX;
    default:
      return PRIMARY;
  }
}

/** Names that would begin another form where they stand alone. */
const FORM_WORDS: ReadonlySet<string> = new Set(["start", "sleep", "Type", "parallel", "wait_signal", "signal_run"]);

function printBare(expr: Expr, place: Place): string {
  const { indent, beforeColon } = place;
  const inBrackets = (inner: Expr, depth = indent): string => print(inner, { level: TERNARY, indent: depth, beforeColon: false });
  switch (expr.kind) {
    case "Null":
      return "null";
    case "Bool":
      return String(expr.value);
    case "Number":
      return numberLiteral(expr.value);
    case "String":
      return printText(expr.value);
    case "List":
      return bracket("[", expr.items.map((item) => inBrackets(item, indent + 1)), "]", indent);
    case "Tuple":
      return printTuple(expr.items, indent);
    case "Record":
      return bracket("{ ", expr.entries.map(({ key, value }) => `${printKey(key)}: ${inBrackets(value, indent + 1)}`), " }", indent);
    case "Comprehension":
      return `[${[inBrackets(expr.element), ...expr.clauses.map((clause) => printClause(clause, indent))].join(" ")}]`;
    case "TypeLiteral":
      return `Type ${printType(expr.type)}`;
    case "Variable":
      return FORM_WORDS.has(expr.name) ? `(${expr.name})` : expr.name;
    case "Field":
      return `${printObject(expr.object, place)}.${printKey(expr.field)}`;
    case "ReceiverCall":
      return `${printObject(expr.receiver, place)}.${printKey(expr.operation)}${printArgs(expr.args, indent)}`;
    case "Index": {
      const object = print(expr.object, { level: POSTFIX, indent, beforeColon });
      return `${beforeColon && object.endsWith("?") ? `(${object})` : object}[${inBrackets(expr.index)}]`;
    }
    case "Unwrap":
      return `${print(expr.value, { level: POSTFIX, indent, beforeColon })}?`;
    case "Unary":
      return `${expr.operator === "not" ? "not " : "-"}${print(expr.operand, { level: UNARY, indent, beforeColon })}`;
    case "Await":
      return `await ${print(expr.value, { level: UNARY, indent, beforeColon })}`;
    case "Binary":
      return printBinary(expr.operator, expr.left, expr.right, place);
    case "Ternary": {
      const [condition, consequent] = [
        print(expr.condition, { level: OPERATOR + 1, indent, beforeColon: true }),
        print(expr.consequent, { level: TERNARY, indent, beforeColon: true }),
      ];
      return `${condition} ? ${consequent} : ${print(expr.otherwise, { level: TERNARY, indent, beforeColon })}`;
    }
    case "BuiltinCall":
      return `${expr.name}${printArgs(expr.args, indent)}`;
    case "Start":
      return `start ${expr.process}${bracket("(", expr.args.map(({ name, value }) => `${printKey(name)}: ${inBrackets(value, indent + 1)}`), ")", indent)}`;
    case "Sleep":
      return `sleep ${expr.mode === "For" ? "for" : "until"} ${print(expr.value, { level: TERNARY, indent, beforeColon })}`;
    case "WaitSignal":
      return `wait_signal(${printString(expr.name)})`;
    case "SignalRun":
      return bracket("signal_run(", [inBrackets(expr.run, indent + 1), printString(expr.name), inBrackets(expr.payload, indent + 1)], ")", indent);
    default:
      return statementInExpression(expr);
  }
}

/** The grammar keeps statements out of expressions, and so does everything that makes trees. */
function statementInExpression(statement: Statement): never {
  throw new TypeError(`a ${statement.kind} statement cannot stand inside an expression`);
}

function printBinary(operator: BinaryOperator, left: Expr, right: Expr, { indent, beforeColon }: Place): string {
  const level = OPERATOR + bindingPower(operator);
  const leftText = print(left, { level, indent, beforeColon });
  const guarded = beforeColon && operator === "-" && leftText.endsWith("?") ? `(${leftText})` : leftText;
  return `${guarded} ${operator} ${print(right, { level: level + 1, indent, beforeColon })}`;
}

/** What stands before a dot; a number would take the dot for its own. */
function printObject(object: Expr, { indent, beforeColon }: Place): string {
  const text = print(object, { level: POSTFIX, indent, beforeColon });
  return object.kind === "Number" ? `(${text})` : text;
}

function printTuple(items: readonly Expr[], indent: number): string {
  const texts = items.map((item) => {
    const text = print(item, { level: TERNARY, indent: indent + 1, beforeColon: false });
    return item.kind === "Sleep" ? `(${text})` : text; // its duration would take the commas
  });
  return items.length === 1 ? `(${texts.join("")},)` : bracket("(", texts, ")", indent);
}

function printArgs(args: readonly Expr[], indent: number): string {
  const [only, second] = args;
  if (only !== undefined && second === undefined && (only.kind === "Record" || only.kind === "List")) {
    return `(${printExpr(only, indent)})`; // brackets hug: `op({ ... })`
  }
  return bracket("(", args.map((argument) => printExpr(argument, indent + 1)), ")", indent);
}

function printClause(clause: ComprehensionClause, indent: number): string {
  if (clause.kind === "If") return `if ${printExpr(clause.condition, indent)}`;
  return `for ${clause.name} in ${printExpr(clause.iterable, indent)}`;
}

function bracket(open: string, items: readonly string[], close: string, indent: number): string {
  if (items.length === 0) return open.trim() + close.trim();
  const length = items.reduce((sum, item) => sum + item.length + 2, open.length + close.length);
  if (length <= MAX_FLAT && !items.some((item) => item.includes("\n"))) return open + items.join(", ") + close;
  const lines = items.map((item) => `${pad(indent + 1)}${item},\n`);
  return `${open.trimEnd()}\n${lines.join("")}${pad(indent)}${close.trimStart()}`;
}

/** Text of several lines reads best as it is, if no escape is needed inside. */
function printText(text: string): string {
  const lines = text.includes("\n") && !/["\\\r]/.test(text);
  return lines ? `"""${text}"""` : printString(text);
}
