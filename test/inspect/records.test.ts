import { assign, createActor, setup, type InspectionEvent } from "xstate";
import { expect, test } from "vitest";
import { parseRecords, type EventRecord, type InspectRecord, type SnapshotRecord } from "../../src/inspect/records.ts";
import { recorder } from "../../src/inspect/recorder.ts";
import { createTap, type TapOptions } from "../../src/inspect/tap.ts";
import { fakeRuntime } from "./machines/system.ts";

const manual = (options: TapOptions = {}): TapOptions => ({ now: () => 1000, schedule: () => undefined, run: "run-1", ...options });

const counter = setup({ types: { context: {} as { count: number }, events: {} as { type: "count.up" } | { type: "count.noise" } } }).createMachine({
  id: "counter",
  context: { count: 0 },
  initial: "counting",
  states: { counting: { on: { "count.up": { actions: assign(({ context }) => ({ count: context.count + 1 })) } } } },
});

function ofType<Type extends InspectRecord["type"]>(records: readonly InspectRecord[], type: Type): readonly Extract<InspectRecord, { type: Type }>[] {
  return records.filter((record): record is Extract<InspectRecord, { type: Type }> => record.type === type);
}

test("a recording begins with its run, then a chart before the first actor that has it", () => {
  const tape = recorder(manual());
  createActor(counter, { id: "counter:a", inspect: tape }).start();
  createActor(counter, { id: "counter:b", inspect: tape }).start();
  const records = tape.toJSON();
  expect(records.slice(0, 3).map((record) => record.type)).toEqual(["lash.run", "lash.machine", "@xstate.actor"]);
  expect(ofType(records, "lash.machine")).toHaveLength(1);
  expect(ofType(records, "@xstate.actor").map(({ name, machine }) => [name, machine])).toEqual([["counter:a", "counter"], ["counter:b", "counter"]]);
});

test("a snapshot says which transitions were taken and which actions ran", () => {
  const tape = recorder(manual());
  const runtime = fakeRuntime(tape);
  runtime.start("chat-42", "t1");
  runtime.advance();
  const moved = ofType(tape.toJSON(), "@xstate.snapshot").find((record) => record.snapshot.value === "drainingCommands");
  expect(moved?.steps).toEqual([["claimingLane", "effect.settled", "drainingCommands"]]);
  expect(moved?.actions).toContain("xstate.sendTo");
  expect(moved?.event).toEqual({ type: "effect.settled" });
});

test("an event names its source, its recipient and what it carried", () => {
  const tape = recorder(manual());
  const runtime = fakeRuntime(tape);
  runtime.start("chat-42", "t1", { replayedUpTo: 1 });
  runtime.advance();
  const records = tape.toJSON();
  const names = new Map(ofType(records, "@xstate.actor").map(({ sessionId, name }) => [sessionId, name]));
  const settled = ofType(records, "@xstate.event").find((record: EventRecord) => record.event.type === "effect.settled");
  expect(names.get(settled?.sourceId ?? "")).toBe("effects:chat-42:t1");
  expect(names.get(settled?.sessionId ?? "")).toBe("turn:chat-42:t1");
  expect(settled?.event).toEqual({ type: "effect.settled", effectId: 1, kind: "claim_lane", replayed: true, outcome: "ok" });
});

test("numbers count up by one, and tool calls are actors of their own below the effects actor", () => {
  const tape = recorder(manual());
  const runtime = fakeRuntime(tape);
  runtime.start("chat-42", "t1");
  while (runtime.advance());
  const records = tape.toJSON();
  const numbers = records.flatMap((record) => ("seq" in record ? [record.seq] : []));
  expect(numbers).toEqual(numbers.map((_, index) => index));
  const actors = ofType(records, "@xstate.actor");
  const tool = actors.find(({ name }) => name.startsWith("tool:chat-42:t1:weather:"));
  expect(actors.find(({ sessionId }) => sessionId === tool?.parentId)?.name).toBe("effects:chat-42:t1");
});

test("a recording survives the round trip through its file, and a torn last line is reported", () => {
  const tape = recorder(manual());
  createActor(counter, { inspect: tape }).start().send({ type: "count.up" });
  const text = tape.toFile();
  expect(parseRecords(text)).toEqual({ records: tape.toJSON(), badLines: [] });
  const torn = text.slice(0, -20);
  expect(parseRecords(torn).badLines).toEqual([text.trimEnd().split("\n").length]);
  expect(parseRecords("{}\n[1]\nnull\n{\"type\":\"@xstate.event\",\"seq\":1}\n").records).toEqual([]);
});

