// The types around a process declaration: what it takes, what it gives, whether it can run off its end (`LL-70`, `LL-97`).
import type { Expr, ProcessDeclaration } from "../syntax/ast.ts";
import type { ProcessType, TypeExpr } from "../syntax/type-expr.ts";
import { NULL, objectOf } from "../types/type-algebra.ts";

/** The record of all args, bound as `inputs`. */
export function inputsTypeOf(process: ProcessDeclaration): TypeExpr {
  return objectOf(process.params.map(({ name, type }) => [name, type]));
}

/** What `input` is bound to: the single arg, null for none, else the record of args. */
export function inputTypeOf(process: ProcessDeclaration): TypeExpr {
  const [first, second] = process.params;
  if (first === undefined) return NULL;
  return second === undefined ? first.type : inputsTypeOf(process);
}

export function processTypeOf(process: ProcessDeclaration, output: TypeExpr): ProcessType {
  return { kind: "Process", input: inputTypeOf(process), output, inputCount: process.params.length };
}

/** Whether control can pass the statement; loops always can, since their condition is a run-time matter. */
export function canFallThrough(statement: Expr): boolean {
  switch (statement.kind) {
    case "Finish":
    case "Fail":
    case "Break":
    case "Continue":
      return false;
    case "Block":
      return statement.statements.every(canFallThrough);
    case "Labeled":
      return canFallThrough(statement.statement);
    case "If":
      return statement.otherwise === null || canFallThrough(statement.consequent) || canFallThrough(statement.otherwise);
    default:
      return true;
  }
}
