import { expect, test } from "vitest";
import { builtinNames } from "../../../src/lashlang/index.ts";
import { BUILTINS } from "../../../src/lashlang/builtins/table.ts";

test("the names that the linker knows are the builtins that the VM runs (LL-46, LL-68)", () => {
  expect([...builtinNames].sort()).toEqual([...BUILTINS.keys(), "format"].sort());
});
