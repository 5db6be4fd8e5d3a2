// A machine with the shape of the runtime's session: residency beside a parallel lease region.
import { setup } from "xstate";

export type SessionEvent =
  | { readonly type: "session.open" } | { readonly type: "session.loaded" } | { readonly type: "session.assembled" } | { readonly type: "session.mutate" }
  | { readonly type: "session.run" } | { readonly type: "turn.progress" } | { readonly type: "turn.finished" } | { readonly type: "commit.done" }
  | { readonly type: "commit.conflict" } | { readonly type: "session.park" } | { readonly type: "session.reopen" } | { readonly type: "flush.done" }
  | { readonly type: "load.failed" } | { readonly type: "lease.claim" } | { readonly type: "lease.acquired" } | { readonly type: "lease.busy" }
  | { readonly type: "lease.tick" } | { readonly type: "lease.renewed" } | { readonly type: "lease.lost" } | { readonly type: "lease.released" };

export const sessionMachine = setup({
  types: { context: {} as { readonly sessionId: string; readonly dirty: boolean }, events: {} as SessionEvent, input: {} as { readonly session: string } },
  guards: { isDirty: ({ context }) => context.dirty },
}).createMachine({
  id: "session",
  type: "parallel",
  context: ({ input }) => ({ sessionId: input.session, dirty: false }),
  states: {
    residency: {
      initial: "cold",
      states: {
        cold: { on: { "session.open": "loading" } },
        loading: { on: { "session.loaded": "assembling", "load.failed": "failed" } },
        assembling: { on: { "session.assembled": [{ guard: "isDirty", target: "dirty" }, { target: "clean" }] } },
        clean: { on: { "session.run": "acquiring", "session.mutate": "dirty", "session.park": "parking" } },
        dirty: { on: { "session.run": "acquiring", "session.park": "parking" } },
        acquiring: { on: { "lease.acquired": "running", "lease.busy": "clean" } },
        running: { on: { "turn.progress": "committing", "turn.finished": "committing", "lease.lost": "lost" } },
        committing: { on: { "commit.done": "clean", "commit.conflict": "stale", "lease.lost": "lost" } },
        lost: { on: { "session.reopen": "loading" } },
        stale: { on: { "session.reopen": "loading" } },
        parking: { always: [{ guard: "isDirty", target: "flushing" }, { target: "parked" }] },
        flushing: { on: { "flush.done": "parked", "load.failed": "failed" } },
        parked: { on: { "session.open": "loading" } },
        failed: { type: "final" },
      },
    },
    lease: {
      initial: "free",
      states: {
        free: { on: { "lease.claim": "claiming" } },
        claiming: { on: { "lease.acquired": "held", "lease.busy": "free" } },
        held: { on: { "lease.tick": "renewing", "lease.released": "free" } },
        renewing: { on: { "lease.renewed": "held", "lease.lost": "lost" } },
        lost: { on: { "lease.claim": "claiming" } },
      },
    },
  },
});
