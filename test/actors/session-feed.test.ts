import { describe, expect, test } from "vitest";
import { SessionFeed } from "../../src/actors/session-feed.ts";
import type { SessionSighting } from "../../src/observe/contract.ts";
import { manualClock } from "../../src/testing/index.ts";
import { peerBus } from "../support/peers.ts";

const said = (text: string) => ({ type: "assistant_prose_delta", text }) as const;

function tabs() {
  const bus = peerBus();
  const clock = manualClock();
  const open = (driver: string) => {
    const revisions: number[] = [];
    const feed = new SessionFeed({ sessionId: "s", driver, channel: bus.join(), clock, onCommitted: (revision) => revisions.push(revision), onElsewhere: () => {} });
    const seen: SessionSighting[] = [];
    feed.watch((sighting) => seen.push(sighting));
    return { feed, seen, revisions };
  };
  return { bus, clock, open };
}

const brief = (seen: readonly SessionSighting[]): readonly string[] =>
  seen.map((sighting) => {
    const where = sighting.here ? "here" : "there";
    if (sighting.type !== "turn_activity") return `${sighting.type} ${where}`;
    return `${sighting.activity.type === "assistant_prose_delta" ? sighting.activity.text : sighting.activity.type} ${where}`;
  });

describe("session feed", () => {
  test("the driver's own watchers see each delta at once, others get them joined, in order, before the end", async () => {
    const { clock, open } = tabs();
    const [driver, watcher] = [open("a"), open("b")];
    driver.feed.started("t", false);
    driver.feed.activity("t", said("one "), "x");
    driver.feed.activity("t", said("two"), "x");
    expect(brief(driver.seen)).toEqual(["turn_started here", "one  here", "two here"]);
    expect(brief(watcher.seen)).toEqual(["turn_started there"]);
    await clock.advance(20);
    driver.feed.activity("t", said("three"), "y");
    driver.feed.ended("t");
    driver.feed.committed(4);
    expect(brief(watcher.seen)).toEqual(["turn_started there", "one two there", "three there", "turn_ended there"]);
    expect(watcher.revisions).toEqual([4]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("one that comes late is told what is kept of the running turn, and those who know it are not told twice (O-61)", () => {
    const { open } = tabs();
    const [driver, early] = [open("a"), open("b")];
    driver.feed.started("t", true);
    driver.feed.activity("t", said("so far"), "x");
    const late = open("c");
    expect(brief(late.seen)).toEqual(["turn_started there", "so far there"]);
    expect(late.seen[0]).toMatchObject({ recovered: true });
    expect(brief(early.seen)).toEqual(["turn_started there", "so far there"]);
  });

  test("after a takeover the old driver is not believed any more (F3)", () => {
    const { open } = tabs();
    const [old, heir, watcher] = [open("a"), open("b"), open("c")];
    old.feed.started("t", false);
    heir.feed.started("t", true);
    old.feed.activity("t", said("ghost"), "x");
    old.feed.ended("t");
    heir.feed.ended("t");
    expect(brief(watcher.seen)).toEqual(["turn_started there", "turn_started there", "turn_ended there"]);
  });

  test("messages of other sessions, other versions and other apps are ignored", () => {
    const { bus, open } = tabs();
    const watcher = open("a");
    const stranger = bus.join();
    const about = { lash: 1, sessionId: "s", driver: "x", turnId: "t" };
    const foreign: readonly unknown[] = [
      null, "hello", 7, [], {}, { ...about, lash: 2, type: "started" }, { ...about, type: "gossip" }, { ...about, type: "toString" },
      { ...about, sessionId: "other", type: "started", recovered: false }, { ...about, type: "activities", told: [{ seq: 1 }] },
      { ...about, type: "activities", told: "all" }, { lash: 1, type: "committed", sessionId: "s", revision: "new" }, { lash: 1, type: "started", sessionId: "s" },
    ];
    for (const message of foreign) stranger.post(message as never);
    expect([watcher.seen, watcher.revisions]).toEqual([[], []]);
  });

  test("without a channel and without watchers nothing is kept", () => {
    const feed = new SessionFeed({ sessionId: "s", driver: "a", channel: undefined, clock: manualClock(), onCommitted: () => {}, onElsewhere: () => {} });
    feed.started("t", false);
    feed.activity("t", said("unheard"), "x");
    const seen: SessionSighting[] = [];
    feed.watch((sighting) => seen.push(sighting));
    feed.activity("t", said("heard"), "x");
    expect(brief(seen)).toEqual(["turn_started here", "heard here"]);
  });
});
