// The lease chart: every transition is taken, and no sequence of events leads into a state that nothing leads out of.

import { describe, expect, test } from "vitest";
import { initialTransition, transition, type AnyStateMachine, type EventObject, type SnapshotFrom } from "xstate";
import { isShort, leaseMachine, type LeaseEvent, type LeaseMachineInput, type LeaseRequest } from "../../src/machines/lease/lease.machine.ts";
import { declared, taken } from "./walk.ts";

type Lease = SnapshotFrom<typeof leaseMachine>;

const input: LeaseMachineInput = { ttlMs: 300, renewMs: 100, untilMs: 300 };
const events: readonly LeaseEvent[] = [
  { type: "timer.due" }, { type: "write.coming", atMs: 100 }, { type: "write.coming", atMs: 250 }, { type: "renewal.granted", untilMs: 400 }, { type: "renewal.refused" },
  { type: "renewal.failed", atMs: 200 }, { type: "renewal.failed", atMs: 900 }, { type: "end.coming" }, { type: "end.refused" },
  { type: "lease.release" }, { type: "lease.leave" }, { type: "lease.freed" }, { type: "release.settled" },
];

const requests = (actions: readonly { readonly type: string; readonly params: unknown }[]): readonly LeaseRequest["type"][] =>
  actions.flatMap(({ type, params }) => (type === "xstate.emit" ? [(params as { readonly event: LeaseRequest }).event.type] : []));

const start = (): Lease => initialTransition(leaseMachine, input)[0];
const after = (...sent: readonly LeaseEvent[]): readonly [Lease, readonly LeaseRequest["type"][]] => {
  let state = start();
  let asked: readonly LeaseRequest["type"][] = [];
  for (const event of sent) {
    const [next, actions] = transition(leaseMachine, state, event);
    [state, asked] = [next, requests(actions)];
  }
  return [state, asked];
};

interface Step {
  readonly before: Lease;
  readonly event: LeaseEvent;
  readonly next: Lease;
  readonly asked: readonly LeaseRequest["type"][];
}

/** Everything that can follow, state by state. */
function walk(): readonly Step[] {
  const steps: Step[] = [];
  const seen = new Set<string>();
  const frontier = [start()];
  for (let before = frontier.pop(); before; before = frontier.pop()) {
    for (const event of events) {
      const [next, actions] = transition(leaseMachine, before, event);
      steps.push({ before, event, next, asked: requests(actions) });
      const shape = JSON.stringify([next.value, next.context]);
      if (next.status !== "active" || seen.has(shape)) continue;
      seen.add(shape);
      frontier.push(next);
    }
  }
  return steps;
}

const steps = walk();
const nameOf = ({ value }: Lease): string => (typeof value === "string" ? value : String(Object.values(value)[0]));

describe("the lease chart", () => {
  test("every transition it declares is taken by some sequence of events (S-57, S-60)", () => {
    const missing = declared(leaseMachine as unknown as AnyStateMachine);
    for (const { before, event } of steps) for (const id of taken(leaseMachine as unknown as AnyStateMachine, before as never, event as EventObject)) missing.delete(id);
    expect([...missing]).toEqual([]);
  });

  test("no sequence of events leads to an error, and every state can be let go of or answers for something that was asked (S-60)", () => {
    for (const { before, next } of steps) {
      expect(next.status).not.toBe("error");
      if (before.status === "active" && nameOf(before) !== "releasing") expect(before.can({ type: "lease.leave" })).toBe(true);
    }
    expect(new Set(steps.map(({ next }) => nameOf(next)))).toEqual(new Set(["held", "renewing", "ending", "endingRenewing", "endingGone", "releasing", "released", "left", "freed", "lost"]));
  });

  test("a renewal is asked for once at a time, and whoever is not renewing has a timer or waits for the last write (S-57)", () => {
    const isRenewing = (state: Lease) => ["renewing", "endingRenewing"].includes(nameOf(state));
    for (const { before, next, asked } of steps) {
      const begins = isRenewing(next) && !isRenewing(before);
      expect({ from: nameOf(before), to: nameOf(next), asks: asked.includes("renewal.requested") }).toEqual({ from: nameOf(before), to: nameOf(next), asks: begins });
      const rests = isRenewing(before) && ["held", "ending"].includes(nameOf(next));
      expect({ from: nameOf(before), to: nameOf(next), arms: asked.includes("timer.requested") }).toEqual({ from: nameOf(before), to: nameOf(next), arms: rests });
    }
  });

  test("only a renewal that was refused, or that failed until the lease was over, is a loss; while the run is ending, only once its last write is refused (S-60, LM3)", () => {
    for (const { before, event, next, asked } of steps) {
      const from = nameOf(before);
      const loses =
        (from === "renewing" && (event.type === "renewal.refused" || (event.type === "renewal.failed" && event.atMs >= before.context.untilMs))) || (from === "endingGone" && event.type === "end.refused");
      expect([nameOf(next) === "lost", asked.includes("lease.lost")]).toEqual([loses, loses]);
    }
  });

  test("a lease is released only when it is asked for, and never after a loss (S-60, LM2)", () => {
    for (const { before, event, asked } of steps) expect(asked.includes("release.requested")).toBe(event.type === "lease.release" && before.matches("live"));
    const [lost] = after({ type: "timer.due" }, { type: "renewal.refused" });
    expect(transition(leaseMachine, lost, { type: "lease.release" })[0].value).toBe("lost");
  });

  test.each(["held", "renewing", "ending", "endingRenewing", "endingGone"])("letting go in `%s` stops its timer (S-57)", (name) => {
    const leaving = steps.filter(({ before, event }) => nameOf(before) === name && event.type.startsWith("lease."));
    expect(leaving.map(({ next, asked }) => [nameOf(next), asked[0]])).toEqual(expect.arrayContaining([["releasing", "timer.cancelled"], ["left", "timer.cancelled"], ["freed", "timer.cancelled"]]));
  });

  test("a write renews only where too little is left, and takes the timer back (S-60)", () => {
    expect(after({ type: "write.coming", atMs: 200 })[1]).toEqual([]);
    expect(after({ type: "write.coming", atMs: 201 })[1]).toEqual(["timer.cancelled", "renewal.requested"]);
    expect([isShort(input, 200), isShort(input, 201)]).toEqual([false, true]);
  });

  test("where the last write is refused, a renewal that is under way is not asked for again (LM3)", () => {
    const [state, asked] = after({ type: "timer.due" }, { type: "end.coming" }, { type: "end.refused" });
    expect([nameOf(state), asked]).toEqual(["renewing", []]);
  });
});
