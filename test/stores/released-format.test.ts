// Stores that a release left are read, lifted and gone on with by the build of today (SC-31).

import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe } from "vitest";
import { sqliteEngine } from "../../src/stores/sqlite/index.ts";
import { load, readDump } from "../fixtures/0.1.0-0d25721/dump.ts";
import { engineCases, scratchFiles } from "../support/engines.ts";
import { releasedSuite, type Fixture } from "../support/released-suite.ts";

const FOLDER = join(import.meta.dirname, "../fixtures/0.1.0-0d25721");
const fileOf = scratchFiles();
const dumpOf = (fixture: Fixture) => readDump(readFileSync(join(FOLDER, `${fixture}.json`), "utf8"));

describe.each(engineCases())("rows of 0.1.0 on $name", ({ open }) => {
  releasedSuite(async (fixture) => {
    const dump = dumpOf(fixture);
    const engine = open();
    await load(engine, dump);
    return { engine, keys: dump.keys };
  });
});

describe("a SQLite file of 0.1.0", () => {
  releasedSuite(async (fixture) => {
    const file = fileOf();
    copyFileSync(join(FOLDER, `${fixture}.db`), file);
    return { engine: sqliteEngine(file), keys: dumpOf(fixture).keys };
  });
});
