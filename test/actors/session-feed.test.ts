import { describe, expect, test } from "vitest";
import { Publishers, type Publisher } from "../../src/actors/publisher.ts";
import { freshResident, type Resident } from "../../src/actors/resident.ts";
import { SessionFeed } from "../../src/actors/session-feed.ts";
import type { Clock } from "../../src/domain/clock.ts";
import type { SessionObservationEvent, SessionSighting } from "../../src/observe/contract.ts";
import { InMemoryReplay } from "../../src/observe/in-memory-replay.ts";
import { readViewOf } from "../../src/observe/read-view.ts";
import { manualClock } from "../../src/testing/index.ts";
import { peerBus } from "../support/peers.ts";

const at = (headRevision: number): Resident => ({ ...freshResident("s", { providerId: "p", model: { id: "m" }, maxTurns: null }, 0), headRevision });

/** Of a session that was opened before anything was committed. */
function newPublisher(scopeId: string, clock: Clock): Publisher {
  const replay = new InMemoryReplay({ maxEvents: 2048, maxAgeMs: 120_000, maxBytes: 1_000_000, clock, incarnation: scopeId });
  const publisher = new Publishers({ replay, logger: () => {}, viewOf: readViewOf, scopeId }).open("s");
  publisher.publish(at(0));
  return publisher;
}

const said = (text: string) => ({ type: "assistant_prose_delta", text }) as const;

function tabs() {
  const bus = peerBus();
  const clock = manualClock();
  let opened = Promise.withResolvers<void>();
  opened.resolve();
  let fails = false;
  const reading = { fail: () => void (fails = true), get done() { return opened.promise; }, close: () => void (opened = Promise.withResolvers<void>()), open: () => opened.resolve() };
  const open = (driver: string) => {
    const publisher = newPublisher(driver, clock);
    const read = async (revision: number): Promise<Resident | undefined> => {
      await reading.done;
      if (fails) return void (fails = false);
      return at(revision);
    };
    const feed = new SessionFeed({ driver, channel: bus.join(), clock, publisher, read, onElsewhere: () => {} });
    const seen: SessionSighting[] = [];
    feed.watch((sighting) => seen.push(sighting));
    return { feed, seen, publisher };
  };
  return { bus, clock, open, reading };
}

/** Lets what waits for something that is there already go on. */
const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
};

const texts = (events: readonly SessionObservationEvent[] | undefined): readonly string[] | undefined =>
  events?.map(({ payload }) => (payload.type === "turn_activity" && payload.activity.type === "assistant_prose_delta" ? payload.activity.text : payload.type));

const brief = (seen: readonly SessionSighting[]): readonly string[] =>
  seen.map((sighting) => {
    const where = sighting.here ? "here" : "there";
    if (sighting.type !== "turn_activity") return `${sighting.type} ${where}`;
    return `${sighting.activity.type === "assistant_prose_delta" ? sighting.activity.text : sighting.activity.type} ${where}`;
  });

