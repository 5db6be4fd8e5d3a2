// Session machine: two facts that must not be mixed (sessions.md section 14).
//
//   durable     a fact about the session: a turn is in flight, waits for an answer, nothing is; it is being deleted, or gone. The store has
//               it, in the control row, and the writes that change it say it there. Here it is what this process last read or wrote.
//   residency   a fact about one process's memory: what of the session is resident here, and what it is doing with it. Never stored.
//
//   R1. Resident state equals the last commit in `clean`; in `dirty` it is ahead of it by changes without a commit of their own.
//   R2. `lost` and `stale` refuse everything but `session.reopen`: what is resident may be behind the store (S-60, S-54).
//   R3. Another process may move the session on without a word: what is claimed, accepted and committed is decided in the store.

import { assign, or, sendTo, setup, stateIn, type ActorSystem, type ActorSystemInfo, type AnyActorRef } from "xstate";
import type { SessionRegion } from "../domain/session.ts";

export const SESSION_MACHINE = { machine: "session", version: 2 } as const;

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
  readonly failure: { readonly code: string; readonly message: string } | null;
}

export type SessionEvent =
  | { readonly type: "session.open" }
  /** The store was read; `session.loaded` follows where all of the session was. */
  | { readonly type: "session.seen"; readonly state: SessionRegion["state"] }
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
  /** It was accepted, or taken up where it was in flight. */
  | { readonly type: "turn.claimed" }
  | { readonly type: "turn.committing" }
  /** @param follows - the same write accepted the next turn. */
  | { readonly type: "turn.committed"; readonly follows: boolean }
  /** It ended without a commit. */
  | { readonly type: "turn.settled" }
  /** Nothing was committed: the turn goes on with input that arrived. */
  | { readonly type: "turn.continued" }
  /** It was left waiting for an answer from outside. */
  | { readonly type: "turn.parked" }
  /** Nothing of it runs here any more: it was not claimed, or is left in flight. */
  | { readonly type: "turn.left" }
  | { readonly type: "turn.commitFailed"; readonly code: string; readonly message: string }
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
    isGone: or([stateIn({ durable: "deleting" }), stateIn({ durable: "retired" })]),
    wasRepaired: (_, params: { repaired: boolean }) => params.repaired,
    isSeen: ({ event }, params: { as: SessionRegion["state"] }) => event.type === "session.seen" && event.state === params.as,
    isFollowed: ({ event }) => event.type === "turn.committed" && event.follows,
  },
  actions: {
    requestLoad: sendTo(toKeeper, { type: "session.load" } satisfies SessionRequest),
    requestFlush: sendTo(toKeeper, (_, params: { into: "parked" | "closed" }): SessionRequest => ({ type: "session.flush", into: params.into })),
    countHandle: assign({ handles: ({ context }, params: { by: 1 | -1 }) => context.handles + params.by }),
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
    failure: null,
  }),
  on: {
    "handle.opened": { actions: { type: "countHandle", params: { by: 1 } } },
    "handle.released": { actions: { type: "countHandle", params: { by: -1 } } },
  },
  states: {
    durable: {
      initial: "unread",
      on: {
        "session.seen": [
          { guard: { type: "isSeen", params: { as: "idle" } }, target: ".idle" },
          { guard: { type: "isSeen", params: { as: "inTurn" } }, target: ".inTurn" },
          { guard: { type: "isSeen", params: { as: "parked" } }, target: ".parked" },
          { guard: { type: "isSeen", params: { as: "deleting" } }, target: ".deleting" },
          { guard: { type: "isSeen", params: { as: "retired" } }, target: ".retired" },
        ],
        "turn.claimed": ".inTurn",
      },
      states: {
        unread: {},
        idle: {},
        inTurn: {
          on: {
            "turn.committed": [{ guard: "isFollowed" }, { target: "idle" }],
            "turn.settled": "idle",
            "turn.parked": "parked",
          },
        },
        parked: {},
        deleting: {},
        retired: {},
      },
    },
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
              {
                guard: "isGone",
                target: "failed",
                actions: { type: "recordFailure", params: ({ context }) => ({ code: "session_id_retired", message: `session ${context.sessionId} was deleted; its id cannot be used again` }) },
              },
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
            "turn.claimed": "running",
            // Somebody else runs it, or it turns out to be settled already: nothing was taken, nothing changed.
            "turn.left": "resident.previous",
            "lease.lost": "lost",
          },
        },
        running: {
          on: {
            "turn.committing": "committing",
            "turn.settled": "resident.clean",
            "turn.parked": "resident.clean",
            "turn.left": "resident.clean",
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
            // Whether the commit was made is not known here.
            "turn.left": "stale",
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
  },
});
