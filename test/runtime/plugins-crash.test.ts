// A session whose plugin takes part in everything, killed at every boundary of a turn: whoever comes next ends it with the
// transcript and the state of a turn that nothing happened to.

import { expect, test } from "vitest";
import * as z from "zod";
import { tool } from "../../src/index.ts";
import { plugin, type Plugin } from "../../src/plugins/index.ts";
import type { Engine } from "../../src/stores/engine.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import { byToolResults, manualClock, type ManualClock } from "../../src/testing/index.ts";
import { crashEverywhere } from "../support/crash-sweep.ts";
import { engineCases } from "../support/engines.ts";
import { testLash, transcriptOf } from "../support/lash.ts";
import { Mortal } from "../support/mortal.ts";
import { heldLanes } from "../support/rows.ts";

const count = tool({ name: "count", description: "", input: z.object({ by: z.number() }), readOnly: true, run: ({ by }) => `counted ${by}` });

/** Counts what happens to it, and says something wherever it may. */
const witness: Plugin = plugin({
  id: "witness",
  build: () => {
    let counts: Record<string, number> = {};
    let revision = 0;
    const note = (what: string): void => {
      counts[what] = (counts[what] ?? 0) + 1;
      revision += 1;
    };
    const say = (text: string, transient = false) => ({ type: "enqueue_messages", messages: [{ role: "User", text, ...(transient && { transient }) }] }) as const;
    return {
      tools: [count],
      state: {
        revision: () => revision,
        save: () => counts,
        load: (saved) => {
          counts = { ...(saved?.state as Record<string, number> | undefined) };
          revision = 0;
        },
      },
      prompt: ({ iteration }) => `Round ${iteration}.`,
      transformContext: ({ view }) => ({ view: [...view, { role: "System", text: "shown only" }], prompt: { intro: "Prepared." } }),
      beforeTurn: () => (note("before"), [say("at first"), say("for a while", true)]),
      beforeToolCall: ({ args }) => ({ type: "replace_tool_args", args: { by: (args as { by: number }).by * 10 } }),
      afterToolCall: ({ args }) => (note("tools"), say(`saw ${(args as { by: number }).by}`)),
      atCheckpoint: ({ checkpoint, messages }) => {
        note(checkpoint);
        return checkpoint === "before_completion" && !messages.some(({ origin, parts }) => origin && parts[0]?.content === "sure?") ? say("sure?") : undefined;
      },
      onResponse: () => note("responses"),
      afterTurn: () => (note("after"), say("at last")),
    };
  },
});

const script = byToolResults([{ toolCalls: [{ name: "count", callId: "a", args: { by: 1 } }, { name: "count", callId: "b", args: { by: 2 } }] }, "never", "done"]);

const TRANSCRIPT = [
  "User: Text go",
  "User: Text at first",
  "Assistant: ToolCall {\"by\":1} | ToolCall {\"by\":2}",
  "User: ToolResult counted 10 | ToolResult counted 20",
  "User: Text saw 10",
  "User: Text saw 20",
  "Assistant: Prose done",
  "User: Text sure?",
  "Assistant: Prose done",
  "User: Text at last",
];
const STATE = { witness: { version: "1", state: { before: 1, tools: 2, after_work: 1, before_completion: 2, responses: 3, after: 1 } } };

const host = (engine: Engine, clock: ManualClock, process?: Mortal) => testLash({ engine, clock, plugins: [witness], script, prompt: "Base.", ...(process && { inspect: process.inspect }) });

async function check(disk: Engine, clock: ManualClock): Promise<void> {
  const { lash, provider } = host(disk, clock);
  await lash.recover();
  const session = await lash.openSession("s");
  const { toolCalls } = await session.run("go", { turnId: "t" });
  // Arguments are there only in the process that ended the turn; then they are those that the tools were given.
  expect(["[10,20]", "[null,null]"]).toContain(JSON.stringify(toolCalls.map(({ args }) => (args as { by: number } | undefined)?.by)));
  expect(transcriptOf(session)).toEqual(TRANSCRIPT);
  for (const { messages } of provider.requests) {
    expect(messages[0]?.blocks[0]).toMatchObject({ text: expect.stringMatching(/^Base\.\n\nPrepared\.\n\n## Guidance\n\nRound [012]\.$/) });
    expect(JSON.stringify(messages)).toContain("shown only");
    expect(JSON.stringify(messages)).toContain("for a while");
  }
  await lash.close();
  const stored = await createPersistence(disk, { clock }).sessions.load("s", { kind: "full_graph" });
  expect(stored?.components.pluginSnapshot).toMatchObject(STATE);
  expect(JSON.stringify(stored?.nodes)).not.toMatch(/shown only|for a while/);
  expect(await heldLanes(disk)).toEqual([]);
}

const job = async (process: Mortal, clock: ManualClock): Promise<void> => {
  const { lash } = host(process.engine, clock, process);
  const session = await lash.openSession("s");
  await session.run("go", { turnId: "t" });
};

test("a turn that a plugin takes part in throughout, killed at any engine call, ends with one transcript and one state (T-57b, PT-23, PT-54)", async () => {
  expect(await crashEverywhere({ open: memoryEngine, world: () => null, job, check })).toBeGreaterThan(30);
});

test.each(engineCases())("on $name, killed after messages to the effects actor, likewise (E-45, PT-23)", async ({ open }) => {
  const rehearsal = new Mortal(open());
  await job(rehearsal, manualClock(1_000));
  const { message: names } = rehearsal.passed;
  expect(names.length).toBeGreaterThan(15);
  for (let nth = 1; nth <= names.length; nth += 3) {
    const [disk, clock] = [open(), manualClock(1_000)];
    const dying = new Mortal(disk, { kind: "boundary", channel: "message", nth });
    await Promise.race([job(dying, clock), dying.died]);
    await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(31_000);
    await check(disk, clock).catch((error: unknown) => {
      throw new Error(`crash at message ${nth} (${names[nth - 1]}): ${String(error)}`, { cause: error });
    });
    await disk.close();
  }
});
