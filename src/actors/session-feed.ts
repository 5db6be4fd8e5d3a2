// Session feed: what happens in a session right now, told to whoever watches it, in this runtime or in another tab.
//
//   F1. Lossy by design: nothing waits for a watcher, and one that comes late gets what the publisher keeps of the running turn.
//   F2. Other tabs are told in batches, from the publisher's buffer; before a turn ends and with every commit, all is told.
//   F3. A driver is believed until another one starts: what the one before still says is dropped.
//   F4. Messages are taken one by one: a commit is read before what was said after it is shown (O-16).

import type { Clock } from "../domain/clock.ts";
import { parseCursor } from "../domain/session-cursor.ts";
import type { SessionObservationEvent, SessionSighting, TurnActivity, TurnActivityBody } from "../observe/contract.ts";
import type { PeerChannel } from "../stores/store.ts";
import { BufferCopy } from "./buffer-copy.ts";
import { asJson, readPeerMessage, type PeerMessage, type QueueChange, type Standing, type ToldEvent } from "./peer-message.ts";
import type { Publisher } from "./publisher.ts";
import type { Resident } from "./resident.ts";

const BATCH_MS = 16;

interface RunningTurn {
  readonly turnId: string;
  readonly driver: string;
  readonly recovered: boolean;
  /** What happened before it. */
  readonly from: string;
}

export interface SessionFeedOptions {
  /** Names this runtime's session among all that may drive it. */
  readonly driver: string;
  readonly channel: PeerChannel | undefined;
  readonly clock: Clock;
  readonly publisher: Publisher;
  /** Another runtime committed this revision: reads it, unless a turn of this one runs or it cannot be read now. */
  readonly read: (revision: number) => Promise<Resident | undefined>;
  /** Another runtime began to drive a turn, or is done with one. */
  readonly onElsewhere: () => void;
}

type Told<Type extends PeerMessage["type"]> = Extract<PeerMessage, { type: Type }>;

export class SessionFeed {
  readonly #options: SessionFeedOptions;
  readonly #publisher: Publisher;
  readonly #copy: BufferCopy;
  readonly #sessionId: string;
  readonly #watchers = new Set<(sighting: SessionSighting) => void>();
  readonly #unlisten: () => void;
  #turn: RunningTurn | undefined;
  /** Other tabs were told what this runtime said up to here. */
  #toldTo: string;
  #cancelTimer: (() => void) | undefined;
  readonly #inbox: PeerMessage[] = [];
  #isTaking = false;

  constructor(options: SessionFeedOptions) {
    this.#options = options;
    this.#publisher = options.publisher;
    this.#copy = new BufferCopy(options.publisher, options.read);
    this.#sessionId = options.publisher.sessionId;
    this.#toldTo = options.publisher.cursor;
    this.#unlisten = options.channel?.listen((data) => this.#receive(readPeerMessage(data))) ?? (() => undefined);
    this.#post({ lash: 1, type: "hello", sessionId: this.#sessionId });
  }

  /** The turn that somebody drives, as far as is known here. */
  get turn(): { readonly turnId: string; readonly here: boolean } | undefined {
    return this.#turn && { turnId: this.#turn.turnId, here: this.#isHere(this.#turn) };
  }

  // ---- told by the runtime that drives ------------------------------------------------------------------------------

