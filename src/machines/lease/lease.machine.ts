// Lease machine: one lease, from its grant to the moment when it is no longer ours.
//
// Owns: whether the lease is held, when it is renewed, and what a failed renewal means. HeldLease has the clock and the store.
//   LM1. Pure: times come with the events, all of them by the holder's monotonic clock. Requests are emitted to HeldLease.
//   LM2. A lease that was lost is never released: another owner may hold it by now (S-60).
//   LM3. While the write that ends a run is under way, nothing is a loss: that write frees the lease, and a renewal beside it may
//        find it gone. What the write comes to says whether the lease is still held.
//
// A claim is not a state here. A claim that is not granted leaves nothing behind to decide about.

import { assign, emit, setup } from "xstate";

export const LEASE_MACHINE = { machine: "lease", version: 1 } as const;

export interface LeaseMachineInput {
  readonly ttlMs: number;
  readonly renewMs: number;
  /** When others may take it for expired. */
  readonly untilMs: number;
}

export type LeaseContext = LeaseMachineInput;

export type LeaseEvent =
  | { readonly type: "timer.due" }
  /** A write is about to be made that needs the lease. */
  | { readonly type: "write.coming"; readonly atMs: number }
  | { readonly type: "renewal.granted"; readonly untilMs: number }
  /** The store says that somebody else has the lease, or nobody. */
  | { readonly type: "renewal.refused" }
  /** The store could not be asked. */
  | { readonly type: "renewal.failed"; readonly atMs: number }
  /** The write that ends the run is about to be made. */
  | { readonly type: "end.coming" }
  /** That write ended nothing, and found the lease held. */
  | { readonly type: "end.refused" }
  | { readonly type: "lease.release" }
  | { readonly type: "lease.leave" }
  | { readonly type: "lease.freed" }
  | { readonly type: "release.settled" };

/** What the machine asks of its HeldLease. */
export type LeaseRequest =
  | { readonly type: "timer.requested"; readonly dueInMs: number }
  | { readonly type: "timer.cancelled" }
  | { readonly type: "renewal.requested" }
  | { readonly type: "release.requested" }
  | { readonly type: "lease.lost" };

/** Too little is left for a write to be begun: two renewals in a row may have failed. */
export const isShort = ({ untilMs, ttlMs, renewMs }: LeaseContext, atMs: number): boolean => untilMs - atMs < ttlMs - 2 * renewMs;

export const leaseMachine = setup({
  types: {
    context: {} as LeaseContext,
    events: {} as LeaseEvent,
    emitted: {} as LeaseRequest,
    input: {} as LeaseMachineInput,
  },
  guards: {
    isShort: ({ context }, params: { atMs: number }) => isShort(context, params.atMs),
    isOver: ({ context }, params: { atMs: number }) => params.atMs >= context.untilMs,
  },
  actions: {
    armTimer: emit(({ context }) => ({ type: "timer.requested", dueInMs: context.renewMs })),
    cancelTimer: emit({ type: "timer.cancelled" }),
    requestRenewal: emit({ type: "renewal.requested" }),
    requestRelease: emit({ type: "release.requested" }),
    tellLost: emit({ type: "lease.lost" }),
    recordRenewal: assign({ untilMs: (_, params: { untilMs: number }) => params.untilMs }),
  },
}).createMachine({
  id: LEASE_MACHINE.machine,
  version: String(LEASE_MACHINE.version),
  options: { maxIterations: 1000 },
  context: ({ input }) => ({ ttlMs: input?.ttlMs ?? 0, renewMs: input?.renewMs ?? 0, untilMs: input?.untilMs ?? 0 }),
  initial: "live",
  states: {
    live: {
      entry: "armTimer",
      exit: "cancelTimer",
      initial: "held",
      on: {
        "lease.release": "releasing",
        "lease.leave": "left",
        "lease.freed": "freed",
      },
      states: {
        held: {
          on: {
            // One that comes so late that the lease is over still asks: what nobody claimed is held again.
            "timer.due": { target: "renewing", actions: "requestRenewal" },
            "write.coming": {
              guard: { type: "isShort", params: ({ event }) => ({ atMs: event.atMs }) },
              target: "renewing",
              actions: ["cancelTimer", "requestRenewal"],
            },
            "end.coming": "ending",
          },
        },
        renewing: {
          on: {
            "renewal.granted": { target: "held", actions: [{ type: "recordRenewal", params: ({ event }) => ({ untilMs: event.untilMs }) }, "armTimer"] },
            "renewal.refused": "#lease.lost",
            "renewal.failed": [
              { guard: { type: "isOver", params: ({ event }) => ({ atMs: event.atMs }) }, target: "#lease.lost" },
              { target: "held", actions: "armTimer" },
            ],
            "end.coming": "endingRenewing",
          },
        },
        // LM3
        ending: {
          on: {
            "timer.due": { target: "endingRenewing", actions: "requestRenewal" },
            "end.refused": "held",
          },
        },
        endingRenewing: {
          on: {
            "renewal.granted": { target: "ending", actions: [{ type: "recordRenewal", params: ({ event }) => ({ untilMs: event.untilMs }) }, "armTimer"] },
            "renewal.refused": "endingGone",
            "renewal.failed": { target: "ending", actions: "armTimer" },
            "end.refused": "renewing",
          },
        },
        // Freed by that write, or taken by somebody else: the lease is still there in neither case.
        endingGone: {
          on: { "end.refused": "#lease.lost" },
        },
      },
    },
    releasing: {
      entry: "requestRelease",
      on: { "release.settled": "released" },
    },
    released: { type: "final" },
    /** Nobody knows whether the last write was made; the lease runs out by itself. */
    left: { type: "final" },
    /** A write has freed it. */
    freed: { type: "final" },
    lost: { entry: "tellLost", type: "final" },
  },
});
