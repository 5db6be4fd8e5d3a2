// The sub-expressions of a syntax node, in evaluation order: what generic walks over the tree are written on.
import type { Expr } from "./ast.ts";

export function childrenOf(expr: Expr): readonly Expr[] {
  switch (expr.kind) {
    case "Null":
    case "Bool":
    case "Number":
    case "String":
    case "TypeLiteral":
    case "Variable":
    case "WaitSignal":
    case "Break":
    case "Continue":
      return [];
    case "List":
    case "Tuple":
      return expr.items;
    case "Record":
      return expr.entries.map((entry) => entry.value);
    case "Comprehension":
      return [...expr.clauses.map((clause) => (clause.kind === "For" ? clause.iterable : clause.condition)), expr.element];
    case "Field":
      return [expr.object];
    case "Index":
      return [expr.object, expr.index];
    case "Unwrap":
    case "Await":
    case "Sleep":
    case "Finish":
    case "Print":
    case "Yield":
    case "Wake":
    case "Fail":
      return [expr.value];
    case "Cancel":
      return [expr.handle];
    case "Unary":
      return [expr.operand];
    case "Binary":
      return [expr.left, expr.right];
    case "Ternary":
      return [expr.condition, expr.consequent, expr.otherwise];
    case "BuiltinCall":
      return expr.args;
    case "ReceiverCall":
      return [expr.receiver, ...expr.args];
    case "Start":
      return expr.args.map((argument) => argument.value);
    case "SignalRun":
      return [expr.run, expr.payload];
    case "Block":
      return expr.statements;
    case "Labeled":
      return [expr.statement];
    case "If":
      return expr.otherwise === null ? [expr.condition, expr.consequent] : [expr.condition, expr.consequent, expr.otherwise];
    case "For":
      return [expr.iterable, expr.body];
    case "While":
      return [expr.condition, expr.body];
    case "Assign":
      return [...expr.target.steps.flatMap((step) => (step.kind === "Index" ? [step.index] : [])), expr.value];
  }
}
