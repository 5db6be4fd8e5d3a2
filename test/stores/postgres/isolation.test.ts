// The suite tells an engine that is isolated from one that only looks like it.

import { describe, expect, test } from "vitest";
import { defineEngine } from "../../../src/stores/define-engine.ts";
import { engineSuite } from "../../../src/testing/index.ts";
import { postgresEngine } from "../../support/postgres/engine.ts";
import { postgresServer } from "../../support/postgres/server.ts";

const url = postgresServer();
const suite = new Map(engineSuite({ durable: true, cuts: true }).map((each) => [each.id, each]));
const caseOf = (id: string) => {
  const found = suite.get(id);
  if (found === undefined) throw new Error(`there is no case ${id}`);
  return found;
};

describe("an engine at REPEATABLE READ, whose snapshot is older than its locks,", () => {
  for (const [id, said] of [["EN-R1", /claims that were granted/], ["EN-R2", /rows that are left/], ["EN-R4", /claims that were granted/]] as const) {
    const { title, run } = caseOf(id);
    test(`fails ${id} ${title} (SC-3)`, async () => {
      await expect(run(() => postgresEngine({ url: url(), table: `repeatable_${id.slice(3).toLowerCase()}`, isolation: "REPEATABLE READ" }))).rejects.toThrow(said);
    });
  }
});

test("an engine that hands writes of one session to several connections at once fails EN-T9 (SC-3)", async () => {
  const open = async () => defineEngine(await postgresEngine({ url: url(), table: "unordered", lanes: false }));
  await expect(caseOf("EN-T9").run(open)).rejects.toThrow(/the order of application/);
});

test("an engine that takes a lost answer for a failure fails EN-C2 (SC-1)", async () => {
  await expect(caseOf("EN-C2").run(() => postgresEngine({ url: url(), table: "credulous", believesLostAnswers: true }))).rejects.toThrow(/the sum after a write that was not made/);
});
