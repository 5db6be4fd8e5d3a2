// The checks that need no body: names, types and parameters of declarations (`LL-69`, `LL-73`).
import type { Declaration, Param, ProcessDeclaration, Program, TypeDeclaration } from "../syntax/ast.ts";
import type { Span } from "../syntax/span.ts";
import type { TypeExpr } from "../syntax/type-expr.ts";
import { partsOf } from "../types/type-algebra.ts";
import type { LinkContext } from "./link-context.ts";

export function checkDeclarations(context: LinkContext, { declarations }: Program): void {
  for (const declaration of declarations) declare(context, declaration);
  for (const declaration of declarations) {
    if (declaration.kind === "Type") {
      checkType(context, declaration.type, declaration.span);
      checkAliasEnds(context, declaration);
    } else {
      checkProcess(context, declaration);
    }
  }
}

/** Types and processes are separate namespaces. */
function declare(context: LinkContext, declaration: Declaration): void {
  const { name, span } = declaration;
  const taken = declaration.kind === "Type" ? context.declaredTypes : context.processes;
  if (taken.has(name)) context.fail("DuplicateName", `duplicate declaration \`${name}\``, span);
  if (declaration.kind === "Type") context.declaredTypes.set(name, declaration.type);
  else context.processes.set(name, declaration);
}

function checkProcess(context: LinkContext, process: ProcessDeclaration): void {
  context.needAbility("processes", process.span);
  if (process.label !== null) context.needFeature("labelAnnotations", process.span);
  checkParams(context, process.params, "parameter");
  if (process.signals.length > 0) context.needAbility("processSignals", process.span);
  checkParams(context, process.signals, "signal");
  if (process.returnType !== null) checkType(context, process.returnType, process.span);
}

function checkParams(context: LinkContext, params: readonly Param[], what: "parameter" | "signal"): void {
  const seen = new Set<string>();
  for (const { name, type, span } of params) {
    if (seen.has(name)) context.fail("DuplicateName", `duplicate process ${what} \`${name}\``, span);
    seen.add(name);
    checkType(context, type, span);
  }
}

function checkType(context: LinkContext, type: TypeExpr, span: Span): void {
  if (type.kind === "Ref" && !context.isKnownType(type.name)) context.fail("UnknownType", `unknown type \`${type.name}\``, type.span ?? span);
  for (const part of partsOf(type)) checkType(context, part, span);
  context.required.type(type);
}

/** `type A = B | null; type B = A` describes no value; through a field or a list a type may well hold itself. */
function checkAliasEnds(context: LinkContext, { name, type: own, span }: TypeDeclaration): void {
  const visited = new Set<string>();
  const visit = (type: TypeExpr): void => {
    if (type.kind === "Union") return type.members.forEach(visit);
    if (type.kind !== "Ref") return;
    if (type.name === name) context.fail("UnknownType", `type \`${name}\` refers to itself`, span);
    if (visited.has(type.name)) return;
    visited.add(type.name);
    const meaning = context.declaredTypes.get(type.name);
    if (meaning !== undefined) visit(meaning);
  };
  visit(own);
}
