// Whoever watches a turn cannot change what becomes of it: leaving, being slow, breaking (T-46, FA-22, FA-80).

import { expect, test } from "vitest";
import * as z from "zod";
import { tool } from "../../src/index.ts";
import { gate } from "../../src/testing/index.ts";
import { activitiesOf, testLash, transcriptOf } from "../support/lash.ts";

const chunks = (count: number): readonly string[] => Array.from({ length: count }, (_, index) => `${index} `);

test("a turn starts when it is iterated or its result is asked for, and not before (design 8)", async () => {
  const { lash, provider } = testLash({ script: ["one", "two"] });
  const session = await lash.openSession("s");
  const idle = session.turn("never asked");
  const iterated = session.turn("go");
  await activitiesOf(iterated);
  expect((await iterated.result).text).toBe("one");
  expect(provider.requests).toHaveLength(1);
  expect(transcriptOf(session)).toHaveLength(2);
  expect(idle.id).not.toBe(iterated.id);
});

test("a consumer that leaves stops watching, not the turn (FA-80)", async () => {
  const { lash } = testLash({ script: [{ text: chunks(500) }] });
  const session = await lash.openSession("s");
  const turn = session.turn("go");
  for await (const activity of turn) if (activity.type === "assistant_prose_delta") break;
  expect((await turn.result).text).toBe(chunks(500).join("").trim());
});

test("a consumer that throws meets its own error, and the turn commits (FA-80, T-46)", async () => {
  const { lash } = testLash({ script: [{ text: chunks(500) }] });
  const session = await lash.openSession("s");
  const turn = session.turn("go");
  const watch = async (): Promise<void> => {
    for await (const _ of turn) throw new Error("mine");
  };
  await expect(watch()).rejects.toThrow("mine");
  expect((await turn.result).isSuccess).toBe(true);
});

test("a slow consumer slows its turn, and sees everything in order (T-46, FA-22)", async () => {
  const { lash, provider } = testLash({ script: [{ text: chunks(200) }] });
  const session = await lash.openSession("s");
  const turn = session.turn("go");
  const iterator = turn[Symbol.asyncIterator]();
  await iterator.next();
  // The buffer is full long before the answer is: the model is still being listened to.
  for (let round = 0; round < 100; round++) await Promise.resolve();
  expect(provider.running).toBe(1);
  let text = "";
  for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
    if (next.value.type === "assistant_prose_delta") text += next.value.text;
  }
  expect(text).toBe(chunks(200).join(""));
  expect((await turn.result).isSuccess).toBe(true);
});

test("a consumer that has stopped reading can still cancel and wait for the result (T-46, T-63)", async () => {
  const { lash } = testLash({ script: [{ text: chunks(500) }] });
  const session = await lash.openSession("s");
  const turn = session.turn("go");
  let result;
  for await (const activity of turn) {
    if (activity.type !== "assistant_prose_delta") continue;
    turn.cancel();
    result = await turn.result;
    break;
  }
  expect(result).toMatchObject({ outcome: { stop: "cancelled" } });
});

test("a consumer that cancels during a tool and reads no further gets its result (T-46, T-63)", async () => {
  const look = tool({ name: "look", description: "", input: z.object({}), run: () => "seen" });
  const { lash, clock } = testLash({ tools: [look], script: [{ toolCalls: Array.from({ length: 200 }, () => ({ name: "look" })) }, "done"] });
  const session = await lash.openSession("s");
  const turn = session.turn("go");
  const iterator = turn[Symbol.asyncIterator]();
  for (let next = await iterator.next(); next.done !== true && next.value.type !== "tool_call_started"; ) next = await iterator.next();
  turn.cancel();
  expect((await clock.runUntil(turn.result)).outcome).toMatchObject({ stop: "cancelled" });
});

test("a sink that throws or rejects changes nothing (T-46)", async () => {
  for (const onActivity of [() => { throw new Error("sync"); }, () => Promise.reject(new Error("async"))]) {
    const { lash } = testLash({ script: [{ text: chunks(10) }] });
    const session = await lash.openSession("s");
    expect((await session.run("go", { onActivity })).isSuccess).toBe(true);
  }
});

test("a sink is awaited: the next activity comes when it is done with the last (T-46)", async () => {
  const { lash } = testLash({ script: [{ text: chunks(5) }] });
  const session = await lash.openSession("s");
  let busy = 0;
  let most = 0;
  await session.run("go", {
    onActivity: async () => {
      most = Math.max(most, ++busy);
      await Promise.resolve();
      busy--;
    },
  });
  expect(most).toBe(1);
});

test("a turn that fails fails its iteration and its result with the same error, and nothing else (design 8)", async () => {
  const hold = gate();
  const { lash } = testLash({ script: [{ text: "held", before: hold }] });
  const holder = await lash.openSession("s");
  const running = holder.run("a");
  await hold.reached;
  const turn = (await lash.openSession("s")).turn("b", { wait: false });
  await expect(activitiesOf(turn)).rejects.toMatchObject({ code: "session_execution_busy" });
  await expect(turn.result).rejects.toMatchObject({ code: "session_execution_busy" });
  hold.open();
  await running;
});

test("an outside signal frees a turn from a consumer that reads no further, too (T-46, T-63)", async () => {
  const { lash } = testLash({ script: [{ text: chunks(500) }] });
  const session = await lash.openSession("s");
  const outside = new AbortController();
  const turn = session.turn("go", { signal: outside.signal });
  const iterator = turn[Symbol.asyncIterator]();
  for (let read = 0; read < 3; read++) await iterator.next();
  outside.abort();
  expect((await turn.result).outcome).toMatchObject({ stop: "cancelled" });
});
