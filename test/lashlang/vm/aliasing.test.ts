// Values are copied on write, and lists grow in place where nothing else refers to them. A VM that is restored from JSON
// after every statement shares nothing at all, so it is the oracle: any difference is a value changed behind a name's back.
import { array, assert, constantFrom, integer, property, tuple } from "fast-check";
import { expect, test } from "vitest";
import { throughText } from "../../../src/lashlang/cases/stepwise.ts";
import { encodeValue } from "../../../src/lashlang/values/snapshot-value.ts";
import { Vm } from "../../../src/lashlang/vm/vm.ts";
import { cell, echo } from "./harness.ts";

const TEMPLATES = [
  "X = Y",
  "X = { l: Y.l, r: Z, n: N }",
  "X.r = Y",
  "X.l = Y.l",
  "X.n = N",
  "X.n = X.n + Y.n",
  "X.r.n = N",
  "X.r.r = Y.r",
  "X.l = push(X.l, Y)",
  "X.l = push(X.l, X.l)",
  "X.l = push(Y.l, N)",
  "X.l = X.l + Y.l",
  "X.l = X.l + [Y, Z]",
  "X.l[-1] = Y.l",
  "X.l[0] = N",
  "X.l[-1] = Y.l[0]",
  "X.l = slice(X.l, 0, 3)",
  "X.l = [v for v in Y.l]",
  "X.l = [[v, Y.r] for v in slice(Y.l, 0, 2)]",
  "X.l = [0] + values(Y.r)",
  "t = (X, Y.l)\nX = t[0]\nZ.l = t[1]",
  "for v in X.l { X.l[0] = v }",
  "for i in range(3) { X.l = push(X.l, Y.n)\n X.r.n = i }",
  "w = { ok: true, value: Y }\nX = w?\nX.n = N",
  "X = N > 1 ? Y : Z\nX.r.n = N",
  "q = Y.l\nq = push(q, N)\nq[0] = X.n",
  "q = Y.l\nfor v in q { q = push(q, 1)\n if len(q) > 9 { break } }\nX.l = q",
  "m = [X, X]\nm[0].n = N\nm[1].l[0] = Y.n\nX = m[1]",
  "X.l[0] = tools.echo({ value: Y.l })?",
  "g = { \"k\": X.l }\ng[\"k\"] = push(g[\"k\"], N)\nX.r.n = len(g.k)",
  "X.r = { n: N }",
  "p = { q: [[1], [X.l]] }\nu = p\nu.q[0][0] = N\nu.q = push(u.q, [N])\nu.q[1][0] = Y.n\nX.r = p",
  "o = [[1], [2]]\nu = o\nu[0] = 5\nu[1][0] = N\nX.l = o",
  "o = { s: { n: 1 } }\nu = o\nu.t = 1\nu.s.n = N\nX.r = o.s",
  "z = [[X.n], [2]]\nfor v in z { v[0] = N }\nX.l = z",
  "X = json_parse(\"{\\\"l\\\":[1],\\\"n\\\":2,\\\"r\\\":{\\\"n\\\":3}}\")",
] as const;

const name = constantFrom("a", "b", "c");
const statement = tuple(constantFrom(...TEMPLATES), name, name, name, integer({ min: 0, max: 3 })).map(([template, x, y, z, n]) =>
  template.replaceAll("X", x).replaceAll("Y", y).replaceAll("Z", z).replaceAll("N", String(n)),
);

const SETUP = ["a", "b", "c"].map((each, i) => `${each} = { l: [${i}, [${i}]], r: { n: ${i}, r: { n: 9 } }, n: ${i} }`).join("\n");

/** Everything a program leaves behind. */
function remains(source: string, restore: boolean): unknown {
  let vm = Vm.start(cell(source), { bounds: { heap: 300_000, depth: 40, instructions: 50_000 } });
  for (;;) {
    const state = vm.run(1);
    if (state.kind === "done") {
      const variables = [...vm.variables()].map(([key, value]) => [key, encodeValue(value)]);
      return JSON.stringify({ outcome: state.outcome, variables, heap: vm.heap });
    }
    if (restore) vm = throughText(vm);
    if (vm.state.kind === "parked") vm.settle(vm.state.effect.effectId, echo(vm.state.effect));
  }
}

test("what shares structure behaves like what shares nothing, heap and bounds included (LL-22, LL-99, LL-101)", () => {
  assert(
    property(array(statement, { minLength: 1, maxLength: 20 }), (statements) => {
      const source = [SETUP, ...statements].join("\n");
      expect(remains(source, false)).toBe(remains(source, true));
    }),
    { numRuns: 200 },
  );
}, 60_000);
