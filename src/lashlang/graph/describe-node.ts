// Short names for the nodes of a graph that no label names.
import type { LinkedExpr } from "../linker/linked-program.ts";

const MAX_TITLE = 60;

export function describeNode(expr: LinkedExpr): string {
  const title = titleOf(expr);
  return title.length <= MAX_TITLE ? title : `${title.slice(0, MAX_TITLE - 1)}…`;
}

function titleOf(expr: LinkedExpr): string {
  switch (expr.kind) {
    case "Operation":
      return `${valueText(expr.receiver)}.${expr.operation}`;
    case "Start":
      return `start ${expr.process}`;
    case "Sleep":
      return `sleep ${expr.mode.toLowerCase()} ${valueText(expr.value)}`;
    case "Await":
      return `await ${valueText(expr.value)}`;
    case "WaitSignal":
      return `wait for ${expr.name}`;
    case "SignalRun":
      return `signal ${expr.name}`;
    case "Batch":
      return "in parallel";
    case "If":
    case "Ternary":
    case "While":
      return `${expr.kind === "While" ? "while" : "if"} ${valueText(expr.condition)}`;
    default:
      return expr.kind.toLowerCase();
  }
}

/** Names and simple operators as written, anything longer as `…`. */
function valueText(expr: LinkedExpr): string {
  switch (expr.kind) {
    case "Variable":
      return expr.name;
    case "Resource":
      return expr.alias;
    case "Field":
      return `${valueText(expr.object)}.${expr.field}`;
    case "Index":
      return `${valueText(expr.object)}[${valueText(expr.index)}]`;
    case "Number":
    case "Bool":
      return String(expr.value);
    case "String":
      return JSON.stringify(expr.value);
    case "Null":
      return "null";
    case "BuiltinCall":
      return `${expr.name}(${expr.args.map(valueText).join(", ")})`;
    case "Unary":
      return expr.operator === "not" ? `not ${valueText(expr.operand)}` : `-${valueText(expr.operand)}`;
    case "Binary":
      return `${valueText(expr.left)} ${expr.operator} ${valueText(expr.right)}`;
    case "Unwrap":
      return `${valueText(expr.value)}?`;
    default:
      return "…";
  }
}
