// A bare XState machine that runs the same turn with invoked promises: what the engine under our machines costs by itself.

import { assign, createActor, fromPromise, setup, toPromise } from "xstate";
import type { Peer } from "../peers.ts";
import { CITY, replyText, toolAnswer, userText } from "../workload.ts";

interface Entry {
  readonly role: "user" | "assistant" | "tool";
  readonly text: string;
  readonly call?: { readonly city: string };
}

const turn = setup({
  types: { context: {} as { history: readonly Entry[] }, input: {} as { history: readonly Entry[] }, output: {} as { history: readonly Entry[] } },
  actors: {
    model: fromPromise<Entry, { last: Entry | undefined }>(async ({ input: { last } }) =>
      last?.role === "tool" ? { role: "assistant", text: replyText() } : { role: "assistant", text: "", call: { city: CITY } },
    ),
    weather: fromPromise<Entry>(async () => ({ role: "tool", text: toolAnswer() })),
  },
  guards: { wantsTool: (_, { reply }: { reply: Entry }) => reply.call !== undefined },
  actions: { append: assign({ history: ({ context }, { entry }: { entry: Entry }) => [...context.history, entry] }) },
}).createMachine({
  id: "turn",
  context: ({ input }) => ({ history: input?.history ?? [] }),
  output: ({ context }) => ({ history: context.history }),
  initial: "callingModel",
  states: {
    callingModel: {
      invoke: {
        src: "model",
        input: ({ context }) => ({ last: context.history.at(-1) }),
        onDone: [
          { guard: { type: "wantsTool", params: ({ event }) => ({ reply: event.output }) }, target: "runningTool", actions: { type: "append", params: ({ event }) => ({ entry: event.output }) } },
          { target: "done", actions: { type: "append", params: ({ event }) => ({ entry: event.output }) } },
        ],
      },
    },
    runningTool: {
      invoke: { src: "weather", onDone: { target: "callingModel", actions: { type: "append", params: ({ event }) => ({ entry: event.output }) } } },
    },
    done: { type: "final" },
  },
});

export const xstate: Peer = {
  name: "bare XState machine",
  async start() {
    let history: readonly Entry[] = [];
    return async () => {
      const actor = createActor(turn, { input: { history: [...history, { role: "user", text: userText() }] } }).start();
      ({ history } = await toPromise(actor));
      if (history.at(-1)?.text.length !== 400) throw new Error("the machine failed");
    };
  },
};