  started(turnId: string, recovered: boolean): void {
    const publisher = this.#publisher;
    this.#flush();
    // What was said of it before is void, and so is what another driver has said (OP-16).
    if (publisher.isCopy || (recovered && publisher.observed?.cursor !== publisher.cursor)) publisher.beginAnew();
    const from = publisher.cursor;
    this.#begin({ turnId, driver: this.#options.driver, recovered, from });
    if (!this.#options.channel) return;
    this.#toldTo = from;
    this.#post({ ...this.#telling(), type: "started", turnId, recovered, from: standingOf(from) });
  }

  activity(turnId: string, body: TurnActivityBody, correlationId: string): void {
    const turn = this.#turn;
    if (turn?.turnId !== turnId || !this.#isHere(turn)) return;
    const activity = this.#publisher.activity(turnId, body, correlationId);
    if (this.#watchers.size > 0) this.#tell(sightingOf(turnId, true, activity));
    this.#schedule();
  }

  ended(turnId: string): void {
    const turn = this.#turn;
    if (turn?.turnId !== turnId || !this.#isHere(turn)) return;
    this.#flush();
    this.#end(turn);
    this.#post({ ...this.#telling(), type: "ended", turnId });
  }

  /** This runtime has published a commit. */
  committed(): void {
    this.#flush();
  }

  /** The lanes of the session changed. */
  queueChanged(payload: QueueChange): void {
    if (this.#turn && !this.#isHere(this.#turn)) return this.#post({ lash: 1, type: "queue", sessionId: this.#sessionId, payload });
    if (this.#publisher.append(payload)) this.#schedule();
  }

  // ---- watching -----------------------------------------------------------------------------------------------------

  /** Shows what is known of the running turn, then what happens. @returns what stops it. */
  watch(watcher: (sighting: SessionSighting) => void): () => void {
    const turn = this.#turn;
    if (turn) {
      watcher(this.#startOf(turn));
      for (const { payload } of this.#publisher.since(turn.from) ?? []) {
        if (payload.type === "turn_activity" && payload.turnId === turn.turnId) watcher(sightingOf(turn.turnId, this.#isHere(turn), payload.activity));
      }
    }
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  close(): void {
    this.#flush();
    this.#unlisten();
    this.#watchers.clear();
  }

  // ---- heard from other tabs ----------------------------------------------------------------------------------------

  #receive(message: PeerMessage | undefined): void {
    if (!message || message.type === "changed" || message.sessionId !== this.#sessionId) return;
    this.#inbox.push(message);
    this.#takeNext();
  }

  #takeNext(): void {
    for (;;) {
      const message = this.#isTaking ? undefined : this.#inbox.shift();
      if (!message) return;
      const taking = this.#take(message);
      if (!taking) continue;
      this.#isTaking = true;
      void taking.finally(() => {
        this.#isTaking = false;
        this.#takeNext();
      });
    }
  }

  /** At once, unless something has to be read first. */
  #take(message: PeerMessage): Promise<void> | void {
    switch (message.type) {
      case "hello":
        return this.#retell();
      case "queue":
        return this.#sayFor(message);
      case "started":
        return this.#hearStart(message);
      case "events":
        return this.#hear(message);
      case "ended":
        if (this.#turn?.driver === message.driver && this.#turn.turnId === message.turnId) this.#end(this.#turn);
    }
  }

  #retell(): void {
    const publisher = this.#publisher;
    const base = publisher.observed?.cursor;
    const hasSpoken = this.turn?.here === true || parseCursor(publisher.cursor).position > 0;
    if (base === undefined || publisher.isCopy || !hasSpoken) return;
    this.#flush();
    this.#postEvents(base, publisher.since(base));
  }

  /** Another tab has changed the queue while this one drives. */
  #sayFor({ payload }: Told<"queue">): void {
    if (!this.#turn || !this.#isHere(this.#turn)) return;
    this.#publisher.append(payload);
    this.#schedule();
  }

  #hearStart({ turnId, driver, recovered, from }: Told<"started">): Promise<void> | void {
    const begin = (): void => this.#begin({ turnId, driver, recovered, from: this.#publisher.cursor });
    const following = this.#copy.follow(from);
    return following instanceof Promise ? following.then(begin) : begin();
  }

  #hear(message: Told<"events">): Promise<void> | void {
    const { driver, told } = message;
    // A commit is made under the lease: who tells of one drives.
    const isBelieved = !this.#turn || this.#turn.driver === driver || (!this.#isHere(this.#turn) && told.some(({ payload }) => payload.type === "committed"));
    if (!isBelieved) return undefined;
    const following = this.#copy.follow(message.from);
    if (following instanceof Promise) return following.then((isThere) => (isThere ? this.#hearEvents(message) : undefined));
    return following ? this.#hearEvents(message) : undefined;
  }

  #hearEvents({ driver, turn, from, told }: Told<"events">): Promise<void> | void {
    // Its start was told before this watcher came.
    if (turn && !this.#turn) this.#begin({ ...turn, driver, from: this.#publisher.cursor });
    return this.#copy.take(from.incarnation, told, ({ turnId, activity }) => {
      if (this.#turn?.turnId === turnId) this.#tell(sightingOf(turnId, false, activity));
    });
  }

  #begin(turn: RunningTurn): void {
    this.#turn = turn;
    this.#tell(this.#startOf(turn));
    if (!this.#isHere(turn)) this.#options.onElsewhere();
  }

  #end(turn: RunningTurn): void {
    this.#turn = undefined;
    this.#tell({ type: "turn_ended", turnId: turn.turnId, here: this.#isHere(turn) });
    if (!this.#isHere(turn)) this.#options.onElsewhere();
  }

  #tell(sighting: SessionSighting): void {
    for (const watcher of this.#watchers) watcher(sighting);
  }

  // ---- telling other tabs -------------------------------------------------------------------------------------------

  #schedule(): void {
    if (this.#options.channel) this.#cancelTimer ??= this.#options.clock.setTimer(BATCH_MS, () => this.#flush());
  }

  #flush(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (!this.#options.channel || this.#publisher.isCopy) return;
    const said = this.#publisher.since(this.#toldTo);
    if (said?.length === 0) return;
    this.#postEvents(this.#toldTo, said);
    this.#toldTo = this.#publisher.cursor;
  }

  /** @param said - undefined where it is not known any more: then others are told only where the session stands. */
  #postEvents(from: string, said: readonly SessionObservationEvent[] | undefined): void {
    const turn = this.#turn && this.#isHere(this.#turn) ? { turnId: this.#turn.turnId, recovered: this.#turn.recovered } : null;
    this.#post({ ...this.#telling(), type: "events", from: standingOf(said ? from : this.#publisher.cursor), told: (said ?? []).flatMap(toldOf), turn });
  }

  #post(message: PeerMessage): void {
    this.#options.channel?.post(asJson(message));
  }

  #telling(): { readonly lash: 1; readonly sessionId: string; readonly driver: string } {
    return { lash: 1, sessionId: this.#sessionId, driver: this.#options.driver };
  }

  #isHere(turn: RunningTurn): boolean {
    return turn.driver === this.#options.driver;
  }

  #startOf(turn: RunningTurn): SessionSighting {
    return { type: "turn_started", turnId: turn.turnId, here: this.#isHere(turn), recovered: turn.recovered };
  }
}

const sightingOf = (turnId: string, here: boolean, activity: TurnActivity): SessionSighting => ({ type: "turn_activity", turnId, here, activity });

function standingOf(cursor: string): Standing {
  const { incarnation, position, revision } = parseCursor(cursor);
  return { incarnation, position, revision };
}

/** A switch of frames is told by the commit behind it. */
function toldOf({ cursor, revision, payload }: SessionObservationEvent): ToldEvent[] {
  if (payload.type === "agent_frame_switched") return [];
  const { position } = parseCursor(cursor);
  return [{ position, payload: payload.type === "committed" ? { type: "committed", revision } : payload }];
}
