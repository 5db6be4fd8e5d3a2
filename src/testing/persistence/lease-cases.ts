import { same } from "../assertions.ts";
import { accept, acquire, chain, claimBy, commitOf, fenceOf, owner, resultOf, silenceOf } from "../persistence-fixtures.ts";
import { dump, failsWith, ofKind, type PersistenceCase, required } from "./harness.ts";

const S = "alpha";

export const leaseCases: readonly PersistenceCase[] = [
  {
    id: "C-11",
    title: "a lease is re-entered by its incarnation, busy for everybody else, and extended by renewal (P-24, P-26)",
    async run({ connect, clock }) {
      const { leases } = await connect();
      const first = ofKind(await leases.claim(claimBy("alice", S)), "acquired");
      same([first.reentered, first.lease.fencingToken, first.lease.expiresAtMs], [false, 1, clock.now() + 30_000], "the first claim");
      await clock.advance(1_000);
      const again = ofKind(await leases.claim(claimBy("alice", S, { leaseToken: "another" })), "acquired");
      same(again, { kind: "acquired", reentered: true, lease: { ...first.lease, expiresAtMs: clock.now() + 30_000 } }, "re-entry keeps token and fencing (S-58)");
      same(await leases.claim(claimBy("alice", S, { owner: owner("alice", "alice-2") })), { kind: "busy", holder: again.lease }, "another incarnation");
      same(ofKind(await leases.claim(claimBy("bob", S)), "busy").holder.owner.ownerId, "alice", "another owner");
      const renewed = await leases.renew(fenceOf(first.lease), 60_000);
      same(renewed, { ...again.lease, expiresAtMs: clock.now() + 60_000, ttlMs: 60_000 }, "renewal keeps token, fencing and claim time");
      same(await (await connect()).leases.current(S), renewed, "the stored lease");
    },
  },
  {
    id: "C-11a",
    title: "re-entry never shortens a lease, and shows everybody that its holder lives (SC-2)",
    async run({ connect }) {
      const { leases } = await connect();
      const { lease } = ofKind(await leases.claim(claimBy("alice", S)), "acquired");
      same(ofKind(await leases.claim(claimBy("alice", S, { ttlMs: 1 })), "acquired").lease, { ...lease, expiresAtMs: lease.expiresAtMs + 1 }, "the lease");
    },
  },
  {
    id: "C-11b",
    title: "a stale fence can neither renew nor release; release and claim raise the fencing number (S-59)",
    async run({ connect, engine }) {
      const store = await connect();
      const first = await acquire(store, S);
      await store.leases.release(first);
      same(await store.leases.current(S), undefined, "the lease after release");
      await failsWith("session_execution_lease_expired", store.leases.renew(first, 1_000));
      const second = await acquire(store, S, "bob");
      same(second.fencingToken, 2, "fencing after release (S-59)");
      const before = await dump(engine);
      await store.leases.release(first);
      await store.leases.release({ ...second, leaseToken: "guessed" });
      await store.leases.release({ ...second, incarnationId: "bob-2" });
      await store.leases.release({ ...second, sessionId: "elsewhere" });
      same(await dump(engine), before, "rows after stale releases");
      same((await acquire(store, S, "carol", await silenceOf(store, S))).fencingToken, 3, "fencing after a silent holder");
      await failsWith("session_execution_lease_expired", store.leases.renew(second, 1_000));
    },
  },
  {
    id: "C-11e",
    title: "a lease that nobody claimed is its holder's, whatever the wall clock says: it is renewed, and protects writes (S-60, SC-2)",
    async run({ connect, clock }) {
      const store = await connect();
      const fence = await acquire(store, S);
      await clock.advance(90_000);
      await store.sessions.commit(commitOf(S, fence));
      same((await store.leases.renew(fence, 30_000)).expiresAtMs, clock.now() + 30_000, "the end of the renewed lease");
      ofKind(await store.leases.claim(claimBy("bob", S)), "busy");
      await store.sessions.commit(commitOf(S, fence, { expectedHeadRevision: 1 }));
    },
  },
  {
    id: "C-11f",
    title: "no claim takes the lease of somebody else because of the time that its own clock shows, ahead or behind (SC-2)",
    async run({ connect }) {
      const [alice, ahead, behind] = [await connect(), await connect({ aheadMs: 3_600_000 }), await connect({ aheadMs: -3_600_000 })];
      for (const holder of [alice, behind]) {
        const fence = await acquire(holder, S);
        for (const store of [ahead, alice, behind]) ofKind(await store.leases.claim(claimBy("bob", S)), "busy");
        await holder.leases.release(fence);
      }
    },
  },
  {
    id: "C-11g",
    title: "every renewal and re-entry changes the lease, also where the wall clock of its holder stands still or goes back (SC-2)",
    async run({ connect }) {
      const [now, before] = [await connect(), await connect({ aheadMs: -60_000 })];
      const fence = await acquire(now, S);
      const seen = new Set([(await now.leases.current(S))?.expiresAtMs]);
      for (const { leases } of [now, before, now]) seen.add((await leases.renew(fence, 30_000)).expiresAtMs);
      for (const { leases } of [now, before]) seen.add(ofKind(await leases.claim(claimBy("alice", S)), "acquired").lease.expiresAtMs);
      same(seen.size, 6, "different ends");
    },
  },
  {
    id: "C-11c",
    title: "a time to live of 0 is expired at once (P-27)",
    async run({ connect }) {
      const store = await connect();
      await acquire(store, S, "alice", { ttlMs: 0 });
      same((await acquire(store, S)).fencingToken, 2, "the fencing number when its owner claims again");
      same(required(await store.leases.current(S), "the lease").ttlMs, 30_000, "the time to live that a watcher has to wait");
    },
  },
  {
    id: "C-11d",
    title: "a commit needs the live lease of its session (P-9) and can release it in itself",
    async run({ connect, engine }) {
      const store = await connect();
      await failsWith("session_execution_lease_expired", store.sessions.commit(commitOf(S, undefined)));
      const fence = await acquire(store, S);
      const elsewhere = await acquire(store, "beta");
      const before = await dump(engine);
      const wrong = [undefined, elsewhere, { ...fence, leaseToken: "x" }, { ...fence, fencingToken: 2 }, { ...fence, ownerId: "bob" }, { ...fence, incarnationId: "x" }];
      for (const bad of wrong) await failsWith("session_execution_lease_expired", store.sessions.commit(commitOf(S, bad, { nodes: chain(S, ["a"]) })));
      same(await dump(engine), before, "rows");
      await store.sessions.commit(commitOf(S, fence, { releaseLease: true }));
      same(await store.leases.current(S), undefined, "the lease after the commit");
      await failsWith("session_execution_lease_expired", store.sessions.commit(commitOf(S, fence, { expectedHeadRevision: 1 })));
    },
  },
  {
    id: "C-12",
    title: "a lease whose holder is proved dead is taken over by compare and set (P-25)",
    async run({ connect }) {
      const store = await connect();
      const dead = await acquire(store, S);
      ofKind(await store.leases.claim(claimBy("bob", S)), "busy");
      ofKind(await store.leases.claim(claimBy("bob", S, { deadHolder: { ...dead, fencingToken: 7 } })), "busy");
      ofKind(await store.leases.claim(claimBy("bob", S, { deadHolder: { ...dead, leaseToken: "older" } })), "busy");
      const racers = await Promise.all([await connect(), await connect()].map(({ leases }, index) => leases.claim(claimBy(`racer-${index}`, S, { deadHolder: dead }))));
      same(racers.map((outcome) => outcome.kind).sort(), ["acquired", "busy"], "two racers");
      const { lease } = required(racers.find((outcome) => outcome.kind === "acquired"), "the winner");
      same(lease.fencingToken, 2, "its fencing number");
      ofKind(await store.leases.claim(claimBy("carol", S, { deadHolder: dead })), "busy");
    },
  },
  {
    id: "C-12b",
    title: "a lease whose holder was silent is taken over by compare and set: not after a sign of life, and by one of two racers (SC-2)",
    async run({ connect }) {
      const store = await connect();
      const fence = await acquire(store, S);
      const early = await silenceOf(store, S);
      await store.leases.renew(fence, 30_000);
      ofKind(await store.leases.claim(claimBy("bob", S, early)), "busy");
      const late = await silenceOf(store, S);
      for (const { silentHolder } of [late]) {
        const seen = required(silentHolder, "the holder");
        ofKind(await store.leases.claim(claimBy("bob", S, { silentHolder: { ...seen, fence: { ...seen.fence, fencingToken: 7 } } })), "busy");
      }
      const racers = await Promise.all([await connect(), await connect()].map(({ leases }, index) => leases.claim(claimBy(`racer-${index}`, S, late))));
      same(racers.map((outcome) => outcome.kind).sort(), ["acquired", "busy"], "two racers");
      same((await store.leases.current(S))?.fencingToken, 2, "the fencing number of the winner");
      await failsWith("session_execution_lease_expired", store.leases.renew(fence, 1_000));
    },
  },
  {
    id: "C-12c",
    title: "a lease says for how long its holder may be silent, also after a renewal with another time to live (SC-2)",
    async run({ connect }) {
      const store = await connect();
      const ttl = async () => (await (await connect()).leases.current(S))?.ttlMs;
      const fence = await acquire(store, S);
      same(await ttl(), 30_000, "the default");
      await store.leases.renew(fence, 120_000);
      same(await ttl(), 120_000, "after a renewal");
      await acquire(store, S, "bob", { ttlMs: 3_000, deadHolder: fence });
      same(await ttl(), 3_000, "of another owner");
    },
  },
  {
    id: "C-12a",
    title: "a claim with an observation takes a free lane like any other, and every kind of owner round-trips",
    async run({ connect }) {
      const store = await connect();
      const dead = await acquire(store, S);
      await store.leases.release(dead);
      const process = { kind: "local_process" as const, hostId: "h", bootId: "b", pid: 1, processStart: "9" };
      const owners = [{ ...owner("p"), liveness: process }, { ...owner("w"), liveness: { kind: "web_lock" as const, lockName: "lash:x" } }, { ...owner("e"), liveness: { kind: "postgres:lock" as const, lock: 7, server: "s", isDirect: true } }];
      for (const [index, claimant] of owners.entries()) {
        const outcome = ofKind(await store.leases.claim(claimBy(claimant.ownerId, S, { owner: claimant, deadHolder: dead })), "acquired");
        same([outcome.lease.owner, outcome.lease.fencingToken], [claimant, index + 2], "owner and fencing");
        await store.leases.release(fenceOf(outcome.lease));
      }
    },
  },
  {
    id: "C-30",
    title: "concurrent first claims have one winner (P-27), and the winner survives a reopen",
    async run({ connect }) {
      const stores = [await connect(), await connect(), await connect(), await connect()];
      const outcomes = await Promise.all(stores.map(({ leases }, index) => leases.claim(claimBy(`owner-${index}`, S))));
      const winners = outcomes.filter((outcome) => outcome.kind === "acquired");
      same(winners.length, 1, "winners");
      same(await (await connect()).leases.current(S), winners[0]?.kind === "acquired" ? winners[0].lease : null, "the lease");
    },
  },
  {
    id: "C-45",
    title: "the commit of an owner that was superseded changes nothing (I-13)",
    async run({ connect, engine }) {
      const store = await connect();
      const old = await accept(store, S, "t");
      await acquire(store, S, "bob", await silenceOf(store, S));
      const before = await dump(engine);
      const turn = { commitHash: "h", result: resultOf("t", "text"), modelCalls: [] };
      await failsWith("session_execution_lease_expired", store.sessions.commit(commitOf(S, old, { turn, nodes: chain(S, ["t:0"]), releaseLease: true })));
      same(await dump(engine), before, "rows");
    },
  },
];
