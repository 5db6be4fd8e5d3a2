import { describe, expect, test } from "vitest";
import { LeaseKeeper } from "../../src/actors/lease-keeper.ts";
import { storeError } from "../../src/domain/errors.ts";
import type { LeaseFacet, SessionLease } from "../../src/stores/contract.ts";
import { manualClock } from "../../src/testing/index.ts";

const lease: SessionLease = {
  sessionId: "s",
  owner: { ownerId: "o", incarnationId: "i", liveness: { kind: "opaque" } },
  leaseToken: "t",
  fencingToken: 1,
  claimedAtMs: 0,
  expiresAtMs: 300,
};

function keeperWhose(renew: LeaseFacet["renew"]) {
  const clock = manualClock();
  const told: string[] = [];
  const tell = (what: string) => () => void told.push(what);
  const leases = { renew } as LeaseFacet;
  const events = { renewing: tell("renewing"), renewed: tell("renewed"), renewFailed: tell("renewFailed"), lost: tell("lost") };
  return { clock, told, keeper: new LeaseKeeper(leases, clock, { ttlMs: 300, renewMs: 100 }, lease, events) };
}

const expired = () => Promise.reject(storeError("session_execution_lease_expired", "not held by this writer"));

describe("lease keeper", () => {
  test("S-57 renews once per interval until it is stopped", async () => {
    const { clock, told, keeper } = keeperWhose(() => Promise.resolve({ ...lease, expiresAtMs: clock.now() + 300 }));
    await clock.advance(250);
    keeper.stop();
    await clock.advance(1000);
    expect(told).toEqual(["renewing", "renewed", "renewing", "renewed"]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("S-60 a renewal that finds the lease gone reports it lost, once", async () => {
    const { clock, told } = keeperWhose(expired);
    await clock.advance(1000);
    expect(told).toEqual(["renewing", "lost"]);
  });

  test("S-60 a renewal that meets the lane freed by the turn's last write reports nothing", async () => {
    const { clock, told, keeper } = keeperWhose(expired);
    keeper.ending();
    await clock.advance(1000);
    expect(told).toEqual(["renewing"]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("a store that fails for a moment is asked again", async () => {
    let failures = 1;
    const { clock, told, keeper } = keeperWhose(() =>
      failures-- > 0 ? Promise.reject(storeError("store_unavailable", "locked")) : Promise.resolve({ ...lease, expiresAtMs: 600 }),
    );
    await clock.advance(200);
    keeper.stop();
    expect(told).toEqual(["renewing", "renewFailed", "renewing", "renewed"]);
  });

  test("a write that meets a renewal from long ago renews once more, and one that finds enough left does not", async () => {
    const granted: number[] = [];
    const slow = Promise.withResolvers<void>();
    const { clock, keeper } = keeperWhose(async () => {
      const from = clock.now();
      if (granted.length === 0) await slow.promise;
      granted.push(from);
      return { ...lease, expiresAtMs: from + 300 };
    });
    await clock.advance(100);
    await clock.advance(500);
    const live = keeper.ensureLive();
    slow.resolve();
    await live;
    expect(granted).toEqual([100, 600]);
    await keeper.ensureLive();
    keeper.stop();
    expect(granted).toEqual([100, 600]);
  });
});
