// The replay store by examples: what a model that compares lists does not show.

import { describe, expect, test } from "vitest";
import { formatCursor, parseCursor } from "../../src/domain/session-cursor.ts";
import { inMemoryLiveReplay } from "../../src/live-replay.ts";
import type { ObservationPayload } from "../../src/observe/contract.ts";
import { manualClock } from "../../src/testing/index.ts";

const switched = (frameId: string): ObservationPayload => ({ type: "agent_frame_switched", frameId });
const said = (text: string): ObservationPayload => ({ type: "turn_activity", turnId: "t", activity: { id: "i", correlationId: "x", type: "assistant_prose_delta", text } });

describe("session cursors", () => {
  test("round-trip, also with colons in the session's id (O-17, O-19)", () => {
    const parts = { revision: 7, incarnation: "a-b.3", position: 12, sessionId: "tenant:7:chat" };
    expect(formatCursor(parts)).toBe("lashsc2:7:a-b.3:12:tenant:7:chat");
    expect(parseCursor(JSON.parse(JSON.stringify(formatCursor(parts))))).toEqual(parts);
  });

  test.each([
    "", "lashsc2", "lashsc1:1:2:s", "lashsc2:1:i:2:", "lashsc2:1:i:2", "lashsc2::i:2:s", "lashsc2:1::2:s", "lashsc2:-1:i:2:s", "lashsc2:1:i:-0:s", "lashsc2:1:i:2.0:s", "lashsc2:1e3:i:2:s",
    "lashsc2:0x1:i:2:s", "lashsc2:1:i: 2:s", "lashsc2:1:i:٣:s", " lashsc2:1:i:2:s", "lashsc2:01:i:2:s", "lashsc2:1:i:18446744073709551616:s", "lashsc2:18446744073709551616:i:2:s",
    `lashsc2:1:i:${"9".repeat(100_000)}:s`, `lashsc2:1:${"i".repeat(100_000)}:2:s`, `lashsc2:1:i:2:${"s".repeat(100_000)}`, null, undefined, 7, {}, ["lashsc2:1:i:2:s"], { toString: () => "lashsc2:1:i:2:s" },
  ])("are not rounded, guessed or echoed: %j is malformed (O-18)", (cursor) => {
    const replay = inMemoryLiveReplay();
    for (const ask of [parseCursor, replay.replayAfterCursor.bind(replay), replay.subscribeAfterCursor.bind(replay)]) {
      expect(() => ask(cursor as string)).toThrow(expect.objectContaining({ code: "session_cursor_malformed" }));
    }
    expect(() => parseCursor("lashsc2:1:secret:x:s")).not.toThrow(/secret/);
  });

  test("a position of 64 bits that no buffer ever had is ahead of every tail, without rounding (O-18, O-23)", () => {
    const replay = inMemoryLiveReplay();
    const { incarnation } = parseCursor(replay.append("s", 1, switched("f")).cursor);
    for (const position of ["9007199254740993", "18446744073709551615"]) {
      expect(replay.replayAfterCursor(`lashsc2:1:${incarnation}:${position}:s`)).toEqual({ gap: "unavailable" });
    }
  });
});

