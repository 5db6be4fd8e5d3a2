// Expressions as closures. What may suspend or loop goes to compound.ts and effects.ts; here one instruction suffices.
import { type Template, fillTemplate, format, parseTemplate } from "../builtins/format.ts";
import { BUILTINS, callProjected, wrongCount } from "../builtins/table.ts";
import type { Builtin } from "../builtins/builtin.ts";
import type { LinkedExpr } from "../linker/linked-program.ts";
import { readField, readIndex } from "../values/access.ts";
import { negate } from "../values/arithmetic.ts";
import { equals, truthy } from "../values/compare.ts";
import { ProgramError } from "../values/errors.ts";
import { materialize } from "../values/materialize.ts";
import { Projected } from "../values/projected.ts";
import { Shape } from "../values/shape.ts";
import { List, Rec, Resource, type Value, makeList, makeRec, makeTuple, recordOf } from "../values/value.ts";
import { unwrap } from "../values/wrapper.ts";
import type { Eval, Frame } from "../vm/frame.ts";
import { isCompound } from "./analysis.ts";
import type { Context } from "./context.ts";
import { OF_EXPRESSIONS, WITH_NUMBER } from "./operators.ts";
import { readVariable } from "./read.ts";
import { typeLiteral } from "./type-literal.ts";

type Of<K extends LinkedExpr["kind"]> = Extract<LinkedExpr, { kind: K }>;

/** The closure for an expression whose own kind needs no instruction; its parts may. Undefined for other kinds. */
export function closure(c: Context, expr: LinkedExpr): Eval | undefined {
  switch (expr.kind) {
    case "Null":
      return () => null;
    case "Bool":
    case "String": {
      const value = expr.value;
      return () => value;
    }
    case "Number": {
      const value = numberOf(expr);
      return () => value;
    }
    case "Variable":
      return readVariable(expr.slot, expr.name);
    case "List":
    case "Tuple": {
      const items = all(c.operands(expr.items, true));
      if (expr.kind === "Tuple") return (s, f) => makeTuple(items(s, f), f);
      return (s, f) => makeList(items(s, f), f);
    }
    case "Record":
      return record(c, expr);
    case "TypeLiteral":
      return typeLiteral(c, expr);
    case "Resource": {
      const resource = new Resource(expr.resourceType, expr.alias);
      return () => resource;
    }
    case "ProcessValue":
      return processValue(c, expr);
    case "TriggerEvent":
      return (_, f) => recordOf([["$lash.trigger.event", true]], f);
    case "Construct": {
      const argument = c.owned(expr.argument);
      const { typeName } = expr;
      return (s, f) => {
        const value = argument(s, f);
        return recordOf([["$lash_host_descriptor_type", typeName], ["$lash_host_descriptor_value", value]], f);
      };
    }
    case "Field":
      return field(c.expr(expr.object), expr.field);
    case "Index":
      return index(c, expr);
    case "Unwrap": {
      const value = c.expr(expr.value);
      return (s, f) => unwrap(value(s, f), f);
    }
    case "Unary":
      return unary(c, expr);
    case "Binary":
      return binary(c, expr);
    case "Ternary":
      return isCompound(expr.consequent) || isCompound(expr.otherwise) ? undefined : ternary(c, expr);
    case "BuiltinCall":
      return builtinCall(c, expr);
    default:
      return undefined;
  }
}

export const numberOf = (expr: Of<"Number">): number => (expr.value === "inf" ? Infinity : expr.value);

type Values = (s: (Value | undefined)[], f: Frame) => Value[];

/** Several values as an array of exactly that size: arrays that grow take several times the room. */
function all(items: readonly Eval[]): Values {
  const [a, b, c, d] = items;
  if (a === undefined) return () => [];
  if (b === undefined) return (s, f) => [a(s, f)];
  if (c === undefined) return (s, f) => [a(s, f), b(s, f)];
  if (d === undefined) return (s, f) => [a(s, f), b(s, f), c(s, f)];
  if (items.length === 4) return (s, f) => [a(s, f), b(s, f), c(s, f), d(s, f)];
  return (s, f) => items.map((item) => item(s, f));
}

function record(c: Context, expr: Of<"Record">): Eval {
  const exprs = expr.entries.map((entry) => entry.value);
  const values = all(c.operands(exprs, true));
  const keys = expr.entries.map((entry) => entry.key);
  if (new Set(keys).size < keys.length || keys.length > 20) {
    return (s, f) => {
      const items = values(s, f);
      return recordOf(keys.map((key, i) => [key, items[i] as Value] as const), f);
    };
  }
  const shape = keys.reduce((grown, key) => grown.with(key), Shape.empty());
  return (s, f) => makeRec(shape.fork(), values(s, f), f);
}

function processValue(c: Context, expr: Of<"ProcessValue">): Eval {
  const { moduleRef, hostRequirementsRef } = c.program;
  const target = c.process(expr.process);
  const { component, pos } = target.processRef;
  return (_, f) =>
    recordOf(
      [
        ["$lash_process", true],
        ["process_name", target.name],
        ["module_ref", moduleRef],
        ["process_ref", recordOf([["component", component], ["pos", pos]], f)],
        ["host_requirements_ref", hostRequirementsRef],
      ],
      f,
    );
}

