import * as fc from "fast-check";
import { expect, test } from "vitest";
import { OrderedMap } from "../../src/stores/memory/ordered-map.ts";

type Step = { readonly kind: "set" | "delete" | "fork"; readonly key: string };

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom<Step["kind"]>("set", "set", "set", "delete", "delete", "fork"),
  key: fc.nat(400).map((n) => n.toString(36)),
});

const contents = (map: OrderedMap<number>): number[] => map.between("", "\uffff", Number.POSITIVE_INFINITY, false);
const sorted = (model: ReadonlyMap<string, number>): number[] => [...model].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);

test("a map answers as a sorted Map would, and a forked origin stays as it was", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 50, maxLength: 800, size: "max" }), (steps) => {
      let map = new OrderedMap<number>();
      let model = new Map<string, number>();
      const frozen: { map: OrderedMap<number>; values: number[] }[] = [];
      for (const [i, { kind, key }] of steps.entries()) {
        if (kind === "fork") {
          frozen.push({ map, values: sorted(model) });
          map = map.fork();
          model = new Map(model);
        } else if (kind === "set") {
          map.set(key, i);
          model.set(key, i);
        } else {
          map.delete(key);
          model.delete(key);
        }
        expect(map.get(key)).toBe(model.get(key));
      }
      expect(contents(map)).toEqual(sorted(model));
      for (const origin of frozen) expect(contents(origin.map)).toEqual(origin.values);
    }),
    { numRuns: 60 },
  );
});

test("ranges give the same entries as a filter, from either end, up to the limit", () => {
  const key = fc.nat(3000).map((n) => n.toString(36).padStart(3, "0"));
  fc.assert(
    fc.property(fc.uniqueArray(key, { minLength: 100, maxLength: 1500, size: "max" }), key, key, fc.nat(60), fc.boolean(), (keys, from, to, limit, reverse) => {
      const map = new OrderedMap<string>();
      for (const each of keys) map.set(each, each);
      const inside = keys.filter((each) => from <= each && each < to).sort();
      if (reverse) inside.reverse();
      expect(map.between(from, to, limit, reverse)).toEqual(inside.slice(0, limit));
    }),
    { numRuns: 60 },
  );
});

test("a map emptied in any order is empty and takes entries again", () => {
  const map = new OrderedMap<number>();
  const keys = Array.from({ length: 5000 }, (_, i) => `k${(i * 7919) % 5000}`);
  for (const [i, key] of keys.entries()) map.set(key, i);
  for (const key of keys.toReversed()) map.delete(key);
  expect(contents(map)).toEqual([]);
  map.set("a", 1);
  expect(contents(map)).toEqual([1]);
});
