// What a turn is offered of a registry's members (PT-14, PT-37).

import { expect, test } from "vitest";
import { catalogueOf } from "../../src/tools/registry/catalogue.ts";

const named = (...names: readonly string[]) => names.map((name) => ({ name }));
const offered = (...args: Parameters<typeof catalogueOf<{ readonly id?: string; readonly name: string }>>) => catalogueOf(...args).map(({ name }) => name);

test("PT-37 members, or the tools given in their place, less what contributors remove, with the overlay, less what is hidden", () => {
  expect(offered(named("a", "b"), {})).toEqual(["a", "b"]);
  expect(offered(named("a", "b"), { toolAccess: { tools: [], hiddenTools: ["b"] } })).toEqual(["a"]);
  expect(offered(named("a", "b"), { toolAccess: { tools: named("c", "d", "e"), hiddenTools: new Set(["e"]) }, removals: ["d"] })).toEqual(["c"]);
  expect(offered(named("a", "b"), { removals: ["a", "x"], overlay: { tools: named("a", "y") }, toolAccess: { hiddenTools: ["y"] } })).toEqual(["b", "a"]);
});

test("PT-14 an overlay replaces what has its ids or names, and may be all there is", () => {
  const overlay = { tools: [{ id: "a", name: "alpha" }, { id: "new", name: "b" }] };
  expect(catalogueOf([{ name: "a" }, { id: "old", name: "b" }, { name: "c" }], { overlay })).toEqual([{ name: "c" }, ...overlay.tools]);
  expect(offered(named("c"), { overlay: { ...overlay, includeBaseTools: false } })).toEqual(["alpha", "b"]);
});

test("PT-37 a list that names an id or a name twice is refused", () => {
  const invalid = expect.objectContaining({ code: "tool_reconfigure_validation" }) as Error;
  expect(() => offered([], { toolAccess: { tools: named("a", "a") } })).toThrow(invalid);
  expect(() => offered([], { overlay: { tools: [{ id: "x", name: "a" }, { id: "x", name: "b" }] } })).toThrow(invalid);
});
