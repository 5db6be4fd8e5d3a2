// A held lease over its live machine: renewals, losses and ends as whoever holds it sees them.

import { describe, expect, test } from "vitest";
import { HeldLease, type HeldLeaseOptions } from "../../src/actors/durable/held-lease.ts";
import { manualClock, type ManualClock } from "../../src/testing/index.ts";

type Renewal = () => Promise<"renewed" | "refused">;

function holding(renew: Renewal, options: Partial<HeldLeaseOptions<string>> = {}) {
  const clock = manualClock();
  const told: string[] = [];
  const watched: Renewal = async () => {
    told.push("renewing");
    const answer = await renew().catch((error: unknown) => (told.push("failed"), Promise.reject(error)));
    if (answer === "renewed") told.push("renewed");
    return answer;
  };
  const held = new HeldLease({
    fence: "fence", subject: "s", clock, timings: { ttlMs: 300, renewMs: 100 }, renew: watched, lostError: () => new Error("lost"),
    release: async () => void told.push("released"), ...options,
  });
  held.lost.addEventListener("abort", () => told.push("lost"));
  return { clock, told, held };
}

const renewed: Renewal = () => Promise.resolve("renewed");
const refused: Renewal = () => Promise.resolve("refused");
const down: Renewal = () => Promise.reject(new Error("locked"));

/** A renewal that a test answers by hand. */
function byHand() {
  const asked: PromiseWithResolvers<"renewed" | "refused">[] = [];
  const renew: Renewal = () => {
    const answer = Promise.withResolvers<"renewed" | "refused">();
    asked.push(answer);
    return answer.promise;
  };
  return { asked, renew };
}

const idle = (clock: ManualClock): Promise<void> => clock.advance(0);