/** Remembers where the field was in the last shape seen here (S1). */
export function field(object: Eval, name: string): Eval {
  let lastShape: Shape | null = null;
  let lastAt = 0;
  return (s, f) => {
    const value = object(s, f);
    if (value instanceof Rec) {
      if (value.shape === lastShape) return value.values[lastAt] as Value;
      const at = value.shape.at(name);
      if (at === undefined) return null;
      lastShape = value.shape;
      lastAt = at;
      return value.values[at] as Value;
    }
    return readField(value, name, f);
  };
}

function index(c: Context, expr: Of<"Index">): Eval {
  const [object, at] = c.operands([expr.object, expr.index]) as [Eval, Eval];
  return (s, f) => {
    const value = object(s, f);
    const i = at(s, f);
    if (value instanceof List && typeof i === "number" && i >= 0) {
      const item = value.items[i];
      if (item !== undefined) return item;
    }
    return readIndex(value, i, f);
  };
}

function unary(c: Context, expr: Of<"Unary">): Eval {
  const operand = c.expr(expr.operand);
  if (expr.operator === "not") return (s, f) => !truthy(operand(s, f), f);
  return (s, f) => {
    const value = operand(s, f);
    return typeof value === "number" ? -value : negate(value, f);
  };
}

function binary(c: Context, expr: Of<"Binary">): Eval | undefined {
  const { operator, left, right } = expr;
  if (operator === "and" || operator === "or") {
    if (isCompound(right)) return undefined;
    const first = c.expr(left);
    const second = c.expr(right);
    if (operator === "and") return (s, f) => truthy(first(s, f), f) && truthy(second(s, f), f);
    return (s, f) => truthy(first(s, f), f) || truthy(second(s, f), f);
  }
  if (right.kind === "Number") return WITH_NUMBER[operator](c.expr(left), numberOf(right));
  if ((operator === "==" || operator === "!=") && (right.kind === "Null" || right.kind === "String")) {
    return equalsConstant(c.expr(left), right.kind === "Null" ? null : right.value, operator === "==");
  }
  const [a, b] = c.operands([left, right]) as [Eval, Eval];
  return OF_EXPRESSIONS[operator](a, b);
}

function equalsConstant(a: Eval, constant: null | string, wanted: boolean): Eval {
  return (s, f) => {
    const x = a(s, f);
    return (x instanceof Projected ? equals(x, constant, f) : x === constant) === wanted;
  };
}

function ternary(c: Context, expr: Of<"Ternary">): Eval {
  const condition = c.expr(expr.condition);
  const then = c.expr(expr.consequent);
  const otherwise = c.expr(expr.otherwise);
  const branch = brancher(expr.site);
  return (s, f) => {
    const chosen = truthy(condition(s, f), f);
    branch(f, chosen);
    return chosen ? then(s, f) : otherwise(s, f);
  };
}

/** Counts a choice and tells an observer which way it went. */
export function brancher(site: number): (f: Frame, chosen: boolean) => void {
  return (f, chosen) => {
    f.occurrence(site);
    if (f.observer === null) return;
    const branch = f.siteAt(site).branch;
    if (branch !== undefined) f.observe("branch.selected", site, { edgeId: chosen ? branch.thenEdgeId : branch.elseEdgeId });
  };
}

function builtinCall(c: Context, expr: Of<"BuiltinCall">): Eval {
  const { name } = expr;
  const args = c.operands(expr.args, name === "push");
  if (name === "format") return formatCall(expr.args[0], all(args));
  const builtin = BUILTINS.get(name);
  const unfit =
    builtin === undefined
      ? new ProgramError("UnknownBuiltin", `unknown builtin \`${name}\``)
      : builtin.counts.includes(args.length)
        ? null
        : wrongCount(name, builtin.counts, args.length);
  if (unfit !== null || builtin === undefined) {
    return (s, f) => {
      for (const arg of args) arg(s, f);
      throw unfit;
    };
  }
  return callOf(builtin, args);
}

/** A template that stands in the program is read once. */
function formatCall(template: LinkedExpr | undefined, args: Values): Eval {
  let parsed: Template | null = null;
  return (s, f) => {
    const values = args(s, f);
    for (let i = 0; i < values.length; i += 1) values[i] = materialize(values[i] as Value, f);
    if (template?.kind !== "String") return format(values, f);
    parsed ??= parseTemplate(template.value);
    return fillTemplate(parsed, values, f);
  };
}

const absent: Eval = () => null;

function callOf(builtin: Builtin, args: readonly Eval[]): Eval {
  const { run } = builtin;
  const count = args.length;
  const [a = absent, b = absent, c = absent] = args;
  return (s, f) => {
    const x = a(s, f);
    const y = b(s, f);
    const z = c(s, f);
    const projected = x instanceof Projected || y instanceof Projected || z instanceof Projected;
    return projected ? callProjected(builtin, f, x, y, z, count) : run(f, x, y, z, count);
  };
}
