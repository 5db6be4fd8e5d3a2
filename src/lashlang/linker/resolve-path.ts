// What a name stands for: a module, a variable, a process, or nothing (`LL-66`).
import type { Span } from "../syntax/span.ts";
import type { TypeExpr } from "../syntax/type-expr.ts";
import { ANY } from "../types/type-algebra.ts";
import type { ModuleInstance } from "./host-environment.ts";
import type { Lowering, Typed } from "./lowering.ts";
import { processTypeOf } from "./process-types.ts";

/** The module a path names, unless a variable of this program shadows its root. */
export function moduleAt({ context, scope }: Lowering, path: readonly string[] | null): ModuleInstance | null {
  const root = path?.[0];
  if (path === null || root === undefined || scope.isBound(root)) return null;
  return context.modules.get(path.join(".")) ?? null;
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
  const module = moduleAt(lowering, [name]);
  if (module !== null) return lowerModule(lowering, module, span);
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
