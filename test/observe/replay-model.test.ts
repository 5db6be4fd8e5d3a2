// The replay store against a list: whatever is appended, let go of, asked for and followed, in whatever order (O-21..O-26).

import * as fc from "fast-check";
import { expect, test } from "vitest";
import { LashError } from "../../src/index.ts";
import { parseCursor } from "../../src/domain/session-cursor.ts";
import { inMemoryLiveReplay } from "../../src/live-replay.ts";
import type { LiveReplayStore, LiveReplaySubscription, ObservationPayload, SessionObservationEvent } from "../../src/observe/contract.ts";
import { manualClock, type ManualClock } from "../../src/testing/index.ts";

const MAX_EVENTS = 4;
const MAX_AGE_MS = 100;

interface Piece {
  readonly position: number;
  readonly says: string;
}

/** What is kept, as simply as it can be said: runs of pieces of one text, each with the time of its last piece. */
class Model {
  runs: { key: string; atMs: number; pieces: Piece[] }[] = [];
  tail = 0;

  append(key: string, says: string, atMs: number): void {
    this.trim(atMs);
    const last = this.runs.at(-1);
    this.tail += 1;
    const piece = { position: this.tail, says };
    if (last && last.key === key && key !== "") {
      last.pieces.push(piece);
      last.atMs = atMs;
    } else {
      this.runs.push({ key, atMs, pieces: [piece] });
    }
    this.trim(atMs);
  }

  trim(nowMs: number): void {
    while (this.runs.length > MAX_EVENTS || (this.runs[0] !== undefined && nowMs - this.runs[0].atMs > MAX_AGE_MS)) this.runs.shift();
  }

  get first(): number {
    return this.runs[0]?.pieces[0]?.position ?? this.tail + 1;
  }

  /** One entry per run: where it ends and what it says after that position. */
  after(position: number): readonly Piece[] {
    return this.runs
      .map(({ pieces }) => pieces.filter((piece) => piece.position > position))
      .flatMap((pieces) => (pieces.length > 0 ? [{ position: pieces.at(-1)?.position ?? 0, says: pieces.map(({ says }) => says).join("") }] : []));
  }
}

type Command =
  | { readonly type: "say"; readonly text: string; readonly of: string }
  | { readonly type: "commit" | "restart" | "trim" }
  | { readonly type: "pass"; readonly ms: number }
  /** `which` of the cursors and subscriptions there have been. */
  | { readonly type: "resume" | "subscribe" | "pull" | "leave"; readonly which: number };

const which = fc.nat({ max: 40 });
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant("say" as const), text: fc.constantFrom("a", "b", ""), of: fc.constantFrom("x", "y") }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constantFrom("commit" as const, "trim" as const) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("restart" as const) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("pass" as const), ms: fc.constantFrom(10, 60, 101) }) },
  { weight: 6, arbitrary: fc.record({ type: fc.constantFrom("resume" as const, "subscribe" as const, "pull" as const), which }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("leave" as const), which }) },
);

const asPiece = ({ cursor, payload }: SessionObservationEvent): Piece => ({
  position: parseCursor(cursor).position,
  says: payload.type === "turn_activity" && payload.activity.type === "assistant_prose_delta" ? payload.activity.text : payload.type,
});

/** One session of a store, beside the model of each life of its buffer. */
class World {
  readonly clock: ManualClock = manualClock(1_000);
  readonly store: LiveReplayStore = inMemoryLiveReplay({ maxEvents: MAX_EVENTS, maxAgeMs: MAX_AGE_MS, clock: this.clock });
  #model = new Model();
  readonly #cursors = [{ cursor: this.store.currentCursor("s", 0), model: this.#model }];
  readonly #subscriptions: { readonly subscription: LiveReplaySubscription; readonly model: Model; position: number; hasLeft: boolean }[] = [];

