// Lowers expressions: names resolved, types inferred, everything the run time need not ask again.
import type { BinaryOperator, ComprehensionClause, ComprehensionExpr, Expr, FieldExpr, IndexExpr, TypeLiteral } from "../syntax/ast.ts";
import type { TypeExpr } from "../syntax/type-expr.ts";
import { ANY, BOOL, DICT, FLOAT, listOf, NULL, objectOf, partsOf, STR, unionOf } from "../types/type-algebra.ts";
import { lowerAwait, lowerUnwrap } from "./lower-await.ts";
import { lowerBuiltinCall, lowerReceiverCall, lowerSignalRun, lowerSleep, lowerStart, lowerWaitSignal } from "./lower-call.ts";
import { lowerStatement } from "./lower-statement.ts";
import type { LinkedClause, LinkedExpr } from "./linked-program.ts";
import type { Lowering, Typed } from "./lowering.ts";
import { hostPathOf, lowerModule, lowerVariable } from "./resolve-path.ts";

export function lowerExpr(lowering: Lowering, expr: Expr): Typed {
  const { span } = expr;
  switch (expr.kind) {
    case "Null":
      return { node: expr, type: NULL };
    case "Bool":
      return { node: expr, type: BOOL };
    case "Number":
      return { node: { ...expr, value: expr.value === Infinity ? "inf" : expr.value }, type: FLOAT };
    case "String":
      return { node: expr, type: { kind: "Enum", values: [expr.value] } };
    case "List":
    case "Tuple": {
      const items = expr.items.map((item) => lowering.lower(item));
      return { node: { ...expr, items: items.map(({ node }) => node) }, type: listOf(unionOf(items.map(({ type }) => type))) };
    }
    case "Record": {
      const entries = expr.entries.map(({ key, value }) => ({ key, ...lowering.lower(value) }));
      const node: LinkedExpr = { ...expr, entries: entries.map(({ key, node: value }) => ({ key, value })) };
      return { node, type: objectOf(entries.map(({ key, type }) => [key, type])) };
    }
    case "Comprehension":
      return lowerComprehension(lowering, expr);
    case "TypeLiteral":
      return lowerTypeLiteral(lowering, expr);
    case "Variable":
      return lowerVariable(lowering, expr.name, span);
    case "Field":
      return lowerField(lowering, expr);
    case "Index":
      return lowerIndex(lowering, expr);
    case "Unwrap":
      return lowerUnwrap(lowering, expr.value, span);
    case "Await":
      return lowerAwait(lowering, expr.value, span);
    case "Unary": {
      const operand = lowering.lower(expr.operand);
      return { node: { ...expr, operand: operand.node }, type: expr.operator === "not" ? BOOL : FLOAT };
    }
    case "Binary": {
      const left = lowering.lower(expr.left);
      const right = lowering.lower(expr.right);
      const node: LinkedExpr = { ...expr, left: left.node, right: right.node };
      return { node, type: binaryType(expr.operator, left.type, right.type) };
    }
    case "Ternary": {
      const site = lowering.scope.nextSite();
      const [condition, consequent, otherwise] = [lowering.lower(expr.condition), lowering.lower(expr.consequent), lowering.lower(expr.otherwise)];
      const node: LinkedExpr = { ...expr, condition: condition.node, consequent: consequent.node, otherwise: otherwise.node, site };
      return { node, type: unionOf([consequent.type, otherwise.type]) };
    }
    case "BuiltinCall":
      return lowerBuiltinCall(lowering, expr);
    case "ReceiverCall":
      return lowerReceiverCall(lowering, expr, false);
    case "Start":
      return lowerStart(lowering, expr);
    case "Sleep":
      return lowerSleep(lowering, expr);
    case "WaitSignal":
      return lowerWaitSignal(lowering, expr);
    case "SignalRun":
      return lowerSignalRun(lowering, expr);
    default:
      return lowerStatement(lowering, expr);
  }
}

function binaryType(operator: BinaryOperator, left: TypeExpr, right: TypeExpr): TypeExpr {
  switch (operator) {
    case "-":
    case "*":
    case "/":
    case "%":
      return FLOAT;
    case "+":
      return sumType(left, right);
    default:
      return BOOL;
  }
}

/** LL-32: text wins, lists join, what is known to be neither adds up. */
function sumType(left: TypeExpr, right: TypeExpr): TypeExpr {
  if (isText(left) || isText(right)) return STR;
  if (left.kind === "List" && right.kind === "List") return listOf(unionOf([left.item, right.item]));
  return isNumeric(left) && isNumeric(right) ? FLOAT : ANY;
}

function isText(type: TypeExpr): boolean {
  return type.kind === "Str" || type.kind === "Enum" || (type.kind === "Union" && type.members.length > 0 && type.members.every(isText));
}

function isNumeric(type: TypeExpr): boolean {
  if (type.kind === "Union") return type.members.every(isNumeric);
  return type.kind === "Int" || type.kind === "Float" || type.kind === "Bool" || type.kind === "Null";
}

/** Clauses nest left to right; each binding lives until the element is done (`LL-18`). */
function lowerComprehension(lowering: Lowering, expr: ComprehensionExpr): Typed {
  const clauses: LinkedClause[] = [];
  const lowerRest = (rest: readonly ComprehensionClause[]): Typed => {
    const [clause, ...after] = rest;
    if (clause === undefined) return lowering.lower(expr.element);
    if (clause.kind === "If") {
      clauses.push({ kind: "If", condition: lowering.lower(clause.condition).node });
      return lowerRest(after);
    }
    const iterable = lowering.lower(clause.iterable);
    return lowering.scope.bindDuring(clause.name, iterable.type.kind === "List" ? iterable.type.item : ANY, (slot) => {
      clauses.push({ kind: "For", slot, iterable: iterable.node });
      return lowerRest(after);
    });
  };
  const element = lowerRest(expr.clauses);
  return { node: { ...expr, element: element.node, clauses }, type: listOf(element.type) };
}

