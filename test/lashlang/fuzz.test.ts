import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { properties } from "./fuzz-properties.ts";

describe("whatever the program", () => {
  test.each(Object.entries(properties))("%s", async (_, property) => {
    const { failed, counterexample, errorInstance } = await fc.check(property, { numRuns: 60 });
    expect({ failed, counterexample, errorInstance }).toEqual({ failed: false, counterexample: null, errorInstance: null });
  }, 30_000);
});
