// The names of the builtins and the types of what they return, as far as the arguments tell.
// What they do, and what they say to wrong arguments, is the run time's.
import type { TypeExpr } from "../syntax/type-expr.ts";
import { ANY, BOOL, FLOAT, INT, listOf, NEVER, objectOf, STR, unionOf } from "../types/type-algebra.ts";

type ResultType = (args: readonly TypeExpr[]) => TypeExpr;

const always = (type: TypeExpr): ResultType => () => type;

const LINE = objectOf([["line", INT], ["text", STR], ["match", STR], ["start", INT], ["end", INT]]);

const SIGNATURES: ReadonlyMap<string, ResultType> = new Map<string, ResultType>([
  ["len", always(INT)],
  ["empty", always(BOOL)],
  ["keys", always(listOf(STR))],
  ["values", ([record]) => listOf(record?.kind === "Object" ? unionOf(record.fields.map((field) => field.type)) : ANY)],
  ["contains", always(BOOL)],
  ["starts_with", always(BOOL)],
  ["ends_with", always(BOOL)],
  ["split", always(listOf(STR))],
  ["join", always(STR)],
  ["trim", always(STR)],
  ["slice", ([from]) => (from?.kind === "Enum" ? STR : from?.kind === "Str" || from?.kind === "List" ? from : ANY)],
  ["find", always(INT)],
  ["grep_text", always(listOf(LINE))],
  ["to_string", always(STR)],
  ["to_int", always(INT)],
  ["to_float", always(FLOAT)],
  ["json_parse", always(ANY)],
  ["format", always(STR)],
  ["validate", ([value]) => value ?? ANY],
  ["range", always(listOf(INT))],
  ["ceil_div", always(INT)],
  ["floor_div", always(INT)],
  ["push", ([list, item]) => listOf(unionOf([list?.kind === "List" ? list.item : list === undefined ? NEVER : ANY, item ?? NEVER]))],
]);

export function isBuiltin(name: string): boolean {
  return SIGNATURES.has(name);
}

export function builtinResultType(name: string, args: readonly TypeExpr[]): TypeExpr {
  return SIGNATURES.get(name)?.(args) ?? ANY;
}

export const builtinNames: readonly string[] = Array.from(SIGNATURES.keys());