describe("the store in memory", () => {
  test("with a capacity of one the start is trimmed, and the first cursor replays the second event (O-22, O-23)", () => {
    const replay = inMemoryLiveReplay({ maxEvents: 1 });
    const start = replay.currentCursor("s", 0);
    const [first, second] = [replay.append("s", 1, switched("a")), replay.append("s", 2, switched("b"))];
    expect(replay.replayAfterCursor(start)).toEqual({ gap: "trimmed" });
    const { sessionId, revision, cursor, payload } = second;
    expect(replay.replayAfterCursor(first.cursor)).toEqual({ replayed: [{ sessionId, revision, cursor, payload }] });
    expect(replay.replayAfterCursor(second.cursor)).toEqual({ replayed: [] });
  });

  test("sessions are isolated, also from each other's positions (O-21)", () => {
    const replay = inMemoryLiveReplay();
    const [a, b] = [replay.append("a", 1, switched("a")), replay.append("b", 1, switched("b"))];
    expect(replay.replayAfterCursor(formatCursor({ ...parseCursor(a.cursor), sessionId: "b" }))).toEqual({ gap: "unavailable" });
    expect(replay.replayAfterCursor(b.cursor)).toEqual({ replayed: [] });
  });

  test("what is larger than its bytes lets go of all before it, and stays (O-22)", () => {
    const replay = inMemoryLiveReplay({ maxBytes: 2_000 });
    const first = replay.append("s", 0, switched("a"));
    const large = replay.append("s", 0, said("x".repeat(10_000)));
    expect(replay.replayAfterCursor(first.cursor)).toMatchObject({ replayed: [{ cursor: large.cursor }] });
    const after = replay.append("s", 0, switched("b"));
    expect(replay.replayAfterCursor(first.cursor)).toEqual({ gap: "trimmed" });
    expect(replay.replayAfterCursor(large.cursor)).toMatchObject({ replayed: [{ cursor: after.cursor }] });
  });

  test("sessions in which nothing happens any more are trimmed by what happens in others (O-22)", () => {
    let now = 0;
    const replay = inMemoryLiveReplay({ clock: { ...manualClock(), now: () => now } });
    const start = replay.currentCursor("idle", 0);
    replay.append("idle", 0, switched("f"));
    now = 240_001;
    replay.append("busy", 0, switched("f"));
    // Back again, so that asking is not what trims it.
    now = 0;
    expect(replay.replayAfterCursor(start)).toEqual({ gap: "trimmed" });
  });

  test("one that waits is woken by what comes, by leaving and by the end of its session, which it hears of once (O-24, O-25)", async () => {
    const replay = inMemoryLiveReplay();
    const subscribe = () => {
      const answer = replay.subscribeAfterCursor(replay.currentCursor("s", 0));
      if (!("subscribed" in answer)) throw new Error("a gap");
      return answer.subscribed;
    };
    const [stays, leaves] = [subscribe(), subscribe()];
    const [first, never] = [stays.next(), leaves.next()];
    await leaves.return();
    expect(await never).toEqual({ done: true, value: undefined });
    const event = replay.append("s", 1, switched("f"));
    expect(await first).toMatchObject({ done: false, value: { cursor: event.cursor } });
    const last = stays.next();
    replay.forget("s");
    await expect(last).rejects.toMatchObject({ code: "live_replay_closed" });
    expect(await stays.next()).toEqual({ done: true, value: undefined });
  });

  test("one that keeps up is told each delta, one that comes later the same text at once (O-24)", async () => {
    const replay = inMemoryLiveReplay();
    const start = replay.currentCursor("s", 0);
    const answer = replay.subscribeAfterCursor(start);
    if (!("subscribed" in answer)) throw new Error("a gap");
    const texts: unknown[] = [];
    for (const text of ["one ", "two ", "three"]) {
      const next = answer.subscribed.next();
      replay.append("s", 0, said(text));
      texts.push((await next).value.payload);
    }
    expect(texts).toEqual([said("one "), said("two "), said("three")]);
    expect(replay.replayAfterCursor(start)).toMatchObject({ replayed: [{ payload: said("one two three") }] });
  });

  test("a life copied from elsewhere is left for one of its own by the first event that has no place (OP-16)", () => {
    const replay = inMemoryLiveReplay();
    replay.restart("s", { incarnation: "theirs", position: 5 });
    const copied = replay.append("s", 1, switched("a"), { incarnation: "theirs", position: 6 });
    expect(copied.cursor).toBe("lashsc2:1:theirs:6:s");
    expect(replay.replayAfterCursor("lashsc2:1:theirs:4:s")).toEqual({ gap: "trimmed" });
    replay.append("s", 2, switched("b"));
    expect(replay.replayAfterCursor(copied.cursor)).toEqual({ gap: "unavailable" });
  });

  test.each([{ maxEvents: 0 }, { maxAgeMs: -1 }, { maxBytes: Number.NaN }, { maxEvents: "many" }, { size: 1 }])("a bound that makes no sense is refused: %j", (options) => {
    expect(() => inMemoryLiveReplay(options as never)).toThrow(expect.objectContaining({ code: "invalid_argument" }));
  });
});
