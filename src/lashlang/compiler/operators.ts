// Operators as closures. Two plain numbers take the short way; everything else goes to values/.
// Each operator comes in two forms: of two expressions, and of an expression and a number. They are spelled out because a
// shared function with the operator as a parameter would be one polymorphic call per evaluation, and these calls are most
// of what a loop does. Forms that read variables themselves were measured to be no faster.
import { add, arithmetic } from "../values/arithmetic.ts";
import { equals, order } from "../values/compare.ts";
import type { Eval } from "../vm/frame.ts";

export type StrictOperator = "+" | "-" | "*" | "/" | "%" | "<" | "<=" | ">" | ">=" | "==" | "!=";

type Table<T> = Readonly<Record<StrictOperator, T>>;

export const OF_EXPRESSIONS: Table<(a: Eval, b: Eval) => Eval> = {
  "+": (a, b) => (s, f) => {
    const x = a(s, f);
    const y = b(s, f);
    return typeof x === "number" && typeof y === "number" ? x + y : add(x, y, f);
  },
  "-": (a, b) => (s, f) => {
    const x = a(s, f);
    const y = b(s, f);
    return typeof x === "number" && typeof y === "number" ? x - y : arithmetic("-", x, y, f);
  },
  "*": (a, b) => (s, f) => {
    const x = a(s, f);
    const y = b(s, f);
    return typeof x === "number" && typeof y === "number" ? x * y : arithmetic("*", x, y, f);
  },
  "/": (a, b) => (s, f) => {
    const x = a(s, f);
    const y = b(s, f);
    return typeof x === "number" && typeof y === "number" ? x / y : arithmetic("/", x, y, f);
  },
  "%": (a, b) => (s, f) => {
    const x = a(s, f);
    const y = b(s, f);
    return typeof x === "number" && typeof y === "number" ? x % y : arithmetic("%", x, y, f);
  },
  "<": (a, b) => (s, f) => {
    const x = a(s, f);
    const y = b(s, f);
    return typeof x === "number" && typeof y === "number" ? x < y : order(x, y, f) < 0;
  },
  "<=": (a, b) => (s, f) => {
    const x = a(s, f);
    const y = b(s, f);
    return typeof x === "number" && typeof y === "number" ? x <= y : order(x, y, f) <= 0;
  },
  ">": (a, b) => (s, f) => {
    const x = a(s, f);
    const y = b(s, f);
    return typeof x === "number" && typeof y === "number" ? x > y : order(x, y, f) > 0;
  },
  ">=": (a, b) => (s, f) => {
    const x = a(s, f);
    const y = b(s, f);
    return typeof x === "number" && typeof y === "number" ? x >= y : order(x, y, f) >= 0;
  },
  "==": (a, b) => (s, f) => {
    const x = a(s, f);
    const y = b(s, f);
    return typeof x === "number" && typeof y === "number" ? x === y : equals(x, y, f);
  },
  "!=": (a, b) => (s, f) => {
    const x = a(s, f);
    const y = b(s, f);
    return typeof x === "number" && typeof y === "number" ? x !== y : !equals(x, y, f);
  },
};

export const WITH_NUMBER: Table<(a: Eval, y: number) => Eval> = {
  "+": (a, y) => (s, f) => {
    const x = a(s, f);
    return typeof x === "number" ? x + y : add(x, y, f);
  },
  "-": (a, y) => (s, f) => {
    const x = a(s, f);
    return typeof x === "number" ? x - y : arithmetic("-", x, y, f);
  },
  "*": (a, y) => (s, f) => {
    const x = a(s, f);
    return typeof x === "number" ? x * y : arithmetic("*", x, y, f);
  },
  "/": (a, y) => (s, f) => {
    const x = a(s, f);
    return typeof x === "number" ? x / y : arithmetic("/", x, y, f);
  },
  "%": (a, y) => (s, f) => {
    const x = a(s, f);
    return typeof x === "number" ? x % y : arithmetic("%", x, y, f);
  },
  "<": (a, y) => (s, f) => {
    const x = a(s, f);
    return typeof x === "number" ? x < y : order(x, y, f) < 0;
  },
  "<=": (a, y) => (s, f) => {
    const x = a(s, f);
    return typeof x === "number" ? x <= y : order(x, y, f) <= 0;
  },
  ">": (a, y) => (s, f) => {
    const x = a(s, f);
    return typeof x === "number" ? x > y : order(x, y, f) > 0;
  },
  ">=": (a, y) => (s, f) => {
    const x = a(s, f);
    return typeof x === "number" ? x >= y : order(x, y, f) >= 0;
  },
  "==": (a, y) => (s, f) => {
    const x = a(s, f);
    return typeof x === "number" ? x === y : equals(x, y, f);
  },
  "!=": (a, y) => (s, f) => {
    const x = a(s, f);
    return typeof x === "number" ? x !== y : !equals(x, y, f);
  },
};