describe("held lease", () => {
  test("S-57 renews once per interval until it is let go of", async () => {
    const { clock, told, held } = holding(renewed);
    await clock.advance(250);
    await held.letGo("freed");
    await clock.advance(1000);
    expect(told).toEqual(["renewing", "renewed", "renewing", "renewed"]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("S-60 a renewal that is refused is a loss, told once, and the lease is not released afterwards", async () => {
    const { clock, told, held } = holding(refused);
    await clock.advance(1000);
    await held.letGo("release");
    expect(told).toEqual(["renewing", "lost"]);
    await expect(held.ensureLive()).rejects.toThrow("lost");
    expect(clock.pendingTimers).toBe(0);
  });

  test("S-60 a store that fails is asked again until the lease is over by the monotonic clock; then it is lost", async () => {
    const { clock, told } = holding(down);
    await clock.advance(1000);
    expect(told).toEqual(["renewing", "failed", "renewing", "failed", "renewing", "failed", "lost"]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("a store that fails for a moment is asked again", async () => {
    const answers = [down, renewed, renewed];
    const { clock, told, held } = holding(() => (answers.shift() ?? renewed)());
    await clock.advance(200);
    await held.letGo("leave");
    expect(told).toEqual(["renewing", "failed", "renewing", "renewed"]);
  });

  test("SC-2 a wall clock that jumps changes nothing", async () => {
    const clock = manualClock();
    let jumpMs = 0;
    const { told, held } = holding(renewed, { clock: { ...clock, setTimer: clock.setTimer, now: () => clock.now() + jumpMs } });
    for (jumpMs of [60_000, -60_000]) await held.ensureLive();
    expect(told).toEqual([]);
    await clock.advance(100);
    expect(told).toEqual(["renewing", "renewed"]);
    await held.letGo("freed");
  });

  test("a lease is counted from the moment when its claim was begun", async () => {
    const { held, told } = holding(renewed, { sinceMs: -250 });
    await held.ensureLive();
    expect(told).toEqual(["renewing", "renewed"]);
    await held.letGo("freed");
  });

  test("writes that find too little left share one renewal with the timer that is due", async () => {
    const { asked, renew } = byHand();
    const { clock, held } = holding(renew);
    await clock.advance(250);
    const writes = Promise.all([held.ensureLive(), held.ensureLive()]);
    await idle(clock);
    expect(asked.length).toBe(1);
    asked[0]?.resolve("renewed");
    await idle(clock);
    // It had begun at 100: at 250 that is enough.
    await writes;
    expect(asked.length).toBe(1);
    await held.letGo("freed");
  });

  test("a write that meets a renewal from long ago renews once more, and one that finds enough left does not", async () => {
    const { asked, renew } = byHand();
    const { clock, held } = holding(renew);
    await clock.advance(600);
    const live = held.ensureLive();
    asked[0]?.resolve("renewed");
    await idle(clock);
    expect(asked.length).toBe(2);
    asked[1]?.resolve("renewed");
    await live;
    await held.ensureLive();
    expect(asked.length).toBe(2);
    await held.letGo("freed");
  });

  describe("while the write that ends the run is under way", () => {
    test("S-60 a renewal that finds the lease freed by that write reports nothing", async () => {
      const { clock, told, held } = holding(refused);
      held.ending();
      await clock.advance(1000);
      expect(told).toEqual(["renewing"]);
      await held.letGo("freed");
      expect(clock.pendingTimers).toBe(0);
    });

    test("the lease is still renewed, once per interval, also after a failure", async () => {
      const answers = [renewed, down, renewed];
      const { clock, told, held } = holding(() => (answers.shift() ?? renewed)());
      held.ending();
      await clock.advance(300);
      expect(told).toEqual(["renewing", "renewed", "renewing", "failed", "renewing", "renewed"]);
      await held.letGo("freed");
      expect(clock.pendingTimers).toBe(0);
    });

    test("a store that cannot be asked until the lease is over says nothing about that write", async () => {
      const { clock, told, held } = holding(down);
      held.ending();
      await clock.advance(1000);
      expect(told.filter((what) => what === "lost")).toEqual([]);
      await held.letGo("leave");
      expect(clock.pendingTimers).toBe(0);
    });

    test("once that write is refused, a loss is a loss again", async () => {
      const { clock, told, held } = holding(refused);
      held.ending();
      held.goingOn();
      await clock.advance(100);
      expect(told).toEqual(["renewing", "lost"]);
    });

    test("a renewal that is asked when that write begins, and answered when it is refused, counts", async () => {
      const { asked, renew } = byHand();
      const { clock, told, held } = holding(renew);
      await clock.advance(100);
      held.ending();
      held.goingOn();
      asked[0]?.resolve("refused");
      await idle(clock);
      expect(told).toEqual(["renewing", "lost"]);
    });

    test("where a renewal was refused meanwhile, that write did not free the lease: it is lost", async () => {
      const { clock, told, held } = holding(refused);
      held.ending();
      await clock.advance(100);
      held.goingOn();
      expect(told).toEqual(["renewing", "lost"]);
    });
  });

  describe("letting go", () => {
    test.each(["leave", "freed"] as const)("`%s` releases nothing and renews nothing more", async (how) => {
      const { clock, told, held } = holding(renewed);
      await held.letGo(how);
      await held.letGo("release");
      await clock.advance(1000);
      expect([told, clock.pendingTimers]).toEqual([[], 0]);
    });

    test("`release` resolves once the store has it back, and gives it back once", async () => {
      const given = Promise.withResolvers<void>();
      let releases = 0;
      const { clock, held } = holding(renewed, { release: () => (releases++, given.promise) });
      let isOver = false;
      const over = Promise.all([held.letGo("release"), held.letGo("release")]).then(() => (isOver = true));
      await clock.advance(1000);
      expect([isOver, releases, clock.pendingTimers]).toEqual([false, 1, 0]);
      given.resolve();
      await over;
    });

    test("what a renewal comes to afterwards is not heard", async () => {
      const { asked, renew } = byHand();
      const { clock, told, held } = holding(renew);
      await clock.advance(100);
      await held.letGo("release");
      asked[0]?.resolve("refused");
      await clock.advance(1000);
      expect(told).toEqual(["renewing", "released"]);
    });
  });
});
