// Operators as closures. Two plain numbers take the short way; everything else goes to values/.
// Each operator comes in four forms that differ only in where the operands come from: two expressions, an expression and
// a number, two variables, a variable and a number. They are spelled out because a shared function with the operator as a parameter would be one
// polymorphic call per evaluation, and these calls are most of what a loop does.
import { add, arithmetic } from "../values/arithmetic.ts";
import { equals, order } from "../values/compare.ts";
import type { Eval } from "../vm/frame.ts";
import { known } from "./read.ts";

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

/** A variable has a slot and a name for the error when it is unbound. */
export const OF_VARIABLES: Table<(i: number, n: string, j: number, m: string) => Eval> = {
  "+": (i, n, j, m) => (s, f) => {
    const x = s[i];
    const y = s[j];
    return typeof x === "number" && typeof y === "number" ? x + y : add(known(x, n), known(y, m), f);
  },
  "-": (i, n, j, m) => (s, f) => {
    const x = s[i];
    const y = s[j];
    return typeof x === "number" && typeof y === "number" ? x - y : arithmetic("-", known(x, n), known(y, m), f);
  },
  "*": (i, n, j, m) => (s, f) => {
    const x = s[i];
    const y = s[j];
    return typeof x === "number" && typeof y === "number" ? x * y : arithmetic("*", known(x, n), known(y, m), f);
  },
  "/": (i, n, j, m) => (s, f) => {
    const x = s[i];
    const y = s[j];
    return typeof x === "number" && typeof y === "number" ? x / y : arithmetic("/", known(x, n), known(y, m), f);
  },
  "%": (i, n, j, m) => (s, f) => {
    const x = s[i];
    const y = s[j];
    return typeof x === "number" && typeof y === "number" ? x % y : arithmetic("%", known(x, n), known(y, m), f);
  },
  "<": (i, n, j, m) => (s, f) => {
    const x = s[i];
    const y = s[j];
    return typeof x === "number" && typeof y === "number" ? x < y : order(known(x, n), known(y, m), f) < 0;
  },
  "<=": (i, n, j, m) => (s, f) => {
    const x = s[i];
    const y = s[j];
    return typeof x === "number" && typeof y === "number" ? x <= y : order(known(x, n), known(y, m), f) <= 0;
  },
  ">": (i, n, j, m) => (s, f) => {
    const x = s[i];
    const y = s[j];
    return typeof x === "number" && typeof y === "number" ? x > y : order(known(x, n), known(y, m), f) > 0;
  },
  ">=": (i, n, j, m) => (s, f) => {
    const x = s[i];
    const y = s[j];
    return typeof x === "number" && typeof y === "number" ? x >= y : order(known(x, n), known(y, m), f) >= 0;
  },
  "==": (i, n, j, m) => (s, f) => {
    const x = s[i];
    const y = s[j];
    return typeof x === "number" && typeof y === "number" ? x === y : equals(known(x, n), known(y, m), f);
  },
  "!=": (i, n, j, m) => (s, f) => {
    const x = s[i];
    const y = s[j];
    return typeof x === "number" && typeof y === "number" ? x !== y : !equals(known(x, n), known(y, m), f);
  },
};

export const VARIABLE_WITH_NUMBER: Table<(i: number, n: string, y: number) => Eval> = {
  "+": (i, n, y) => (s, f) => {
    const x = s[i];
    return typeof x === "number" ? x + y : add(known(x, n), y, f);
  },
  "-": (i, n, y) => (s, f) => {
    const x = s[i];
    return typeof x === "number" ? x - y : arithmetic("-", known(x, n), y, f);
  },
  "*": (i, n, y) => (s, f) => {
    const x = s[i];
    return typeof x === "number" ? x * y : arithmetic("*", known(x, n), y, f);
  },
  "/": (i, n, y) => (s, f) => {
    const x = s[i];
    return typeof x === "number" ? x / y : arithmetic("/", known(x, n), y, f);
  },
  "%": (i, n, y) => (s, f) => {
    const x = s[i];
    return typeof x === "number" ? x % y : arithmetic("%", known(x, n), y, f);
  },
  "<": (i, n, y) => (s, f) => {
    const x = s[i];
    return typeof x === "number" ? x < y : order(known(x, n), y, f) < 0;
  },
  "<=": (i, n, y) => (s, f) => {
    const x = s[i];
    return typeof x === "number" ? x <= y : order(known(x, n), y, f) <= 0;
  },
  ">": (i, n, y) => (s, f) => {
    const x = s[i];
    return typeof x === "number" ? x > y : order(known(x, n), y, f) > 0;
  },
  ">=": (i, n, y) => (s, f) => {
    const x = s[i];
    return typeof x === "number" ? x >= y : order(known(x, n), y, f) >= 0;
  },
  "==": (i, n, y) => (s, f) => {
    const x = s[i];
    return typeof x === "number" ? x === y : equals(known(x, n), y, f);
  },
  "!=": (i, n, y) => (s, f) => {
    const x = s[i];
    return typeof x === "number" ? x !== y : !equals(known(x, n), y, f);
  },
};
