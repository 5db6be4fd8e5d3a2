// Lowers statements: blocks, control flow, assignment, and what hands a value to the host.
import type { AssignStatement, Expr, ForStatement, IfStatement, LabeledStatement, Statement, TargetStep, WhileStatement } from "../syntax/ast.ts";
import { childrenOf } from "../syntax/children.ts";
import type { TypeExpr } from "../syntax/type-expr.ts";
import { ANY, DICT, listOf, NULL, objectOf, unionOf } from "../types/type-algebra.ts";
import type { LinkedExpr, LinkedStep } from "./linked-program.ts";
import type { Lowering, Typed } from "./lowering.ts";

export function lowerStatement(lowering: Lowering, statement: Statement): Typed {
  switch (statement.kind) {
    case "Block": {
      const lowered = statement.statements.map((each) => lowering.lower(each));
      return { node: { ...statement, statements: lowered.map(({ node }) => node) }, type: lowered.at(-1)?.type ?? NULL };
    }
    case "Labeled":
      return lowerLabeled(lowering, statement);
    case "If":
      return lowerIf(lowering, statement);
    case "For":
      return lowerFor(lowering, statement);
    case "While":
      return lowerWhile(lowering, statement);
    case "Break":
    case "Continue":
      return { node: statement, type: NULL };
    case "Assign":
      return lowerAssign(lowering, statement);
    case "Cancel":
      return lowerEmit(lowering, "Cancel", statement.handle, statement);
    case "Finish":
    case "Print":
    case "Yield":
    case "Wake":
    case "Fail":
      return lowerEmit(lowering, statement.kind, statement.value, statement);
  }
}

function lowerEmit(lowering: Lowering, kind: "Finish" | "Fail" | "Print" | "Cancel" | "Yield" | "Wake", value: Expr, { span }: Statement): Typed {
  const lowered = lowering.lower(value);
  if (kind === "Finish") lowering.noteFinish(lowered.type);
  const node: LinkedExpr = { kind, value: lowered.node, site: lowering.scope.nextSite(), span };
  return { node, type: kind === "Yield" || kind === "Wake" ? lowered.type : NULL };
}

function lowerLabeled(lowering: Lowering, labeled: LabeledStatement): Typed {
  lowering.context.needFeature("labelAnnotations", labeled.span);
  const site = lowering.scope.nextSite();
  const { node, type } = lowering.lower(labeled.statement);
  return { node: { ...labeled, statement: node, site }, type };
}

function lowerIf(lowering: Lowering, { condition, consequent, otherwise, span }: IfStatement): Typed {
  const site = lowering.scope.nextSite();
  const test = lowering.lower(condition);
  const [taken, notTaken] = lowering.scope.alternatives<Typed | null>([
    () => lowering.lower(consequent),
    () => (otherwise === null ? null : lowering.lower(otherwise)),
  ]);
  const node: LinkedExpr = {
    kind: "If",
    condition: test.node,
    consequent: taken?.node ?? NOTHING,
    otherwise: notTaken?.node ?? null,
    site,
    span,
  };
  return { node, type: unionOf([taken?.type ?? NULL, notTaken?.type ?? NULL]) };
}

const NOTHING: LinkedExpr = { kind: "Block", statements: [] };

function lowerFor(lowering: Lowering, { name, iterable, body, span }: ForStatement): Typed {
  const items = lowering.lower(iterable);
  const itemType = items.type.kind === "List" ? items.type.item : ANY;
  return lowering.scope.bindDuring(name, itemType, (slot) => {
    const lowered = lowerLoopBody(lowering, body);
    return { node: { kind: "For", slot, iterable: items.node, body: lowered, span }, type: NULL };
  });
}

function lowerWhile(lowering: Lowering, { condition, body, span }: WhileStatement): Typed {
  const site = lowering.scope.nextSite();
  return lowering.scope.inLoop(namesBoundIn(body), () => {
    const test = lowering.lower(condition);
    return { node: { kind: "While", condition: test.node, body: lowerLoopBody(lowering, body), site, span }, type: NULL };
  });
}

/** A body may run or not, and again: what it sets is a union with what was there before. */
function lowerLoopBody(lowering: Lowering, body: Expr): LinkedExpr {
  const lower = (): LinkedExpr => lowering.scope.inLoop(namesBoundIn(body), () => lowering.lower(body)).node;
  const [once] = lowering.scope.alternatives<LinkedExpr>([lower, () => NOTHING]);
  return once ?? NOTHING;
}

function namesBoundIn(body: Expr): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = (expr: Expr): void => {
    if (expr.kind === "Assign" && expr.target.steps.length === 0) names.add(expr.target.name);
    if (expr.kind === "Block" || expr.kind === "If" || expr.kind === "For" || expr.kind === "While" || expr.kind === "Labeled") {
      childrenOf(expr).forEach(visit);
    }
  };
  visit(body);
  return names;
}

/** LL-37: a path needs a root that exists; its index expressions come before the value. */
function lowerAssign(lowering: Lowering, { target, value, span }: AssignStatement): Typed {
  const { context, scope } = lowering;
  const { name } = target;
  const isPath = target.steps.length > 0;
  if (isPath && scope.inProcess && !scope.isBound(name) && !scope.isBoundLater(name)) {
    context.fail("UnknownName", `unknown name \`${name}\``, target.span);
  }
  if (isPath) scope.read(name);
  const steps = target.steps.map((step): LinkedStep =>
    step.kind === "Field" ? step : { kind: "Index", index: lowering.lower(step.index).node },
  );
  const lowered = lowering.lower(value);
  const type = isPath ? typeAfterUpdate(scope.typeOf(name), target.steps, lowered.type) : lowered.type;
  const slot = isPath && !scope.isBound(name) ? scope.read(name) : scope.assign(name, type);
  return { node: { kind: "Assign", slot, name, steps, value: lowered.node, span }, type: NULL };
}

/** The type of a variable after one place inside it was set; `any` where that cannot be said. */
function typeAfterUpdate(type: TypeExpr, steps: readonly TargetStep[], value: TypeExpr): TypeExpr {
  const [step, ...rest] = steps;
  if (step === undefined) return value;
  if (type.kind === "List" && step.kind === "Index") return listOf(unionOf([type.item, typeAfterUpdate(type.item, rest, value)]));
  if (type.kind !== "Object") return type.kind === "Dict" ? DICT : ANY;
  if (step.kind === "Index") return DICT;
  const field = type.fields.find(({ name }) => name === step.field)?.type ?? ANY;
  return objectOf([...type.fields.map((each) => [each.name, each.type] as const), [step.field, typeAfterUpdate(field, rest, value)]]);
}
