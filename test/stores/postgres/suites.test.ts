// The trial engine on Postgres passes both suites: what the contract asks for can be had over a network.

import { describe, expect, test } from "vitest";
import type { Engine } from "../../../src/stores/engine.ts";
import { engineSuite, persistenceSuite } from "../../../src/testing/index.ts";
import { postgresEngine } from "../../support/postgres/engine.ts";
import { postgresServer } from "../../support/postgres/server.ts";

const url = postgresServer();
let tables = 0;

/** Opens a storage of its own. */
function freshStorage(): () => Promise<Engine> {
  const table = `suite_${tables++}`;
  return () => postgresEngine({ url: url(), table });
}

describe("Postgres engine", () => {
  for (const { id, title, run } of engineSuite({ durable: true, cuts: true })) {
    test(`${id} ${title}`, () => expect(run(freshStorage())).resolves.toBeUndefined());
  }
});

describe("persistence on the Postgres engine", () => {
  for (const { id, title, run } of persistenceSuite()) {
    test(`${id} ${title}`, () => expect(run(freshStorage())).resolves.toBeUndefined());
  }
});
