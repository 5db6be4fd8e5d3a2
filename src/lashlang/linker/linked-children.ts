// The sub-expressions of a linked node in evaluation order. Their indexes are the paths of call-site identities (`LL-92`),
// so the order here is part of what a durable run depends on.
import type { LinkedExpr } from "./linked-program.ts";

export function childrenOf(node: LinkedExpr): readonly LinkedExpr[] {
  switch (node.kind) {
    case "Null":
    case "Bool":
    case "Number":
    case "String":
    case "Variable":
    case "Resource":
    case "ProcessValue":
    case "TriggerEvent":
    case "WaitSignal":
    case "Break":
    case "Continue":
      return [];
    case "List":
    case "Tuple":
      return node.items;
    case "Record":
      return node.entries.map((entry) => entry.value);
    case "Comprehension":
      return [...node.clauses.map((clause) => (clause.kind === "For" ? clause.iterable : clause.condition)), node.element];
    case "TypeLiteral":
      return node.refs.map((ref) => ref.value);
    case "Field":
      return [node.object];
    case "Index":
      return [node.object, node.index];
    case "Unwrap":
    case "Await":
    case "Sleep":
    case "Finish":
    case "Fail":
    case "Print":
    case "Cancel":
    case "Yield":
    case "Wake":
      return [node.value];
    case "Unary":
      return [node.operand];
    case "Binary":
      return [node.left, node.right];
    case "Ternary":
      return [node.condition, node.consequent, node.otherwise];
    case "BuiltinCall":
      return node.args;
    case "Construct":
      return [node.argument];
    case "Operation":
      return [node.receiver, ...node.args];
    case "Batch":
      return [node.tree];
    case "Start":
      return node.args.map((argument) => argument.value);
    case "SignalRun":
      return [node.run, node.payload];
    case "Block":
      return node.statements;
    case "Labeled":
      return [node.statement];
    case "If":
      return node.otherwise === null ? [node.condition, node.consequent] : [node.condition, node.consequent, node.otherwise];
    case "For":
      return [node.iterable, node.body];
    case "While":
      return [node.condition, node.body];
    case "Assign":
      return [...node.steps.flatMap((step) => (step.kind === "Index" ? [step.index] : [])), node.value];
  }
}
