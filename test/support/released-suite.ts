// A store that was written by lash-runtime 0.1.0 (commit 0d25721) holds for the build of today what it held for that one (SC-31).
// Everything is asked at the public API; which engine has the rows is the caller's to say.

import { describe } from "vitest";
import { atRest } from "./released-at-rest-suite.ts";
import { inFlight } from "./released-in-flight-suite.ts";
import type { ReleasedStore } from "./released.ts";

export type Fixture = "in-flight" | "at-rest";

/** @param open - gives a copy of its own at each call. */
export function releasedSuite(open: (fixture: Fixture) => Promise<ReleasedStore>): void {
  describe("in flight", () => {
    inFlight(() => open("in-flight"));
  });
  describe("at rest", () => {
    atRest(() => open("at-rest"));
  });
}
