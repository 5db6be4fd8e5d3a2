import { expect, test } from "vitest";
import { BUILTINS } from "../../../src/lashlang/builtins/table.ts";
import { builtinNames } from "../../../src/lashlang/linker/builtin-signatures.ts";

test("the linker types exactly the builtins that the VM runs (LL-46, LL-68)", () => {
  expect([...builtinNames].sort()).toEqual([...BUILTINS.keys(), "format"].sort());
});
