// The session chart, row by row of sessions.md section 14; what its sequences can and cannot do is in model.test.ts.

import { describe, expect, test } from "vitest";
import { initialTransition, transition } from "xstate";
import { sessionMachine, type SessionEvent, type SessionMachineInput } from "../../src/machines/session.machine.ts";
import { isJson } from "../support/is-json.ts";

function after(events: readonly SessionEvent[], input: Partial<SessionMachineInput> = {}) {
  let [snapshot, actions] = initialTransition(sessionMachine, { sessionId: "s", residency: "keep_all", hasStore: true, ...input });
  for (const event of events) [snapshot, actions] = transition(sessionMachine, snapshot, event);
  const asked = actions.flatMap(({ type, params }) => (type === "xstate.sendTo" ? [(params as { event: unknown }).event] : []));
  return { ...(snapshot.value as { residency: unknown; durable: unknown }), context: snapshot.context, asked };
}

const open = { type: "session.open" } as const;
const seen = (state: "idle" | "inTurn" | "parked" | "deleting" | "retired") => ({ type: "session.seen", state }) as const;
const loaded = { type: "session.loaded", repaired: false } as const;
const clean = [open, seen("idle"), loaded] as const;
const dirty = [...clean, { type: "session.changed" }] as const;
const acquiring = [...clean, { type: "turn.started" }] as const;
const running = [...acquiring, { type: "turn.claimed" }] as const;
const committing = [...running, { type: "turn.committing" }] as const;
const committed = { type: "turn.committed", follows: false } as const;
const failure = { code: "x", message: "y" };

describe.each<[string, readonly SessionEvent[], unknown]>([
  ["opening asks for a load", [open], "loading"],
  ["a loaded session is clean", clean, { resident: "clean" }],
  ["a repaired one is dirty", [open, { type: "session.loaded", repaired: true }], { resident: "dirty" }],
  ["one that cannot be loaded has failed", [open, { type: "session.loadFailed", ...failure }], "failed"],
  ["and can be tried again", [open, { type: "session.loadFailed", ...failure }, { type: "session.reopen" }], "loading"],
  ["a change without a commit of its own makes it dirty", dirty, { resident: "dirty" }],
  ["a turn acquires the lease", acquiring, "acquiring"],
  ["a turn that somebody else runs gives back the state before, clean", [...acquiring, { type: "turn.left" }], { resident: "clean" }],
  ["a turn that somebody else runs gives back the state before, dirty", [...dirty, { type: "turn.started" }, { type: "turn.left" }], { resident: "dirty" }],
  ["claimed it runs", running, "running"],
  ["a commit leaves it clean", [...committing, committed], { resident: "clean" }],
  ["a commit that accepted the next turn does, too", [...committing, { type: "turn.committed", follows: true }], { resident: "clean" }],
  ["a turn that ends without a commit does, too", [...running, { type: "turn.settled" }], { resident: "clean" }],
  ["a turn that is left waiting does, too", [...running, { type: "turn.parked" }], { resident: "clean" }],
  ["a turn that is left in flight does, too", [...running, { type: "turn.left" }], { resident: "clean" }],
  ["one that is left while it commits makes it stale", [...committing, { type: "turn.left" }], "stale"],
  ["a commit that is refused lets it run on", [...committing, { type: "turn.continued" }], "running"],
  ["a commit of unknown fate makes it stale", [...committing, { type: "turn.commitFailed", ...failure }], "stale"],
  ["a lease lost while running", [...running, { type: "lease.lost" }], "lost"],
  ["a lease lost while committing", [...committing, { type: "lease.lost" }], "lost"],
  ["a turn cannot start while it is loading", [open, { type: "turn.started" }], "loading"],
  ["lost refuses turns", [...running, { type: "lease.lost" }, { type: "turn.started" }], "lost"],
  ["stale refuses turns and changes", [...committing, { type: "turn.commitFailed", ...failure }, { type: "turn.started" }, { type: "session.changed" }], "stale"],
  ["a reopened one is read again before anything", [...running, { type: "lease.lost" }, { type: "session.reopen" }], "loading"],
  ["and goes on then", [...running, { type: "lease.lost" }, { type: "session.reopen" }, loaded], { resident: "clean" }],
  ["a clean one parks at once", [...clean, { type: "session.park" }], "parked"],
  ["a dirty one is flushed first", [...dirty, { type: "session.park" }], "parking"],
  ["a flush that fails leaves it dirty", [...dirty, { type: "session.close" }, { type: "session.flushFailed", ...failure }], { resident: "dirty" }],
  ["a parked one opens again", [...clean, { type: "session.park" }, open], "loading"],
  ["a closed one takes nothing more", [...clean, { type: "session.close" }, open, { type: "turn.started" }], "closed"],
])("%s", (_title, events, residency) => {
  test("(sessions.md 14, S-42..S-60)", () => {
    expect(after(events)).toMatchObject({ residency });
  });
});

describe.each<[string, readonly SessionEvent[], string]>([
  ["nobody knows before the store was read", [open], "unread"],
  ["what the store says holds", [open, seen("parked")], "parked"],
  ["whatever it said before", [open, seen("parked"), loaded, seen("idle")], "idle"],
  ["a turn that only asks for the lease is not accepted", acquiring, "idle"],
  ["a turn that was claimed is in flight", running, "inTurn"],
  ["one that waited is in flight again", [open, seen("parked"), loaded, { type: "turn.started" }, { type: "turn.claimed" }], "inTurn"],
  ["it is, until its commit is made", committing, "inTurn"],
  ["its commit ends it", [...committing, committed], "idle"],
  ["a commit that accepts the next turn does not", [...committing, { type: "turn.committed", follows: true }], "inTurn"],
  ["nor does one that is refused", [...committing, { type: "turn.continued" }], "inTurn"],
  ["a settlement ends it", [...running, { type: "turn.settled" }], "idle"],
  ["left waiting, it is parked", [...running, { type: "turn.parked" }], "parked"],
  ["left, it stays in flight", [...running, { type: "turn.left" }], "inTurn"],
  ["a lost lease does not end it", [...running, { type: "lease.lost" }], "inTurn"],
  ["nor does a commit of unknown fate", [...committing, { type: "turn.commitFailed", ...failure }], "inTurn"],
])("%s", (_title, events, durable) => {
  test("(sessions.md 14, OP-1)", () => {
    expect(after(events)).toMatchObject({ durable });
  });
});

test.each(["deleting", "retired"] as const)("a session that is %s is not loaded, and says why (S-89, R3)", (state) => {
  const { residency, durable, context } = after([open, seen(state), loaded]);
  expect({ residency, durable }).toEqual({ residency: "failed", durable: state });
  expect(context.failure?.code).toBe("session_id_retired");
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

test("loading and flushing are asked for once, when they are due (sessions.md 14)", () => {
  expect(after([open]).asked).toEqual([{ type: "session.load" }]);
  expect(after([...dirty, { type: "session.close" }]).asked).toEqual([{ type: "session.flush", into: "closed" }]);
  expect(after([...clean, { type: "session.close" }]).asked).toEqual([]);
});

test("its context is JSON in every state (T-22)", () => {
  for (const events of [[], clean, dirty, running, committing]) expect(isJson(after(events).context)).toBe(true);
});
