// Session machine: residency of one opened session, and beside it the lease that lets it write (sessions.md section 14).
//
// Owns: what the session may do now. The session actor loads, flushes and renews, and says here what became of it.
//   R1. Resident state equals the last commit in `clean`; in `dirty` it is ahead of it by changes without a commit of their own.
//   R2. `lost` and `stale` refuse everything but `session.reopen`: what is resident may be behind the store (S-60, S-54).
//   R3. The lease region is the only place that knows whether a lease is held; a lost lease is never released (S-60).

import { assign, sendTo, setup, stateIn, type ActorSystem, type ActorSystemInfo, type AnyActorRef } from "xstate";


export const SESSION_MACHINE = { machine: "session", version: 1 } as const;

/** System id under which the session's machine finds the actor that loads and flushes. */
export const SESSION_KEEPER = "keeper";

const toKeeper = ({ system }: { system: ActorSystem<ActorSystemInfo> }): AnyActorRef => system.get(SESSION_KEEPER) as AnyActorRef;

export type Residency = "keep_all" | "active_path_only";

export interface SessionMachineInput {
  readonly sessionId: string;
  readonly residency: Residency;
  readonly hasStore: boolean;
}

export interface SessionContext extends SessionMachineInput {
  /** Handles that share this session; park and close need it to be theirs alone. */
  readonly handles: number;
  readonly fencingToken: number | null;
  readonly failure: { readonly code: string; readonly message: string } | null;
}

export type SessionEvent =
  | { readonly type: "session.open" }
  | { readonly type: "session.loaded"; readonly repaired: boolean }
  | { readonly type: "session.loadFailed"; readonly code: string; readonly message: string }
  | { readonly type: "session.changed" }
  | { readonly type: "session.reopen" }
  | { readonly type: "session.park" }
  | { readonly type: "session.close" }
  | { readonly type: "session.flushed" }
  | { readonly type: "session.flushFailed"; readonly code: string; readonly message: string }
  | { readonly type: "handle.opened" }
  | { readonly type: "handle.released" }
  | { readonly type: "turn.started" }
  | { readonly type: "turn.committing" }
  | { readonly type: "turn.committed" }
  /** Nothing was committed: the turn goes on with input that arrived. */
  | { readonly type: "turn.continued" }
  | { readonly type: "turn.ended" }
  | { readonly type: "turn.commitFailed"; readonly code: string; readonly message: string }
  | { readonly type: "lease.acquired"; readonly fencingToken: number }
  | { readonly type: "lease.busy" }
  | { readonly type: "lease.renewing" }
  | { readonly type: "lease.renewed" }
  | { readonly type: "lease.renewFailed" }
  | { readonly type: "lease.released" }
  | { readonly type: "lease.lost" };

/** What the session machine asks of its actor. */
export type SessionRequest = { readonly type: "session.load" } | { readonly type: "session.flush"; readonly into: "parked" | "closed" };

