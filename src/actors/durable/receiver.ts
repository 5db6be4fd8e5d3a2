// Receiver: the actor that a machine's requests are sent to. It only hands them on, in the moment in which they come.

import type { ActorLogic, AnyEventObject, Snapshot } from "xstate";

interface ReceiverInput {
  readonly receive: (message: AnyEventObject) => void;
}

type ReceiverSnapshot = Snapshot<undefined> & ReceiverInput;

/** Ends the receiver, which frees its name in the system for the next one. */
export const RUN_OVER = { type: "run.over" };

export const receiver: ActorLogic<ReceiverSnapshot, AnyEventObject, ReceiverInput> = {
  transition: (snapshot, event) => {
    if (event.type === RUN_OVER.type) return { ...snapshot, status: "done", output: undefined, error: undefined };
    // Notes of how far an effect has come are for inspectors.
    if (event.type === "effect.running" || event.type === "effect.durable" || event.type.startsWith("xstate.")) return snapshot;
    snapshot.receive(event);
    return snapshot;
  },
  getInitialSnapshot: (_, { receive }) => ({ status: "active", output: undefined, error: undefined, receive }),
  getPersistedSnapshot: (snapshot) => snapshot,
};
