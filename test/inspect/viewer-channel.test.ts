import { afterEach, expect, test } from "vitest";
import { createActor, createMachine } from "xstate";
import { parseRecord, type InspectRecord } from "../../src/inspect/records.ts";
import { viewerChannel, type ViewerChannel } from "../../src/inspect/viewer-channel.ts";

const machine = createMachine({ id: "switch", initial: "off", states: { off: { on: { "switch.on": "on" } }, on: { on: { "switch.off": "off" } } } });
const closing: { close(): void }[] = [];
afterEach(() => {
  for (const item of closing.splice(0)) item.close();
});

interface Viewer { say(type: string): void; next(until: (record: InspectRecord) => boolean): Promise<readonly InspectRecord[]> }

let names = 0;
function pair(options: { readonly history?: number; readonly now?: () => number } = {}): { readonly app: ViewerChannel; readonly viewer: Viewer } {
  const name = `test-${process.pid}-${names++}`;
  const app = viewerChannel({ name, flushEveryMs: 0, ...options });
  const channel = new BroadcastChannel(name);
  closing.push(app, channel);
  const got: InspectRecord[] = [];
  let wake = (): void => undefined;
  channel.addEventListener("message", (event) => {
    const { lines } = (event as MessageEvent).data as { readonly lines?: readonly string[] };
    got.push(...(lines ?? []).flatMap((line) => parseRecord(line) ?? []));
    wake();
  });
  return {
    app,
    viewer: {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- BroadcastChannel
      say: (type) => channel.postMessage({ type }),
      next: async (until) => {
        while (!got.some(until)) await new Promise<void>((resolve) => (wake = resolve));
        return got.splice(0);
      },
    },
  };
}

const isValue = (value: string) => (record: InspectRecord): boolean => record.type === "@xstate.snapshot" && record.snapshot.value === value;

test("a viewer that says hello gets the run, the charts and the living actors, then what happens", async () => {
  const { app, viewer } = pair();
  const actor = createActor(machine, { id: "switch:a", inspect: app }).start();
  expect(app.watched).toBe(false);
  viewer.say("lash.viewer.hello");
  const first = await viewer.next(isValue("off"));
  expect(first.map(({ type }) => type)).toEqual(["lash.run", "lash.machine", "@xstate.actor", "@xstate.snapshot"]);
  expect(app.watched).toBe(true);
  actor.send({ type: "switch.on" });
  const then = await viewer.next(isValue("on"));
  expect(then.map(({ type }) => type)).toEqual(["@xstate.event", "@xstate.snapshot"]);
});

test("with a history, a later viewer sees what happened before", async () => {
  const { app, viewer } = pair({ history: 100 });
  createActor(machine, { inspect: app }).start().send({ type: "switch.on" });
  viewer.say("lash.viewer.hello");
  const records = await viewer.next(isValue("on"));
  expect(records.some(isValue("off"))).toBe(true);
});

test("a second viewer gets the chart again", async () => {
  const { app, viewer } = pair();
  createActor(machine, { inspect: app }).start();
  viewer.say("lash.viewer.hello");
  await viewer.next(isValue("off"));
  viewer.say("lash.viewer.hello");
  expect((await viewer.next(isValue("off"))).some(({ type }) => type === "lash.machine")).toBe(true);
});

test("a viewer that falls silent is no longer counted, and other messages are ignored", async () => {
  let now = 0;
  const { app, viewer } = pair({ now: () => now });
  createActor(machine, { inspect: app }).start();
  viewer.say("something.else");
  viewer.say("lash.viewer.hello");
  await viewer.next(isValue("off"));
  now = 200_000;
  expect(app.watched).toBe(false);
});