  async do(command: Command): Promise<void> {
    switch (command.type) {
      case "say":
        return this.#append({ type: "turn_activity", turnId: "t", activity: { id: "i", correlationId: command.of, type: "assistant_prose_delta", text: command.text } }, command.of, command.text);
      case "commit":
        return this.#append({ type: "agent_frame_switched", frameId: "f" }, "", "agent_frame_switched");
      case "restart":
        this.store.restart("s");
        this.#model = new Model();
        return this.#remember(this.store.currentCursor("s", 0));
      case "trim":
        this.store.trimSession("s");
        return this.#model.trim(this.clock.now());
      case "pass":
        return this.clock.advance(command.ms);
      case "resume":
        return this.#resume(this.#pick(this.#cursors, command.which));
      case "subscribe":
        return this.#subscribe(this.#pick(this.#cursors, command.which));
      case "pull":
        return this.#pull(this.#subscriptions[command.which % Math.max(1, this.#subscriptions.length)]);
      case "leave": {
        const left = this.#subscriptions[command.which % Math.max(1, this.#subscriptions.length)];
        if (!left) return undefined;
        left.hasLeft = true;
        expect(await left.subscription.return()).toMatchObject({ done: true });
      }
    }
  }

  #append(payload: ObservationPayload, key: string, says: string): void {
    this.#model.append(key, says, this.clock.now());
    this.#remember(this.store.append("s", 0, payload).cursor);
  }

  #remember(cursor: string): void {
    this.#cursors.push({ cursor, model: this.#model });
  }

  #pick<Item>(items: readonly Item[], index: number): Item {
    const item = items[index % items.length];
    if (item === undefined) throw new Error("nothing to pick from");
    return item;
  }

  #expectedGap({ cursor, model }: { readonly cursor: string; readonly model: Model }): string | undefined {
    if (model !== this.#model) return "unavailable";
    model.trim(this.clock.now());
    return parseCursor(cursor).position + 1 < model.first ? "trimmed" : undefined;
  }

  #resume(from: { readonly cursor: string; readonly model: Model }): void {
    const gap = this.#expectedGap(from);
    const answer = this.store.replayAfterCursor(from.cursor);
    if (gap !== undefined) expect(answer).toEqual({ gap });
    else expect("replayed" in answer && answer.replayed.map(asPiece)).toEqual(from.model.after(parseCursor(from.cursor).position));
  }

  #subscribe(from: { readonly cursor: string; readonly model: Model }): void {
    const gap = this.#expectedGap(from);
    const answer = this.store.subscribeAfterCursor(from.cursor);
    if (gap !== undefined) return expect(answer).toEqual({ gap });
    if (!("subscribed" in answer)) throw new Error("a gap where none should be");
    this.#subscriptions.push({ subscription: answer.subscribed, model: from.model, position: parseCursor(from.cursor).position, hasLeft: false });
    return undefined;
  }

  async #pull(reader: { readonly subscription: LiveReplaySubscription; readonly model: Model; position: number; hasLeft: boolean } | undefined): Promise<void> {
    if (!reader) return;
    const { subscription, model, position } = reader;
    if (reader.hasLeft) return expect(await subscription.next()).toMatchObject({ done: true });
    const [next] = model.after(position);
    if (position + 1 < model.first) {
      const error = await subscription.next().catch((failure: unknown) => failure);
      expect(LashError.is(error) && [error.code, error.details["count"]]).toEqual(["live_replay_lagged", model.first - 1 - position]);
      reader.position = model.first - 1;
    } else if (next) {
      const { value } = await subscription.next();
      expect(asPiece(value)).toEqual(next);
      reader.position = next.position;
    } else if (model !== this.#model) {
      await expect(subscription.next()).rejects.toMatchObject({ code: "live_replay_lagged" });
      reader.hasLeft = true;
    }
  }
}

test("replays, gaps and subscriptions are those of a list (O-21, O-22, O-23, O-24, O-25)", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 10, maxLength: 60 }), async (commands) => {
      const world = new World();
      for (const each of commands) await world.do(each);
    }),
    { numRuns: 300 },
  );
});
