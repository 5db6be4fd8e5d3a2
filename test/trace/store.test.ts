// Leases and claims, seen as they pass through a store.

import { expect, test } from "vitest";
import { consoleLogger } from "../../src/domain/logger.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import { gate, manualClock } from "../../src/testing/index.ts";
import { acquire, claimBy, commandDraft, commitOf, inputDraft, rowsOf, wakeDraft, silenceOf } from "../../src/testing/persistence-fixtures.ts";
import { memoryTrace } from "../../src/trace/index.ts";
import { testLash } from "../support/lash.ts";
import { ofType } from "../support/trace-pairs.ts";

function watched() {
  const sink = memoryTrace();
  const clock = manualClock(1_000);
  let ids = 0;
  const tracer = sink.openTrace({ clock, newId: () => `${++ids}`, logger: consoleLogger });
  const customs = () => ofType(sink.records, "custom").map(({ name, payload }) => [name, payload] as const);
  return { store: tracer.watchStore(createPersistence(memoryEngine(), { clock })), clock, customs, sink };
}

test("S-64 a lease is told from its acquisition to one end; taken again by its holder it is no news, and no token of it is told", async () => {
  const { store, clock, customs, sink } = watched();
  const fence = await acquire(store, "s");
  await store.leases.claim(claimBy("alice", "s"));
  await store.leases.claim(claimBy("bob", "s"));
  await store.leases.renew(fence, 30_000);
  await clock.advance(60_000);
  const taken = await acquire(store, "s", "bob", await silenceOf(store, "s"));
  await expect(store.leases.renew(fence, 30_000)).rejects.toMatchObject({ code: "session_execution_lease_expired" });
  await store.leases.release(fence);
  await store.sessions.commit(commitOf("s", taken, { releaseLease: true }));
  await store.leases.release(taken);
  expect(customs().map(([name, { owner_id }]) => `${name} ${owner_id}`)).toEqual([
    "session_execution_lease.acquired alice",
    "session_execution_lease.busy bob",
    "session_execution_lease.renewed alice",
    "session_execution_lease.acquired bob",
    "session_execution_lease.lost alice",
    "session_execution_lease.released bob",
  ]);
  expect(JSON.stringify(sink.records)).not.toContain(fence.leaseToken);
});

test("S-64 a turn that takes long tells of its renewals, under its own id", async () => {
  const sink = memoryTrace();
  const hold = gate();
  const { lash, clock } = testLash({ trace: { sink }, script: [{ before: hold, text: "x" }] });
  const running = (await lash.openSession("s")).run("go", { turnId: "t" });
  await hold.reached;
  await clock.advance(20_000);
  hold.open();
  await running;
  expect(ofType(sink.records, "custom").filter(({ name }) => name.endsWith(".renewed")).map(({ context }) => context)).toEqual([{ session_id: "s", turn_id: "t" }, { session_id: "s", turn_id: "t" }]);
});

test("I-54 queued work and inputs are told as they are enqueued, claimed and completed, with batch, boundary and cause", async () => {
  const { store, customs, sink } = watched();
  const fence = await acquire(store, "s");
  const batch = await store.queue.enqueue(wakeDraft("s", "secret text", { sourceKey: "wake:1" }));
  const claim = await store.queue.claimWork({ fence, claimToken: "proof", boundary: "idle", max: 8 });
  if (!claim) throw new Error("nothing was claimed");
  await store.sessions.commit(commitOf("s", fence, { completedWork: [rowsOf(claim)], releaseLease: false }));
  await store.queue.enqueue(commandDraft("s", "because"));
  await store.queue.claimCommand({ fence, claimToken: "proof" });
  const input = await store.inputs.enqueue(inputDraft("s", "secret text"));
  await store.inputs.claimNext({ fence, claimToken: "proof", max: 8 });
  expect(customs().slice(1)).toMatchObject([
    ["queued_work.enqueued", { batch_id: batch.batchId, payload_types: ["process_wake"] }],
    ["queued_work.claimed", { boundary: "idle", claim_id: claim.claimId, owner_id: "alice", batch_ids: [batch.batchId], payload_types: ["process_wake"], causes: ["wake:1"] }],
    ["queued_work.completed", { claim_id: claim.claimId, batch_ids: [batch.batchId] }],
    ["queued_work.enqueued", { payload_types: ["session_command"] }],
    ["queued_work.claimed", { boundary: "command" }],
    ["turn_input.claimed", { boundary: "next_turn", input_ids: [input.inputId] }],
  ]);
  expect(JSON.stringify(sink.records)).not.toMatch(/proof|secret text/);
});
