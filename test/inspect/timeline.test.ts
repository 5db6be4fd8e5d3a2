import { expect, test } from "vitest";
import { createActor, createMachine } from "xstate";
import { recorder } from "../../src/inspect/recorder.ts";
import { effectsAt } from "../../src/inspect/viewer/effect-states.ts";
import { Timeline } from "../../src/inspect/viewer/timeline.ts";
import { fakeRuntime } from "./machines/system.ts";

const machine = createMachine({ id: "switch", initial: "off", states: { off: { on: { "switch.flip": "on" } }, on: { on: { "switch.flip": "off" } } } });

function recordingOf(run: string, flips: number, id = "switch:lamp"): ReturnType<ReturnType<typeof recorder>["toJSON"]> {
  const tape = recorder({ run, label: run, schedule: () => undefined, limit: 10_000_000, burst: 10_000_000 });
  const actor = createActor(machine, { id, inspect: tape }).start();
  for (let flip = 0; flip < flips; flip += 1) actor.send({ type: "switch.flip" });
  return tape.toJSON();
}

test("the state of an actor is known at every position", () => {
  const timeline = new Timeline();
  for (const record of recordingOf("a", 3)) timeline.add(record);
  const [track] = timeline.tracks.values();
  const values = track?.snapshots.map((position) => timeline.snapshotAt(track.key, position + 1)?.snapshot.value);
  expect(values).toEqual(["off", "on", "off", "on"]);
  expect(timeline.snapshotAt(track?.key ?? "", 0)).toBeUndefined();
});

test("actors of different runs with the same session id are kept apart, also when the runs speak in turn", () => {
  const timeline = new Timeline();
  const one = recordingOf("one", 1).map((record) => ("sessionId" in record ? { ...record, sessionId: "x:0" } : record));
  const two = recordingOf("two", 2).map((record) => ("sessionId" in record ? { ...record, sessionId: "x:0" } : record));
  for (const record of one.slice(0, 4)) timeline.add(record);
  for (const record of two.slice(0, 4)) timeline.add(record);
  timeline.enter("one");
  for (const record of one.slice(4)) timeline.add(record);
  timeline.enter("two");
  for (const record of two.slice(4)) timeline.add(record);
  expect([...timeline.tracks.keys()]).toEqual(["one/x:0", "two/x:0"]);
  expect(timeline.snapshotAt("one/x:0", timeline.end)?.snapshot.value).toBe("on");
  expect(timeline.snapshotAt("two/x:0", timeline.end)?.snapshot.value).toBe("off");
});

test("a replay after a reconnect adds nothing twice", () => {
  const timeline = new Timeline();
  const records = recordingOf("a", 5);
  for (const record of [...records.slice(0, 8), ...records]) timeline.add(record);
  const once = new Timeline();
  for (const record of records) once.add(record);
  expect(timeline.end).toBe(once.end);
});

test("a long run forgets its oldest records, never the state of a living actor", () => {
  const timeline = new Timeline(1000);
  for (const record of recordingOf("quiet", 1, "switch:quiet")) timeline.add(record);
  for (const record of recordingOf("busy", 1300, "switch:busy")) timeline.add(record);
  expect(timeline.end - timeline.start).toBeLessThanOrEqual(1001);
  expect(timeline.start).toBeGreaterThan(0);
  const quiet = [...timeline.tracks.values()].find(({ name }) => name === "switch:quiet");
  expect(timeline.snapshotAt(quiet?.key ?? "", timeline.end)?.snapshot.value).toBe("on");
  const busy = [...timeline.tracks.values()].find(({ name }) => name === "switch:busy");
  expect(timeline.snapshotAt(busy?.key ?? "", timeline.end)?.snapshot.value).toBe("off");
  expect(timeline.at(timeline.end - 1)).toBeDefined();
});

test("effects are those of the asked turn, and of a session those of its newest", () => {
  const tape = recorder({ schedule: () => undefined });
  const runtime = fakeRuntime(tape);
  runtime.start("chat-1", "t1");
  runtime.start("chat-2", "t1", { replayedUpTo: 1 });
  runtime.advance();
  const timeline = new Timeline();
  for (const record of tape.toJSON()) timeline.add(record);
  const named = (name: string) => [...timeline.tracks.values()].find((track) => track.name === name);
  const states = (name: string): readonly string[] => {
    const track = named(name);
    return track ? effectsAt(timeline, track, timeline.end).map(({ kind, state }) => `${kind} ${state}`) : [];
  };
  expect(states("turn:chat-1:t1")).toEqual(["claim_lane settled", "drain_commands requested"]);
  expect(states("effects:chat-2:t1")).toEqual(["claim_lane from journal", "drain_commands requested"]);
  expect(states("session:chat-2")).toEqual(states("turn:chat-2:t1"));
});
