// Links a program against a host: names, abilities and types are settled here, before anything runs (`LL-65`).
//
//   K1. Declarations are checked before the main block; the first error wins.
//   K2. A linked program holds nothing of the host that it does not use, so it is the same on every host that satisfies it.
import { hostRequirementsRefOf } from "../identity/refs.ts";
import type { Expr, ProcessDeclaration, Program } from "../syntax/ast.ts";
import type { TypeExpr } from "../syntax/type-expr.ts";
import { ANY, NULL, unionOf } from "../types/type-algebra.ts";
import { checkDeclarations } from "./check-declarations.ts";
import { EntryScope } from "./entry-scope.ts";
import { finishProgram } from "./finish-program.ts";
import type { DraftEntry, DraftProcess } from "./finish-program.ts";
import type { HostEnvironment } from "./host-environment.ts";
import { LinkContext, showType } from "./link-context.ts";
import type { LinkedProgram } from "./linked-program.ts";
import { lowerExpr } from "./lower-expr.ts";
import type { Lowering } from "./lowering.ts";
import { canFallThrough, inputsTypeOf, inputTypeOf } from "./process-types.ts";

/**
 * Links a parsed program.
 *
 * @param source - the text it was parsed from, for diagnostics.
 * @returns the program as the compiler takes it, with its content identities.
 * @throws SourceError of phase `link`: the first mistake found.
 */
export function link(program: Program, environment: HostEnvironment, source: string): LinkedProgram {
  const linker = new Linker(new LinkContext(source, environment));
  return linker.link(program);
}

/** How many processes deep an output is inferred from the process that another starts; beyond it is `any`. */
const MAX_OUTPUT_DEPTH = 20;

class Linker {
  private readonly context: LinkContext;
  /** Absent: not begun. Null: under way, so its output is not known yet. */
  private readonly drafts = new Map<string, DraftProcess | null>();

  private outputDepth = 0;

  constructor(context: LinkContext) {
    this.context = context;
  }

  link(program: Program): LinkedProgram {
    const { context } = this;
    checkDeclarations(context, program);
    const processes = Array.from(context.processes.values(), (process) => this.draft(process));
    const main = this.entry(program.main, new EntryScope(false)).draft;
    const hostRequirements = context.required.collect();
    return finishProgram({
      hostRequirements,
      hostRequirementsRef: hostRequirementsRefOf(hostRequirements),
      types: Array.from(context.declaredTypes, ([name, type]) => ({ name, type })),
      processes,
      main,
    });
  }

  private entry(body: Expr, scope: EntryScope): { draft: DraftEntry; finishes: readonly TypeExpr[] } {
    const finishes: TypeExpr[] = [];
    const lowering: Lowering = {
      context: this.context,
      scope,
      lower: (expr) => lowerExpr(lowering, expr),
      outputOf: (process) => this.outputOf(process),
      noteFinish: (type) => finishes.push(type),
    };
    const { node } = lowering.lower(body);
    return { draft: { variables: scope.variables, namedSlots: scope.namedSlots, body: node, siteCount: scope.sites }, finishes };
  }

  private draft(process: ProcessDeclaration): DraftProcess {
    const done = this.drafts.get(process.name);
    if (done) return done;
    this.drafts.set(process.name, null);
    const outer = this.context.declaration;
    this.context.declaration = process.span;
    const scope = new EntryScope(true);
    for (const { name, type } of process.params) scope.declare(name, type);
    // LL-97: a param of one of these names stays what its author called it
    if (!scope.isBound("input")) scope.declare("input", inputTypeOf(process));
    if (!scope.isBound("inputs")) scope.declare("inputs", inputsTypeOf(process));
    const { draft: entry, finishes } = this.entry(process.body, scope);
    const outputType = unionOf(canFallThrough(process.body) ? [...finishes, NULL] : finishes);
    const { name, params, signals, returnType, label, span } = process;
    if (returnType !== null && !this.context.isAssignable(outputType, returnType)) {
      const message = `process \`${name}\` return type is incompatible: expected ${showType(returnType)}, got ${showType(outputType)}`;
      this.context.fail("TypeMismatch", message, span);
    }
    const draft: DraftProcess = {
      name,
      params: params.map((param) => ({ name: param.name, type: param.type })),
      signals: signals.map((signal) => ({ name: signal.name, type: signal.type })),
      returnType,
      outputType,
      label,
      entry,
      span,
    };
    this.drafts.set(name, draft);
    this.context.declaration = outer;
    return draft;
  }

  private outputOf(process: ProcessDeclaration): TypeExpr {
    if (process.returnType !== null) return process.returnType;
    if (this.drafts.get(process.name) === null) return ANY; // it starts itself, directly or by way of others
    if (this.outputDepth >= MAX_OUTPUT_DEPTH) return ANY;
    this.outputDepth += 1;
    const { outputType } = this.draft(process);
    this.outputDepth -= 1;
    return outputType;
  }
}