export const sessionMachine = setup({
  types: {
    context: {} as SessionContext,
    events: {} as SessionEvent,
    input: {} as SessionMachineInput,
  },
  guards: {
    lacksStore: ({ context }) => context.residency === "active_path_only" && !context.hasStore,
    isSole: ({ context }) => context.handles <= 1,
    wasRepaired: (_, params: { repaired: boolean }) => params.repaired,
  },
  actions: {
    requestLoad: sendTo(toKeeper, { type: "session.load" } satisfies SessionRequest),
    requestFlush: sendTo(toKeeper, (_, params: { into: "parked" | "closed" }): SessionRequest => ({ type: "session.flush", into: params.into })),
    countHandle: assign({ handles: ({ context }, params: { by: 1 | -1 }) => context.handles + params.by }),
    recordLease: assign({ fencingToken: (_, params: { fencingToken: number | null }) => params.fencingToken }),
    recordFailure: assign({ failure: (_, params: { code: string; message: string }) => params }),
    clearFailure: assign({ failure: null }),
  },
}).createMachine({
  id: SESSION_MACHINE.machine,
  version: String(SESSION_MACHINE.version),
  options: { maxIterations: 1000 },
  type: "parallel",
  context: ({ input }) => ({
    sessionId: input?.sessionId ?? "",
    residency: input?.residency ?? "keep_all",
    hasStore: input?.hasStore ?? false,
    handles: 1,
    fencingToken: null,
    failure: null,
  }),
  on: {
    "handle.opened": { actions: { type: "countHandle", params: { by: 1 } } },
    "handle.released": { actions: { type: "countHandle", params: { by: -1 } } },
  },
  states: {
    residency: {
      initial: "cold",
      states: {
        cold: {
          on: {
            "session.open": [
              {
                guard: "lacksStore",
                target: "failed",
                actions: { type: "recordFailure", params: { code: "persistent_store_required", message: "residency `active_path_only` needs a store; pass `store`, or use `keep_all`" } },
              },
              { target: "loading" },
            ],
          },
        },
        loading: {
          entry: "requestLoad",
          on: {
            "session.loaded": [
              { guard: { type: "wasRepaired", params: ({ event }) => ({ repaired: event.repaired }) }, target: "resident.dirty", actions: "clearFailure" },
              { target: "resident.clean", actions: "clearFailure" },
            ],
            "session.loadFailed": {
              target: "failed",
              actions: { type: "recordFailure", params: ({ event }) => ({ code: event.code, message: event.message }) },
            },
          },
        },
        resident: {
          initial: "clean",
          on: {
            "turn.started": "acquiring",
            "session.reopen": "loading",
          },
          states: {
            clean: {
              on: {
                "session.changed": "dirty",
                "session.park": { guard: "isSole", target: "#session.residency.parked" },
                "session.close": { guard: "isSole", target: "#session.residency.closed" },
              },
            },
            dirty: {
              on: {
                "session.park": { guard: "isSole", target: "#session.residency.parking" },
                "session.close": { guard: "isSole", target: "#session.residency.closing" },
              },
            },
            previous: { type: "history" },
          },
        },
        acquiring: {
          on: {
            "lease.acquired": "running",
            "lease.busy": "resident.previous",
            // A turn may turn out to be settled already: nothing was taken, nothing changed.
            "turn.ended": "resident.previous",
            "lease.lost": "lost",
          },
        },
        running: {
          on: {
            "turn.committing": "committing",
            "turn.ended": "resident.clean",
            "lease.lost": "lost",
            "turn.commitFailed": {
              target: "stale",
              actions: { type: "recordFailure", params: ({ event }) => ({ code: event.code, message: event.message }) },
            },
          },
        },
        committing: {
          on: {
            "turn.continued": "running",
            "turn.committed": "resident.clean",
            "lease.lost": "lost",
            "turn.commitFailed": {
              target: "stale",
              actions: { type: "recordFailure", params: ({ event }) => ({ code: event.code, message: event.message }) },
            },
          },
        },
        lost: { on: { "session.reopen": "loading", "session.close": { guard: "isSole", target: "closed" } } },
        stale: { on: { "session.reopen": "loading", "session.close": { guard: "isSole", target: "closed" } } },
        parking: {
          entry: { type: "requestFlush", params: { into: "parked" } },
          on: { "session.flushed": "parked", "session.flushFailed": "resident.dirty" },
        },
        closing: {
          entry: { type: "requestFlush", params: { into: "closed" } },
          on: { "session.flushed": "closed", "session.flushFailed": "resident.dirty" },
        },
        parked: { on: { "session.open": "loading" } },
        closed: {},
        failed: { on: { "session.reopen": "loading" } },
      },
    },
    lease: {
      initial: "free",
      states: {
        // Only where the other region starts a turn, too: else nothing would ever answer the claim.
        free: { on: { "turn.started": { guard: stateIn({ residency: "resident" }), target: "acquiring" } } },
        acquiring: {
          on: {
            "lease.acquired": { target: "held", actions: { type: "recordLease", params: ({ event }) => ({ fencingToken: event.fencingToken }) } },
            "lease.busy": "free",
            "turn.ended": "free",
            "lease.lost": "lost",
          },
        },
        held: {
          on: {
            "lease.renewing": "renewing",
            "lease.released": { target: "free", actions: { type: "recordLease", params: { fencingToken: null } } },
            "turn.committed": { target: "free", actions: { type: "recordLease", params: { fencingToken: null } } },
            "turn.ended": { target: "free", actions: { type: "recordLease", params: { fencingToken: null } } },
            "lease.lost": { target: "lost", actions: { type: "recordLease", params: { fencingToken: null } } },
            // S-60: after a commit of unknown fate the lease is left to expire.
            "turn.commitFailed": { target: "lost", actions: { type: "recordLease", params: { fencingToken: null } } },
          },
        },
        renewing: {
          on: {
            "lease.renewed": "held",
            // A transient failure is retried until the lease expires by its own clock.
            "lease.renewFailed": "held",
            "lease.released": { target: "free", actions: { type: "recordLease", params: { fencingToken: null } } },
            "turn.committed": { target: "free", actions: { type: "recordLease", params: { fencingToken: null } } },
            "turn.ended": { target: "free", actions: { type: "recordLease", params: { fencingToken: null } } },
            "lease.lost": { target: "lost", actions: { type: "recordLease", params: { fencingToken: null } } },
            "turn.commitFailed": { target: "lost", actions: { type: "recordLease", params: { fencingToken: null } } },
          },
        },
        lost: { on: { "session.loaded": "free" } },
      },
    },
  },
});