describe("session feed", () => {
  test("the driver's own watchers see each delta at once, others get them joined, in order, before the end (F2)", async () => {
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
    driver.publisher.publish(at(4));
    driver.feed.committed();
    await settled();
    expect(brief(watcher.seen)).toEqual(["turn_started there", "one two there", "three there", "turn_ended there"]);
    expect(watcher.publisher.revision).toBe(4);
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
    const here = { incarnation: "x.1", position: 0, revision: 0 };
    const before = watcher.publisher.cursor;
    const foreign: readonly unknown[] = [
      null, "hello", 7, [], {}, { ...about, lash: 2, type: "started" }, { ...about, type: "gossip" }, { ...about, type: "toString" },
      { ...about, sessionId: "other", type: "started", recovered: false, from: here }, { ...about, type: "started", recovered: false },
      { ...about, type: "started", from: { ...here, incarnation: "a:b" } }, { ...about, type: "started", from: { ...here, position: -1 } },
      { ...about, type: "events", from: here, told: "all", turn: null }, { ...about, type: "events", from: here, told: [], turn: {} },
      ...[{}, { type: "gossip" }, { type: "committed", revision: "new" }, { type: "queue_changed", kind: "enqueued", batchIds: [1] }, { type: "turn_activity", turnId: "t", activity: { id: "1", correlationId: "x", type: "reasoning_delta" } }].map(
        (payload) => ({ ...about, type: "events", from: here, told: [{ position: 1, payload }], turn: null }),
      ),
      { lash: 1, type: "started", sessionId: "s", from: here }, { lash: 1, type: "queue", sessionId: "s", payload: { type: "committed", revision: 1 } },
    ];
    for (const message of foreign) stranger.post(message as never);
    expect([watcher.seen, watcher.publisher.cursor]).toEqual([[], before]);
  });

  test("without a channel, one that comes late is told what is kept of the running turn (F1)", () => {
    const clock = manualClock();
    const publisher = newPublisher("a", clock);
    const feed = new SessionFeed({ driver: "a", channel: undefined, clock, publisher, read: () => Promise.resolve(undefined), onElsewhere: () => {} });
    publisher.append({ type: "queue_changed", kind: "enqueued", batchIds: ["before the turn"] });
    feed.started("t", false);
    feed.activity("t", said("so "), "x");
    feed.activity("t", said("far"), "x");
    const seen: SessionSighting[] = [];
    feed.watch((sighting) => seen.push(sighting));
    feed.activity("t", said(" and on"), "x");
    expect(brief(seen)).toEqual(["turn_started here", "so far here", " and on here"]);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("buffers of several tabs (OP-16)", () => {
  test("a watching tab has the driver's places, and its cursors lead on in the driver and in a tab that comes later", async () => {
    const { clock, open } = tabs();
    const [driver, watcher] = [open("a"), open("b")];
    driver.publisher.publish(at(1));
    driver.feed.committed();
    await settled();
    driver.feed.started("t", false);
    driver.feed.activity("t", said("one "), "x");
    driver.feed.activity("t", said("two "), "x");
    await clock.advance(20);
    const cursor = watcher.publisher.cursor;
    expect(cursor).toBe(driver.publisher.cursor);
    expect(watcher.publisher.observed?.cursor).toBe(driver.publisher.observed?.cursor);
    driver.feed.activity("t", said("three"), "x");
    const late = open("c");
    await settled();
    expect(late.publisher.revision).toBe(1);
    expect([driver, watcher].map(({ publisher }) => texts(publisher.since(cursor)))).toEqual([["three"], ["three"]]);
    // It was told the whole text as one: a place inside of it leads to a gap, and the last commit to all of it.
    expect(late.publisher.since(cursor)).toBeUndefined();
    expect(texts(late.publisher.since(late.publisher.observed?.cursor ?? ""))).toEqual(["one two three"]);
  });

  test("what got lost on the way is a gap, and what comes after it is not", async () => {
    const { bus, clock, open } = tabs();
    const [driver, watcher] = [open("a"), open("b")];
    driver.feed.started("t", false);
    driver.feed.activity("t", said("one"), "x");
    await clock.advance(20);
    const cursor = watcher.publisher.cursor;
    bus.loseNext();
    driver.feed.activity("t", said("lost"), "y");
    await clock.advance(20);
    driver.feed.activity("t", said("three"), "z");
    await clock.advance(20);
    expect(watcher.publisher.since(cursor)).toBeUndefined();
    expect(texts(watcher.publisher.since(watcher.publisher.observed?.cursor ?? ""))).toEqual(["three"]);
    expect(watcher.publisher.cursor).toBe(driver.publisher.cursor);
  });

  test("a takeover is another life of the buffer: cursors of the one before are unavailable (O-20)", async () => {
    const { clock, open } = tabs();
    const [old, heir, watcher] = [open("a"), open("b"), open("c")];
    old.feed.started("t", false);
    old.feed.activity("t", said("half"), "x");
    await clock.advance(20);
    const cursor = old.publisher.cursor;
    expect(watcher.publisher.cursor).toBe(cursor);
    heir.feed.started("t", true);
    heir.feed.activity("t", said("whole"), "x");
    await clock.advance(20);
    for (const { publisher } of [old, heir, watcher]) {
      expect(publisher.since(cursor)).toBeUndefined();
      expect(texts(publisher.since(publisher.observed?.cursor ?? ""))).toEqual(["whole"]);
    }
  });

  test("whoever drives next speaks next, and is heard from the beginning of its turn", async () => {
    const { clock, open } = tabs();
    const [first, second, watcher] = [open("a"), open("b"), open("c")];
    first.feed.started("t", false);
    first.feed.activity("t", said("one"), "x");
    first.feed.ended("t");
    const before = watcher.publisher.cursor;
    second.feed.started("u", false);
    second.feed.activity("u", said("two"), "x");
    await clock.advance(20);
    expect(brief(watcher.seen)).toEqual(["turn_started there", "one there", "turn_ended there", "turn_started there", "two there"]);
    expect(watcher.publisher.since(before)).toBeUndefined();
    for (const { publisher } of [first, second, watcher]) expect(texts(publisher.since(publisher.observed?.cursor ?? ""))).toEqual(["two"]);
  });

  test("what follows a commit that cannot be read is not shown without it, but with the next message that it can be read at", async () => {
    const { clock, open, reading } = tabs();
    const [driver, watcher] = [open("a"), open("b")];
    driver.feed.started("t", false);
    driver.publisher.publish(at(1));
    driver.feed.activity("t", said("after"), "x");
    const cursor = watcher.publisher.cursor;
    reading.fail();
    driver.feed.committed();
    await settled();
    expect([watcher.publisher.cursor, watcher.publisher.revision]).toEqual([cursor, 0]);
    driver.feed.activity("t", said(" that"), "y");
    await clock.advance(20);
    await settled();
    expect(watcher.publisher.since(cursor)).toBeUndefined();
    expect(texts(watcher.publisher.since(watcher.publisher.observed?.cursor ?? ""))).toEqual([" that"]);
    expect(watcher.publisher.revision).toBe(1);
  });

  test("what happens to the queue in a watching tab is said once, by the driver (O-15)", async () => {
    const { clock, open } = tabs();
    const [driver, watcher] = [open("a"), open("b")];
    driver.feed.started("t", false);
    watcher.feed.queueChanged({ type: "queue_changed", kind: "enqueued", batchIds: ["i"] });
    await clock.advance(20);
    for (const { publisher } of [driver, watcher]) {
      const told = publisher.since(publisher.observed?.cursor ?? "")?.map(({ payload }) => payload);
      expect(told).toEqual([{ type: "queue_changed", kind: "enqueued", batchIds: ["i"] }]);
    }
  });

  test("a commit is shown before what was said after it, however long it takes to read it (O-16)", async () => {
    const { clock, open, reading } = tabs();
    const [driver, watcher] = [open("a"), open("b")];
    driver.feed.started("t", false);
    const cursor = watcher.publisher.cursor;
    driver.publisher.publish(at(1));
    reading.close();
    driver.feed.committed();
    driver.feed.activity("t", said("after"), "x");
    await clock.advance(20);
    expect(watcher.publisher.since(cursor)).toEqual([]);
    reading.open();
    await settled();
    expect(watcher.publisher.since(cursor)?.map(({ payload }) => payload.type)).toEqual(["committed", "turn_activity"]);
    expect(watcher.publisher.revision).toBe(1);
  });
});
