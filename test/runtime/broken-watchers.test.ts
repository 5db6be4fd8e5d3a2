// What is durable stays done, whatever those do who are told of it.

import { describe, expect, test } from "vitest";
import type { Engine } from "../../src/stores/engine.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { testLash, transcriptOf } from "../support/lash.ts";

describe("somebody who is told of a commit and throws", () => {
  test("a subscriber of the view fails no turn and no change, and keeps nobody else from hearing of them (O-11, O-3)", async () => {
    const { lash, logged } = testLash({ script: () => "done" });
    const session = await lash.openSession("s");
    const clone = session.clone();
    const heard: number[] = [];
    session.view.subscribe(() => {
      throw new Error("broken component");
    });
    clone.view.subscribe(({ context }) => void heard.push(context.view.revision));
    expect(await session.run("a")).toMatchObject({ isSuccess: true, headRevision: 1 });
    await session.configure({ maxTurns: 3 });
    expect(await session.run("b")).toMatchObject({ isSuccess: true, headRevision: 3 });
    expect(transcriptOf(session)).toHaveLength(4);
    expect(heard).toEqual([1, 2, 3]);
    expect(logged.map(({ event }) => event)).toContain("observation.listener_failed");
  });
});

describe("a store that cannot be read right after a commit", () => {
  const failingAfterWrite = (engine: Engine) => {
    let isArmed = false;
    let fails = false;
    const broken: Engine = {
      name: engine.name,
      durable: engine.durable,
      read: (body) => (fails ? ((fails = false), Promise.reject(new Error("connection reset"))) : engine.read(body)),
      write: async (body) => {
        const result = await engine.write(body);
        // The claim is a write, too; the commit is the one after it.
        if (isArmed && ++writes === 2) [fails, isArmed] = [true, false];
        return result;
      },
      close: () => engine.close(),
    };
    let writes = 0;
    return { broken, arm: () => void ([isArmed, writes] = [true, 0]) };
  };

  test.each(["branch", "configure"] as const)("%s is done all the same: it resolves, and the next turn goes on from it (S-48, S-54)", async (what) => {
    const { broken, arm } = failingAfterWrite(memoryEngine());
    const { lash, provider, logged } = testLash({ engine: broken, script: () => "done" });
    const session = await lash.openSession("s", { prompt: "Old." });
    await session.run("a", { turnId: "a" });
    await session.run("b");
    arm();
    await (what === "branch" ? session.branch({ at: "a:1" }) : session.configure({ prompt: "New." }));
    expect(logged.map(({ event }) => event)).toContain("session.not_read");
    await session.run("c");
    expect(transcriptOf(session)).toHaveLength(what === "branch" ? 4 : 6);
    expect(JSON.stringify(provider.requests.at(-1)?.messages[0])).toContain(what === "branch" ? "Old." : "New.");
  });
});
