import { same } from "../assertions.ts";
import type { PersistenceCase } from "./harness.ts";

const S = "alpha";
const ok = { status: "ok", payload: { answer: 42 } } as const;

export const waitCases: readonly PersistenceCase[] = [
  {
    id: "E-20",
    title: "the first resolution of a wait wins, also when it comes before anybody waits",
    async run({ connect }) {
      const { waits } = await connect();
      same(await waits.peek(S, "early"), { state: "unknown" }, "a wait nobody knows");
      same(await waits.resolve(S, "early", ok), { status: "accepted" }, "an early resolution");
      await waits.open(S, "early");
      await waits.open(S, "w");
      same([await waits.peek(S, "early"), await waits.peek(S, "w")], [{ state: "resolved", resolution: ok }, { state: "open" }], "states");
      same(await waits.resolve(S, "early", { status: "timeout" }), { status: "already_resolved", terminal: ok }, "a second resolution");
      const failure = { status: "err", payload: { code: "c", message: "m", raw: [1] } } as const;
      await waits.resolve(S, "w", failure);
      same(await (await connect()).waits.peek(S, "w"), { state: "resolved", resolution: failure }, "what another connection sees");
    },
  },
  {
    id: "E-22",
    title: "cancelling hits open waits only; revoking voids all of a session, present and future",
    async run({ connect }) {
      const { waits } = await connect();
      for (const id of ["a", "b", "c"]) await waits.open(S, id);
      await waits.open("beta", "a");
      await waits.resolve(S, "b", ok);
      same(await waits.cancelOutstanding(S), ["a", "c"], "cancelled waits");
      same(await waits.resolve(S, "a", ok), { status: "already_resolved", terminal: { status: "cancelled" } }, "a late resolution");
      await waits.revoke(S);
      same(await waits.resolve(S, "b", ok), { status: "unknown_or_revoked" }, "after revoking");
      await waits.open(S, "new");
      same([await waits.peek(S, "new"), await waits.peek("beta", "a")], [{ state: "revoked" }, { state: "open" }], "a new wait, another session");
    },
  },
  {
    id: "OP-13",
    title: "a store has one secret for wait keys: the first that was offered",
    async run({ connect }) {
      const [one, two] = [await connect(), await connect()];
      const offered = ["a".repeat(64), "b".repeat(64)];
      const [first, second] = await Promise.all([one.waits.secret(offered[0] ?? ""), two.waits.secret(offered[1] ?? "")]);
      same([first === second, offered.includes(first)], [true, true], "both connections have the same of the two");
      same(await one.waits.secret("c".repeat(64)), first, "a later offer");
    },
  },
];
