import fc from "fast-check";
import { describe, test } from "vitest";
import { properties } from "./fuzz-properties.ts";

describe("whatever the program", () => {
  for (const [title, property] of Object.entries(properties)) {
    test(title, async () => {
      await fc.assert(property, { numRuns: 60 });
    }, 30_000);
  }
});
