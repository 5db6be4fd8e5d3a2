// What a name stands for: a module, a variable, a process, or nothing (`LL-66`).
import type { Expr } from "../syntax/ast.ts";
import { dottedPath } from "../syntax/operation-paths.ts";
import type { Span } from "../syntax/span.ts";
import type { TypeExpr } from "../syntax/type-expr.ts";
import { ANY } from "../types/type-algebra.ts";
import type { ModuleInstance } from "./host-environment.ts";
import type { Lowering, Typed } from "./lowering.ts";
import { processTypeOf } from "./process-types.ts";

/** `a.b.c` as text, if no variable of this program shadows its root: then it may name something of the host. */
export function hostPathOf({ scope }: Lowering, expr: Expr): string | null {
  const path = dottedPath(expr);
  return path === null || scope.isBound(path[0] ?? "") ? null : path.join(".");
}

export function lowerModule({ context }: Lowering, module: ModuleInstance, span: Span): Typed {
  context.required.module(module);
  return {
    node: { kind: "Resource", resourceType: module.resourceType, alias: module.alias, span },
    type: { kind: "Ref", name: module.resourceType },
  };
}

export function lowerVariable(lowering: Lowering, name: string, span: Span): Typed {
  const { context, scope } = lowering;
  if (scope.isBound(name)) return { node: { kind: "Variable", slot: scope.read(name), name, span }, type: scope.typeOf(name) };
  const module = context.modules.get(name);
  if (module !== undefined) return lowerModule(lowering, module, span);
  const process = context.processes.get(name);
  if (process !== undefined) {
    context.needAbility("processes", span);
    const type: TypeExpr = { ...processTypeOf(process, lowering.outputOf(process)) };
    context.meanings.set(type, { kind: "process", process: name });
    return { node: { kind: "ProcessValue", process: name, span }, type };
  }
  if (scope.inProcess && !scope.isBoundLater(name)) return context.fail("UnknownName", `unknown name \`${name}\``, span);
  return { node: { kind: "Variable", slot: scope.read(name), name, span }, type: ANY };
}
