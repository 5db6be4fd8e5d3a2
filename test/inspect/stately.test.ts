import { afterEach, expect, test, vi } from "vitest";
import type { InspectRecord } from "../../src/inspect/records.ts";
import { recorder } from "../../src/inspect/recorder.ts";
import { statelyConverter } from "../../src/inspect/stately.ts";
import { statelyInspector } from "../../src/inspect/stately-inspector.ts";
import { fakeRuntime } from "./machines/system.ts";

const sent: unknown[] = [];
vi.mock("@statelyai/inspect", () => ({ createBrowserInspector: () => ({ adapter: { send: (record: unknown) => sent.push(record) }, stop: () => undefined }) }));
afterEach(() => sent.splice(0));

test("records become Stately's: definition as text, source, snapshot, and the field its viewer tells them by", () => {
  const tape = recorder({ schedule: () => undefined, now: () => 1000.5 });
  const runtime = fakeRuntime(tape);
  runtime.start("chat-42", "t1");
  runtime.advance();
  const convert = statelyConverter();
  const converted = tape.toJSON().flatMap((record: InspectRecord) => convert(record) ?? []);
  const actor = converted.find((record) => record["name"] === "turn:chat-42:t1");
  expect(actor).toMatchObject({ type: "@xstate.actor", _version: "0.7.2", createdAt: "1001", parentId: expect.stringContaining("x:"), snapshot: { status: "active" } });
  expect(JSON.parse(String(actor?.["definition"]))).toMatchObject({ id: "turn", initial: "claimingLane" });
  expect(converted.find((record) => record.type === "@xstate.event" && record.sessionId === actor?.sessionId)).toMatchObject({ rootId: actor?.rootId, event: { type: "xstate.init" } });
  expect(converted.find((record) => record.type === "@xstate.snapshot" && record.sessionId === actor?.sessionId)).toMatchObject({ snapshot: { value: "claimingLane" } });
});

test("statelyInspector hands redacted records to the package's adapter", async () => {
  let flush = (): void => undefined;
  const inspector = await statelyInspector({ schedule: (run) => (flush = run) });
  fakeRuntime(inspector).start("chat-42", "t1");
  flush();
  expect(sent.length).toBeGreaterThan(5);
  expect(JSON.stringify(sent)).not.toContain("sk-live");
  inspector.close();
});