/** LL-62: a name inside is a variable that holds a Type value, or a data type that the host names. */
function lowerTypeLiteral(lowering: Lowering, { type, span }: TypeLiteral): Typed {
  const { context, scope } = lowering;
  const refs = new Map<string, { readonly value: LinkedExpr; readonly described: TypeExpr }>();

  const visit = (part: TypeExpr): void => {
    if (part.kind === "Process" || part.kind === "TriggerHandle") return; // LL-61: their inside is not part of a schema
    if (part.kind !== "Ref") return partsOf(part).forEach(visit);
    if (refs.has(part.name)) return;
    const [root = "", ...fields] = part.name.split(".");
    const named = fields.length > 0 && !scope.isBound(root) ? context.resolveType(part.name) : null;
    if (named === null) {
      refs.set(part.name, lowerTypeRef(lowering, root, fields, part.span ?? span));
    } else {
      context.required.type(part);
      refs.set(part.name, { value: { kind: "TypeLiteral", type: named, refs: [] }, described: named });
    }
  };

  visit(type);
  const literalType: TypeExpr = { ...DICT };
  context.meanings.set(literalType, { kind: "typeValue", described: substitute(type, (name) => refs.get(name)?.described ?? ANY) });
  const node: LinkedExpr = { kind: "TypeLiteral", type, refs: Array.from(refs, ([name, { value }]) => ({ name, value })), span };
  return { node, type: literalType };
}

function lowerTypeRef(lowering: Lowering, root: string, fields: readonly string[], span: { start: number; end: number }): { value: LinkedExpr; described: TypeExpr } {
  const variable = lowerVariable(lowering, root, span);
  const value = fields.reduce<LinkedExpr>((object, field) => ({ kind: "Field", object, field, span }), variable.node);
  const meaning = fields.length === 0 ? lowering.context.meanings.get(variable.type) : undefined;
  return { value, described: meaning?.kind === "typeValue" ? meaning.described : ANY };
}

function substitute(type: TypeExpr, meaningOf: (name: string) => TypeExpr): TypeExpr {
  if (type.kind === "Ref") return meaningOf(type.name);
  if (partsOf(type).length === 0) return type;
  switch (type.kind) {
    case "List":
      return listOf(substitute(type.item, meaningOf));
    case "Object":
      return { kind: "Object", fields: type.fields.map((field) => ({ ...field, type: substitute(field.type, meaningOf) })) };
    case "Union":
      return unionOf(type.members.map((member) => substitute(member, meaningOf)));
    default:
      return ANY;
  }
}

function lowerField(lowering: Lowering, expr: FieldExpr): Typed {
  const { context } = lowering;
  const path = hostPathOf(lowering, expr) ?? "";
  const module = context.modules.get(path);
  if (module !== undefined) return lowerModule(lowering, module, expr.span);
  if (path === "trigger.event") {
    context.fail("InvalidTrigger", "`trigger.event` is only valid as a direct value inside `triggers.register` inputs", expr.span);
  }
  if (path.startsWith("trigger.event.")) {
    context.fail("InvalidTrigger", "`trigger.event` represents the whole event; map it to a process param and read fields there", expr.span);
  }
  const object = lowering.lower(expr.object);
  const opaque = context.opaqueTypeOf(object.type);
  if (opaque !== null) context.fail("OpaqueDescriptor", `cannot access \`.${expr.field}\` on opaque host descriptor \`${opaque}\``, expr.span);
  return { node: { ...expr, object: object.node }, type: fieldTypeOf(lowering, object.type, expr.field) };
}

export function fieldTypeOf(lowering: Lowering, type: TypeExpr, field: string): TypeExpr {
  const meaning = lowering.context.expand(type);
  if (meaning.kind === "Null") return NULL;
  if (meaning.kind === "Union") return unionOf(meaning.members.map((member) => fieldTypeOf(lowering, member, field)));
  if (meaning.kind !== "Object") return ANY;
  const found = meaning.fields.find(({ name }) => name === field);
  if (found === undefined) return ANY; // a value may hold more than its type says
  return found.optional ? unionOf([found.type, NULL]) : found.type;
}

function lowerIndex(lowering: Lowering, expr: IndexExpr): Typed {
  const object = lowering.lower(expr.object);
  const opaque = lowering.context.opaqueTypeOf(object.type);
  if (opaque !== null) lowering.context.fail("OpaqueDescriptor", `cannot access \`[]\` on opaque host descriptor \`${opaque}\``, expr.span);
  const index = lowering.lower(expr.index);
  return { node: { ...expr, object: object.node, index: index.node }, type: indexTypeOf(lowering, object.type, index.node) };
}

/** An item that may be missing is typed as if it were there: who indexes a list knows why. */
function indexTypeOf(lowering: Lowering, type: TypeExpr, index: LinkedExpr): TypeExpr {
  const meaning = lowering.context.expand(type);
  if (meaning.kind === "List") return meaning.item;
  if (isText(meaning)) return STR;
  if (meaning.kind === "Object" && index.kind === "String") return fieldTypeOf(lowering, meaning, index.value);
  return meaning.kind === "Null" ? NULL : ANY;
}
