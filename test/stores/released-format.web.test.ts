// The rows of a release, in the browser's database: the same claims as in Node.

import { describe } from "vitest";
import { indexedDbEngine } from "../../src/stores/indexeddb/index.ts";
import { load, readDump } from "../fixtures/0.1.0-0d25721/dump.ts";
import atRest from "../fixtures/0.1.0-0d25721/at-rest.json?raw";
import inFlight from "../fixtures/0.1.0-0d25721/in-flight.json?raw";
import { releasedSuite } from "../support/released-suite.ts";

describe("rows of 0.1.0 on IndexedDB", { timeout: 60_000 }, () => {
  releasedSuite(async (fixture) => {
    const dump = readDump(fixture === "in-flight" ? inFlight : atRest);
    const engine = indexedDbEngine(`released ${crypto.randomUUID()}`);
    await load(engine, dump);
    return { engine, keys: dump.keys };
  });
});
