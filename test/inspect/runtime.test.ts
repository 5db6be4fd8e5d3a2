import type { InspectionEvent } from "xstate";
// The real runtime seen through inspection: what a user of `createLash({ inspect })` gets.
import * as z from "zod";
import { expect, test } from "vitest";
import { tool } from "../../src/index.ts";
import { recorder } from "../../src/inspect/index.ts";
import { effectsAt } from "../../src/inspect/viewer/effect-states.ts";
import { Timeline } from "../../src/inspect/viewer/timeline.ts";
import { testLash } from "../support/lash.ts";

test("a session's chart is not sent the ends of its turns, leases and tools: XState keeps each event type that a chart was ever sent, and these have ids in them", async () => {
  const told: string[] = [];
  const look = tool({ name: "look", description: "", input: z.object({}), readOnly: true, run: () => "seen" });
  const inspect = (event: InspectionEvent): void => {
    const { id } = event.actorRef as { readonly id?: string };
    if (event.type === "@xstate.event" && id?.startsWith("session:")) told.push(event.event.type);
  };
  const { lash } = testLash({ inspect, tools: [look], script: [{ toolCalls: [{ name: "look" }] }, "Fine."] });
  await (await lash.openSession("s")).run("go");
  await lash.close();
  expect(told).toContain("turn.committed");
  expect(told.filter((type) => type.startsWith("xstate.done"))).toEqual([]);
});

test("a turn is recorded with its session, the lease it runs under, its effects and an actor for each tool call", async () => {
  const tape = recorder({ schedule: () => undefined });
  const weather = tool({ name: "weather", description: "", input: z.object({ city: z.string() }), readOnly: true, run: ({ city }) => `rain in ${city}` });
  const { lash } = testLash({ inspect: tape, tools: [weather], script: [{ toolCalls: [{ name: "weather", args: { city: "Oslo" } }] }, "Take an umbrella."] });
  const session = await lash.openSession("chat-42");
  await session.run("Do I need an umbrella?");
  const timeline = new Timeline();
  for (const record of tape.toJSON()) timeline.add(record);
  const tracks = [...timeline.tracks.values()];
  expect(tracks.map(({ kind, group }) => `${kind} in ${group}`)).toEqual(["session in chat-42", "keeper in chat-42", "lease in chat-42", "runner in chat-42", "turn in chat-42", "tool in chat-42"]);
  const turn = tracks.find(({ kind }) => kind === "turn");
  expect(turn?.chart?.id).toBe("turn");
  expect(timeline.snapshotAt(turn?.key ?? "", timeline.end)?.snapshot).toMatchObject({ status: "done", value: "done" });
  expect(turn ? effectsAt(timeline, turn, timeline.end).map(({ kind, state }) => `${kind} ${state}`) : []).toEqual(["llm_call settled", "tool_batch settled", "checkpoint settled", "llm_call settled"]);
  await lash.close();
});
