// One turn (test/support/crash-job.ts) killed at every engine call, at every effect boundary and after every message to the
// effects actor. Whoever comes next has to end it as if nothing had happened.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { Engine } from "../../src/stores/engine.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { sqliteEngine } from "../../src/stores/sqlite/index.ts";
import { crashPoints } from "../../src/testing/faulty-engine.ts";
import { dieAndRecover, dieTwiceAndRecover, rehearse } from "../support/crash-job.ts";

const scratch = mkdtempSync(join(tmpdir(), "lash-crash-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
let files = 0;

const DISKS: Readonly<Record<string, () => Engine>> = {
  memory: memoryEngine,
  sqlite: () => sqliteEngine(join(scratch, `${files++}.db`)),
};

/** Hundreds of small runs each; slow only on a machine that is busy with something else. */
const LONG = 60_000;

describe.each(Object.keys(DISKS))("crash matrix on %s", { timeout: LONG }, (name) => {
  const open = DISKS[name] ?? memoryEngine;

  test("a crash at any engine call, before, inside or after it, leaves a turn that the next process ends well (E-45, OP-3, T-73)", async () => {
    const { process, keys } = await rehearse(open());
    const points = crashPoints(process.engineCalls);
    expect(points.length).toBeGreaterThan(60);
    for (const crash of points) {
      await dieAndRecover(open(), { kind: "engine", crash }, keys).catch((error: unknown) => {
        throw new Error(`crash ${JSON.stringify(crash)}: ${String(error)}`, { cause: error });
      });
    }
  });

  test.each<"effect" | "message">(["effect", "message"])(
    "a crash at any %s boundary leaves a turn that the next process ends well, finished effects run once (E-8, E-45, OP-3)",
    async (channel) => {
      const { process, keys } = await rehearse(open());
      const names = process.passed[channel];
      expect(names.length).toBeGreaterThan(10);
      for (const [index, at] of names.entries()) {
        await dieAndRecover(open(), { kind: "boundary", channel, nth: index + 1 }, keys).catch((error: unknown) => {
          throw new Error(`crash at ${channel} ${index + 1} (${at}): ${String(error)}`, { cause: error });
        });
      }
    },
  );
});

test("a second crash, anywhere in the recovery from a first one, changes nothing: nothing reported runs, nothing recorded runs again (E-45, OP-3, OP-6)", { timeout: LONG }, async () => {
  const { process, keys } = await rehearse(memoryEngine());
  let twice = 0;
  for (const [index] of process.passed.effect.entries()) {
    // Before the next call is as after this one.
    for (let call = 1, dies = true; dies; call++) {
      const at = { kind: "engine", crash: { when: "after", call } } as const;
      const outcome = await dieTwiceAndRecover(memoryEngine(), { kind: "boundary", channel: "effect", nth: index + 1 }, at, keys).catch((error: unknown) => {
        throw new Error(`crash at effect ${index + 1}, then after engine call ${call}: ${String(error)}`, { cause: error });
      });
      dies = outcome === "twice";
      if (dies) twice++;
    }
  }
  expect(twice).toBeGreaterThan(80);
});