test("a full recorder keeps the newest happenings, the chart, and the state of actors that live", () => {
  const tape = recorder({ ...manual(), limit: 10 });
  const quiet = createActor(counter, { id: "counter:quiet", inspect: tape }).start();
  quiet.send({ type: "count.up" });
  const busy = createActor(counter, { id: "counter:busy", inspect: tape }).start();
  for (let round = 0; round < 40; round += 1) busy.send({ type: "count.up" });
  const records = tape.toJSON();
  const names = ofType(records, "@xstate.actor").map(({ name }) => name);
  expect(names).toEqual(["counter:quiet", "counter:busy"]);
  expect(ofType(records, "lash.machine")).toHaveLength(1);
  const state = ofType(records, "@xstate.snapshot").find(({ sessionId }) => sessionId === quiet.sessionId);
  expect(state?.snapshot.context).toEqual({ count: 1 });
  expect(records.length).toBeLessThanOrEqual(10 + 6);
});

test("actors that ended leave a full recorder together with their last happening", () => {
  const tape = recorder({ ...manual(), limit: 10 });
  for (let round = 0; round < 30; round += 1) createActor(counter, { id: `counter:${round}`, inspect: tape }).start().stop();
  expect(ofType(tape.toJSON(), "@xstate.actor").length).toBeLessThan(6);
});

test("under load superseded snapshots and then old events are left out, and a record says how many", () => {
  const seen: InspectRecord[] = [];
  const tap = createTap((records) => seen.push(...records), manual({ burst: 100 }));
  const actor = createActor(counter, { inspect: tap }).start();
  for (let round = 0; round < 1000; round += 1) actor.send({ type: "count.up" });
  tap.flush();
  const skipped = ofType(seen, "lash.skipped");
  const handed = ofType(seen, "@xstate.event").length;
  expect(handed).toBeLessThanOrEqual(100);
  expect(skipped.reduce((sum, record) => sum + record.events, 0)).toBe(1001 - handed);
  const last: SnapshotRecord | undefined = ofType(seen, "@xstate.snapshot").at(-1);
  expect(last?.snapshot.context).toEqual({ count: 1000 });
  expect(ofType(seen, "@xstate.actor")).toHaveLength(1);
});

test("an idle tap hands on nothing, and then the state of every living actor", () => {
  const seen: InspectRecord[] = [];
  const tap = createTap((records) => seen.push(...records), manual(), false);
  const actor = createActor(counter, { id: "counter:a", inspect: tap }).start();
  actor.send({ type: "count.up" });
  createActor(counter, { id: "counter:gone", inspect: tap }).start().stop();
  tap.flush();
  expect(seen).toEqual([]);
  tap.setListening(true);
  expect(seen.map(({ type }) => type)).toEqual(["lash.run", "lash.machine", "@xstate.actor", "@xstate.snapshot"]);
  expect(ofType(seen, "@xstate.snapshot")[0]?.snapshot.context).toEqual({ count: 1 });
});

test("a sink that throws does not reach the runtime", () => {
  const tap = createTap(() => {
    throw new Error("broken viewer");
  }, manual());
  const actor = createActor(counter, { inspect: tap }).start();
  actor.send({ type: "count.up" });
  tap.flush();
  expect(actor.getSnapshot().context.count).toBe(1);
});

test("a failed actor is recorded with its error", () => {
  const tape = recorder(manual());
  const failing = setup({ actions: { explode: () => { throw new Error("no token sk-abcdefghijklmnopqrst"); } } }).createMachine({ initial: "a", states: { a: { on: { go: { actions: "explode" } } } } });
  const actor = createActor(failing, { inspect: tape });
  actor.subscribe({ error: () => undefined });
  actor.start();
  actor.send({ type: "go" });
  const last = ofType(tape.toJSON(), "@xstate.snapshot").at(-1);
  expect(last?.snapshot).toMatchObject({ status: "error", error: { error: "Error", message: "no token [redacted]" } });
});

test("nothing is recorded after close, and what was recorded stays", () => {
  const tape = recorder(manual());
  const actor = createActor(counter, { inspect: tape }).start();
  const before = tape.toJSON().length;
  tape.close();
  actor.send({ type: "count.up" });
  expect(tape.toJSON()).toHaveLength(before);
});

test("inspection accepts the observer and its detached function alike", () => {
  const tape = recorder(manual());
  const observe: (event: InspectionEvent) => void = tape.next;
  createActor(counter, { id: "counter:fn", inspect: observe }).start();
  expect(ofType(tape.toJSON(), "@xstate.actor")[0]?.name).toBe("counter:fn");
});
