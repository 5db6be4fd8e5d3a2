// Links a program against a host: names, abilities and types are settled here, before anything runs (`LL-65`).
//
//   K1. Declarations are checked before the main block; the first error wins.
//   K2. A linked program holds nothing of the host that it does not use, so it is the same on every host that satisfies it.
import type { Expr, Param, ProcessDeclaration, Program } from "../syntax/ast.ts";
import type { TypeExpr } from "../syntax/type-expr.ts";
import type { HostEnvironment } from "./host-environment.ts";
import type { LinkedProgram } from "./linked-program.ts";
import type { Lowering } from "./lowering.ts";
import { EntryScope } from "./entry-scope.ts";
import { canFallThrough, inputsTypeOf, inputTypeOf } from "./process-types.ts";
import { LinkContext, showType } from "./link-context.ts";
import { hostRequirementsRefOf } from "../identity/refs.ts";
import { ANY, NULL, unionOf } from "../types/type-algebra.ts";
import { checkDeclarations } from "./check-declarations.ts";
import { lowerExpr } from "./lower-expr.ts";
import { finishProgram } from "./finish-program.ts";
import type { DraftEntry, DraftProcess } from "./finish-program.ts";

/** How many processes deep an output is inferred from the process that another starts; beyond it is `any`. */
const MAX_OUTPUT_DEPTH = 20;

/**
 * Links a parsed program.
 *
 * @param source - the text it was parsed from, for diagnostics.
 * @returns the program as the compiler takes it, with its content identities.
 * @throws SourceError of phase `link`: the first mistake found.
 */
export function link(program: Program, environment: HostEnvironment, source: string): LinkedProgram {
  const context = new LinkContext(source, environment);
  /** Absent: not begun. Null: under way, so its output is not known yet. */
  const drafts = new Map<string, DraftProcess | null>();
  let outputDepth = 0;

  const lowerEntry = (body: Expr, scope: EntryScope): { entry: DraftEntry; finishes: readonly TypeExpr[] } => {
    const finishes: TypeExpr[] = [];
    const lowering: Lowering = {
      context,
      scope,
      lower: (expr) => lowerExpr(lowering, expr),
      outputOf,
      noteFinish: (type) => finishes.push(type),
    };
    const { node } = lowering.lower(body);
    return { entry: { variables: scope.variables, namedSlots: scope.namedSlots, body: node, siteCount: scope.sites }, finishes };
  };

  const lowerProcess = (process: ProcessDeclaration): DraftProcess => {
    const { name, params, signals, returnType, label, body, span } = process;
    const done = drafts.get(name);
    if (done) return done;
    drafts.set(name, null);
    const outer = context.declaration;
    context.declaration = span;
    const scope = new EntryScope(true);
    for (const param of params) scope.declare(param.name, param.type);
    // LL-97: a param of one of these names stays what its author called it
    if (!scope.isBound("input")) scope.declare("input", inputTypeOf(process));
    if (!scope.isBound("inputs")) scope.declare("inputs", inputsTypeOf(process));
    const { entry, finishes } = lowerEntry(body, scope);
    const outputType = unionOf(canFallThrough(body) ? [...finishes, NULL] : finishes);
    if (returnType !== null && !context.isAssignable(outputType, returnType)) {
      const message = `process \`${name}\` return type is incompatible: expected ${showType(returnType)}, got ${showType(outputType)}`;
      context.fail("TypeMismatch", message, span);
    }
    const draft: DraftProcess = { name, params: params.map(nameAndType), signals: signals.map(nameAndType), returnType, outputType, label, entry, span };
    drafts.set(name, draft);
    context.declaration = outer;
    return draft;
  };

  const outputOf = (process: ProcessDeclaration): TypeExpr => {
    if (process.returnType !== null) return process.returnType;
    // Null: it starts itself, directly or by way of others.
    if (drafts.get(process.name) === null || outputDepth >= MAX_OUTPUT_DEPTH) return ANY;
    outputDepth += 1;
    const { outputType } = lowerProcess(process);
    outputDepth -= 1;
    return outputType;
  };

  checkDeclarations(context, program);
  const processes = Array.from(context.processes.values(), lowerProcess);
  const main = lowerEntry(program.main, new EntryScope(false)).entry;
  const hostRequirements = context.required.collect();
  return finishProgram({
    hostRequirements,
    hostRequirementsRef: hostRequirementsRefOf(hostRequirements),
    types: Array.from(context.declaredTypes, ([name, type]) => ({ name, type })),
    processes,
    main,
  });
}

function nameAndType({ name, type }: Param): { name: string; type: TypeExpr } {
  return { name, type };
}
