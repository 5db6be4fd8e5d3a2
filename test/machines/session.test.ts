// The session chart, row by row of sessions.md section 14; what its sequences can and cannot do is in model.test.ts.

import { describe, expect, test } from "vitest";
import { initialTransition, transition } from "xstate";
import { sessionMachine, type SessionEvent, type SessionMachineInput } from "../../src/machines/session.machine.ts";
import { isJson } from "../support/is-json.ts";

function after(events: readonly SessionEvent[], input: Partial<SessionMachineInput> = {}) {
  let [snapshot, actions] = initialTransition(sessionMachine, { sessionId: "s", residency: "keep_all", hasStore: true, ...input });
  for (const event of events) [snapshot, actions] = transition(sessionMachine, snapshot, event);
  const asked = actions.flatMap(({ type, params }) => (type === "xstate.sendTo" ? [(params as { event: unknown }).event] : []));
  return { ...(snapshot.value as { residency: unknown; lease: unknown }), context: snapshot.context, asked };
}

const open = { type: "session.open" } as const;
const loaded = { type: "session.loaded", repaired: false } as const;
const clean = [open, loaded] as const;
const dirty = [...clean, { type: "session.changed" }] as const;
const acquiring = [...clean, { type: "turn.started" }] as const;
const running = [...acquiring, { type: "lease.acquired", fencingToken: 3 }] as const;
const committing = [...running, { type: "turn.committing" }] as const;
const failure = { code: "x", message: "y" };

describe.each<[string, readonly SessionEvent[], unknown, unknown]>([
  ["opening asks for a load", [open], "loading", "free"],
  ["a loaded session is clean", clean, { resident: "clean" }, "free"],
  ["a repaired one is dirty", [open, { type: "session.loaded", repaired: true }], { resident: "dirty" }, "free"],
  ["one that cannot be loaded has failed", [open, { type: "session.loadFailed", ...failure }], "failed", "free"],
  ["and can be tried again", [open, { type: "session.loadFailed", ...failure }, { type: "session.reopen" }], "loading", "free"],
  ["a change without a commit of its own makes it dirty", dirty, { resident: "dirty" }, "free"],
  ["a turn acquires the lease", acquiring, "acquiring", "acquiring"],
  ["a busy lane gives back the state before, clean", [...acquiring, { type: "lease.busy" }], { resident: "clean" }, "free"],
  ["a busy lane gives back the state before, dirty", [...dirty, { type: "turn.started" }, { type: "lease.busy" }], { resident: "dirty" }, "free"],
  ["a turn that turns out to be settled does, too", [...acquiring, { type: "turn.ended" }], { resident: "clean" }, "free"],
  ["with the lease it runs", running, "running", "held"],
  ["a renewal is seen", [...running, { type: "lease.renewing" }], "running", "renewing"],
  ["a renewal that fails for a moment keeps the lease", [...running, { type: "lease.renewing" }, { type: "lease.renewFailed" }], "running", "held"],
  ["a commit frees the lane and leaves it clean", [...committing, { type: "turn.committed" }], { resident: "clean" }, "free"],
  ["also in the middle of a renewal", [...committing, { type: "lease.renewing" }, { type: "turn.committed" }], { resident: "clean" }, "free"],
  ["a turn that ends without a commit frees it, too", [...running, { type: "turn.ended" }], { resident: "clean" }, "free"],
  ["a commit of unknown fate makes it stale, the lease is left", [...committing, { type: "turn.commitFailed", ...failure }], "stale", "lost"],
  ["a lease lost while running", [...running, { type: "lease.lost" }], "lost", "lost"],
  ["a lease lost while committing", [...committing, { type: "lease.lost" }], "lost", "lost"],
  ["a turn cannot start while it is loading", [open, { type: "turn.started" }], "loading", "free"],
  ["lost refuses turns", [...running, { type: "lease.lost" }, { type: "turn.started" }], "lost", "lost"],
  ["stale refuses turns and changes", [...committing, { type: "turn.commitFailed", ...failure }, { type: "turn.started" }, { type: "session.changed" }], "stale", "lost"],
  ["a reopened one is read again before anything", [...running, { type: "lease.lost" }, { type: "session.reopen" }], "loading", "lost"],
  ["and may claim again then", [...running, { type: "lease.lost" }, { type: "session.reopen" }, loaded], { resident: "clean" }, "free"],
  ["a clean one parks at once", [...clean, { type: "session.park" }], "parked", "free"],
  ["a dirty one is flushed first", [...dirty, { type: "session.park" }], "parking", "free"],
  ["a flush that fails leaves it dirty", [...dirty, { type: "session.close" }, { type: "session.flushFailed", ...failure }], { resident: "dirty" }, "free"],
  ["a parked one opens again", [...clean, { type: "session.park" }, open], "loading", "free"],
  ["a closed one takes nothing more", [...clean, { type: "session.close" }, open, { type: "turn.started" }], "closed", "free"],
])("%s", (_title, events, residency, lease) => {
  test("(sessions.md 14, S-42..S-60)", () => {
    expect(after(events)).toMatchObject({ residency, lease });
  });
});

test("active_path_only without a store is refused with what to do (sessions.md 14)", () => {
  const { residency, context } = after([open], { residency: "active_path_only", hasStore: false });
  expect(residency).toBe("failed");
  expect(context.failure?.code).toBe("persistent_store_required");
});

test.each<[string, readonly SessionEvent[]]>([
  ["another handle is open", [...clean, { type: "handle.opened" }]],
  ["a turn runs", running],
])("park and close are refused while %s (S-42)", (_title, events) => {
  for (const type of ["session.park", "session.close"] as const) expect(after([...events, { type }]).residency).toEqual(after(events).residency);
});

test("the fencing token is known exactly while the lease is held (R3, S-59)", () => {
  expect(after(running).context.fencingToken).toBe(3);
  for (const type of ["turn.committed", "turn.ended", "lease.lost"] as const) expect(after([...committing, { type }]).context.fencingToken === 3).toBe(type === "turn.ended" && after([...committing, { type }]).lease === "held");
});

test("loading and flushing are asked for once, when they are due (sessions.md 14)", () => {
  expect(after([open]).asked).toEqual([{ type: "session.load" }]);
  expect(after([...dirty, { type: "session.close" }]).asked).toEqual([{ type: "session.flush", into: "closed" }]);
  expect(after([...clean, { type: "session.close" }]).asked).toEqual([]);
});

test("its context is JSON in every state (T-22)", () => {
  for (const events of [[], clean, dirty, running, committing]) expect(isJson(after(events).context)).toBe(true);
});
