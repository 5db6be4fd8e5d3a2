// What the parts of the lowering pass see of each other. They call each other all the way round, through this interface,
// so that no file imports what imports it.
import type { Expr, ProcessDeclaration } from "../syntax/ast.ts";
import type { TypeExpr } from "../syntax/type-expr.ts";
import type { EntryScope } from "./entry-scope.ts";
import type { LinkContext } from "./link-context.ts";
import type { LinkedExpr } from "./linked-program.ts";

/** A lowered node and the type of the value it gives. */
export interface Typed {
  readonly node: LinkedExpr;
  readonly type: TypeExpr;
}

export interface Lowering {
  readonly context: LinkContext;
  readonly scope: EntryScope;
  lower(expr: Expr): Typed;
  /** The inferred output of a process; `any` while that is being inferred. */
  outputOf(process: ProcessDeclaration): TypeExpr;
  /** Notes the type of a `finish` of this entry. */
  noteFinish(type: TypeExpr): void;
}
