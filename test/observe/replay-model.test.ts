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

interface Place {
  readonly cursor: string;
  readonly model: Model;
}

interface Reader {
  readonly subscription: LiveReplaySubscription;
  readonly model: Model;
  position: number;
  hasLeft: boolean;
}

interface Answer {
  readonly is: unknown;
  readonly shouldBe: unknown;
}

/** One session of a store, beside the model of each life of its buffer. */
class World {
  readonly clock: ManualClock = manualClock(1_000);
  readonly store: LiveReplayStore = inMemoryLiveReplay({ maxEvents: MAX_EVENTS, maxAgeMs: MAX_AGE_MS, clock: this.clock });
  #model = new Model();
  readonly #cursors = [{ cursor: this.store.currentCursor("s", 0), model: this.#model }];
  readonly #readers: Reader[] = [];

  async do(command: Command): Promise<Answer | undefined> {
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
        this.#model.trim(this.clock.now());
        return undefined;
      case "pass":
        await this.clock.advance(command.ms);
        return undefined;
      case "resume":
        return this.#resume(this.#pick(this.#cursors, command.which));
      case "subscribe":
        return this.#subscribe(this.#pick(this.#cursors, command.which));
      case "pull":
        return this.#readers.length > 0 ? this.#pull(this.#pick(this.#readers, command.which)) : undefined;
      case "leave": {
        if (this.#readers.length === 0) return undefined;
        const left = this.#pick(this.#readers, command.which);
        left.hasLeft = true;
        return { is: await left.subscription.return(), shouldBe: { done: true, value: undefined } };
      }
    }
  }

  #append(payload: ObservationPayload, key: string, says: string): undefined {
    this.#model.append(key, says, this.clock.now());
    return this.#remember(this.store.append("s", 0, payload).cursor);
  }

  #remember(cursor: string): undefined {
    this.#cursors.push({ cursor, model: this.#model });
  }

  #pick<Item>(items: readonly Item[], index: number): Item {
    const item = items[index % items.length];
    if (item === undefined) throw new Error("nothing to pick from");
    return item;
  }

  #gapAt({ cursor, model }: Place): { readonly gap: string } | undefined {
    if (model !== this.#model) return { gap: "unavailable" };
    model.trim(this.clock.now());
    return parseCursor(cursor).position + 1 < model.first ? { gap: "trimmed" } : undefined;
  }

  #resume(from: Place): Answer {
    const answer = this.store.replayAfterCursor(from.cursor);
    return { is: "gap" in answer ? answer : answer.replayed.map(asPiece), shouldBe: this.#gapAt(from) ?? from.model.after(parseCursor(from.cursor).position) };
  }

  #subscribe(from: Place): Answer {
    const answer = this.store.subscribeAfterCursor(from.cursor);
    const gap = this.#gapAt(from);
    if ("subscribed" in answer) this.#readers.push({ subscription: answer.subscribed, model: from.model, position: parseCursor(from.cursor).position, hasLeft: false });
    return { is: "gap" in answer ? answer : undefined, shouldBe: gap };
  }

  /** Where it would have to wait, it is not asked. */
  async #pull(reader: Reader): Promise<Answer | undefined> {
    const { subscription, model, position } = reader;
    const [next] = model.after(position);
    const isBehind = position + 1 < model.first;
    if (!reader.hasLeft && !isBehind && !next && model === this.#model) return undefined;
    const is = await subscription.next().then(
      ({ done, value }) => (done === true ? "over" : asPiece(value)),
      (error: unknown) => LashError.is(error) && [error.code, error.details["count"]],
    );
    if (reader.hasLeft) return { is, shouldBe: "over" };
    if (isBehind) {
      reader.position = model.first - 1;
      return { is, shouldBe: ["live_replay_lagged", model.first - 1 - position] };
    }
    if (next) {
      reader.position = next.position;
      return { is, shouldBe: next };
    }
    // Another life has begun.
    reader.hasLeft = true;
    return { is, shouldBe: ["live_replay_lagged", 0] };
  }
}

async function answersTo(commands: readonly Command[]): Promise<readonly Answer[]> {
  const world = new World();
  const answers: Answer[] = [];
  for (const command of commands) {
    const answer = await world.do(command);
    if (answer) answers.push(answer);
  }
  return answers;
}

test("replays, gaps and subscriptions are those of a list (O-21, O-22, O-23, O-24, O-25)", async () => {
  const commands = fc.array(command, { minLength: 10, maxLength: 60 });
  const property = fc.asyncProperty(commands, async (all) => {
    const answers = await answersTo(all);
    expect(answers.map(({ is }) => is)).toEqual(answers.map(({ shouldBe }) => shouldBe));
  });
  await fc.assert(property, { numRuns: 300 });
});
