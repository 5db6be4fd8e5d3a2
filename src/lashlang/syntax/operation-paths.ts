// The dotted paths a program calls, before anything is known about its host: what a host may be asked for (`RLM-35`).
import type { Expr, Program } from "./ast.ts";
import { childrenOf } from "./children.ts";

/**
 * All `module.operation` paths of a program, process bodies included, each once, in source order. A path may turn out to
 * start at a variable; linking decides.
 */
export function operationPaths(program: Program): readonly string[] {
  const paths = new Set<string>();
  const visit = (expr: Expr): void => {
    if (expr.kind === "ReceiverCall") {
      const receiver = dottedPath(expr.receiver);
      if (receiver !== null) paths.add([...receiver, expr.operation].join("."));
    }
    childrenOf(expr).forEach(visit);
  };
  for (const declaration of program.declarations) {
    if (declaration.kind === "Process") visit(declaration.body);
  }
  visit(program.main);
  return Array.from(paths);
}

/** The parts of `a.b.c`; null for anything that is not a variable with fields. */
export function dottedPath(expr: Expr): readonly string[] | null {
  const parts: string[] = [];
  let at = expr;
  while (at.kind === "Field") {
    parts.push(at.field);
    at = at.object;
  }
  return at.kind === "Variable" ? [at.name, ...parts.reverse()] : null;
}
