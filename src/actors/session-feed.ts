// Session feed: what happens in a session right now, for whoever watches it, in this runtime or in another tab.
//
//   F1. Lossy by design: nothing waits for a watcher, and a watcher that comes late gets what is kept of the running turn.
//   F2. Deltas are told in batches, joined where they belong together; before anything else is told, they are.
//   F3. A driver is believed until another one starts: what the one before still says is dropped.

import type { Clock } from "../domain/clock.ts";
import type { QueueChange, SessionSighting, TurnActivityBody } from "../observe/contract.ts";
import type { PeerChannel } from "../stores/store.ts";
import { asJson, readPeerMessage, type PeerMessage, type ToldActivity } from "./peer-message.ts";

const BATCH_MS = 16;
/** Of the running turn, for those who come late; older ones are forgotten. */
const KEPT = 1000;

interface RunningTurn {
  readonly turnId: string;
  readonly driver: string;
  readonly recovered: boolean;
  readonly told: ToldActivity[];
  seq: number;
}

export interface SessionFeedOptions {
  readonly sessionId: string;
  /** Names this runtime's session among all that may drive it. */
  readonly driver: string;
  readonly channel: PeerChannel | undefined;
  readonly clock: Clock;
  /** Another runtime committed this revision. */
  readonly onCommitted: (revision: number) => void;
  /** Another runtime began to drive a turn, or is done with one. */
  readonly onElsewhere: () => void;
}

export class SessionFeed {
  readonly #options: SessionFeedOptions;
  readonly #watchers = new Set<(sighting: SessionSighting) => void>();
  readonly #queueWatchers = new Set<(change: QueueChange) => void>();
  readonly #unlisten: () => void;
  #turn: RunningTurn | undefined;
  /** Not told to other tabs yet. */
  #batch: ToldActivity[] = [];
  #cancelTimer: (() => void) | undefined;

  constructor(options: SessionFeedOptions) {
    this.#options = options;
    this.#unlisten = options.channel?.listen((data) => this.#receive(readPeerMessage(data))) ?? (() => undefined);
    this.#post({ lash: 1, type: "hello", sessionId: options.sessionId });
  }

  /** The turn that somebody drives, as far as is known here. */
  get turn(): { readonly turnId: string; readonly here: boolean } | undefined {
    return this.#turn && { turnId: this.#turn.turnId, here: this.#isHere(this.#turn) };
  }

  // ---- told by the runtime that drives ------------------------------------------------------------------------------

  started(turnId: string, recovered: boolean): void {
    const { driver } = this.#options;
    this.#begin({ turnId, driver, recovered, told: [], seq: 0 });
    this.#post({ ...this.#about(turnId), type: "started", recovered });
  }

  activity(turnId: string, body: TurnActivityBody, correlationId: string): void {
    const turn = this.#turn;
    // Nobody can watch: nothing is kept, so that streaming costs nothing.
    if (turn?.turnId !== turnId || !this.#isHere(turn) || (!this.#options.channel && this.#watchers.size === 0)) return;
    const told = { seq: ++turn.seq, correlationId, body };
    this.#keep(turn, told);
    this.#show(turn, told);
    if (!this.#options.channel) return;
    const last = this.#batch.at(-1);
    const joined = last && join(last, told);
    if (joined) this.#batch[this.#batch.length - 1] = joined;
    else this.#batch.push(told);
    this.#cancelTimer ??= this.#options.clock.setTimer(BATCH_MS, () => this.#flush());
  }

  ended(turnId: string): void {
    const turn = this.#turn;
    if (turn?.turnId !== turnId || !this.#isHere(turn)) return;
    this.#end(turn);
    this.#post({ ...this.#about(turnId), type: "ended" });
  }

  committed(revision: number): void {
    this.#post({ lash: 1, type: "committed", sessionId: this.#options.sessionId, revision });
  }

  /** The lanes of the session changed (O-15). */
  queueChanged(kind: QueueChange["kind"], batchIds: readonly string[]): void {
    for (const watcher of this.#queueWatchers) watcher({ type: "queue_changed", kind, batchIds });
  }

  // ---- watching -----------------------------------------------------------------------------------------------------

  /** Shows what is known of the running turn, then what happens. @returns what stops it. */
  watch(watcher: (sighting: SessionSighting) => void): () => void {
    const turn = this.#turn;
    if (turn) {
      watcher(this.#startOf(turn));
      for (const told of turn.told) watcher(this.#sightingOf(turn, told));
    }
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Shows what happens in the lanes from now on. @returns what stops it. */
  watchQueue(watcher: (change: QueueChange) => void): () => void {
    this.#queueWatchers.add(watcher);
    return () => this.#queueWatchers.delete(watcher);
  }

  close(): void {
    this.#flush();
    this.#unlisten();
    this.#watchers.clear();
    this.#queueWatchers.clear();
  }

  #receive(message: PeerMessage | undefined): void {
    if (!message || message.type === "changed" || message.sessionId !== this.#options.sessionId) return;
    switch (message.type) {
      case "hello":
        return this.#retell();
      case "committed":
        return this.#options.onCommitted(message.revision);
      case "started":
        return this.#begin({ turnId: message.turnId, driver: message.driver, recovered: message.recovered, told: [], seq: 0 });
      case "ended":
        if (this.#turn?.driver === message.driver && this.#turn.turnId === message.turnId) this.#end(this.#turn);
        return undefined;
      case "activities":
        return this.#hear(message);
    }
  }

  #hear({ turnId, driver, recovered, told }: Extract<PeerMessage, { type: "activities" }>): void {
    // Its start was told before this watcher came.
    if (!this.#turn) this.#begin({ turnId, driver, recovered, told: [], seq: 0 });
    const turn = this.#turn;
    if (turn?.driver !== driver || turn.turnId !== turnId) return;
    for (const activity of told) {
      if (activity.seq <= turn.seq) continue;
      turn.seq = activity.seq;
      this.#keep(turn, activity);
      this.#show(turn, activity);
    }
  }

  #retell(): void {
    const turn = this.#turn;
    if (!turn || !this.#isHere(turn)) return;
    this.#flush();
    this.#post({ ...this.#about(turn.turnId), type: "activities", recovered: turn.recovered, told: turn.told });
  }

  #begin(turn: RunningTurn): void {
    this.#flush();
    this.#turn = turn;
    this.#tell(this.#startOf(turn));
    if (!this.#isHere(turn)) this.#options.onElsewhere();
  }

  #end(turn: RunningTurn): void {
    this.#flush();
    this.#turn = undefined;
    this.#tell({ type: "turn_ended", turnId: turn.turnId, here: this.#isHere(turn) });
    if (!this.#isHere(turn)) this.#options.onElsewhere();
  }

  #keep(turn: RunningTurn, told: ToldActivity): void {
    const last = turn.told.at(-1);
    const joined = last && join(last, told);
    if (joined) turn.told[turn.told.length - 1] = joined;
    else turn.told.push(told);
    if (turn.told.length > KEPT) turn.told.shift();
  }

  #show(turn: RunningTurn, told: ToldActivity): void {
    if (this.#watchers.size > 0) this.#tell(this.#sightingOf(turn, told));
  }

  #tell(sighting: SessionSighting): void {
    for (const watcher of this.#watchers) watcher(sighting);
  }

  #flush(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const told = this.#batch;
    const turn = this.#turn;
    this.#batch = [];
    if (told.length > 0 && turn) this.#post({ ...this.#about(turn.turnId), type: "activities", recovered: turn.recovered, told });
  }

  #post(message: PeerMessage): void {
    this.#options.channel?.post(asJson(message));
  }

  #about(turnId: string): { readonly lash: 1; readonly sessionId: string; readonly driver: string; readonly turnId: string } {
    const { sessionId, driver } = this.#options;
    return { lash: 1, sessionId, driver, turnId };
  }

  #isHere(turn: RunningTurn): boolean {
    return turn.driver === this.#options.driver;
  }

  #startOf(turn: RunningTurn): SessionSighting {
    return { type: "turn_started", turnId: turn.turnId, here: this.#isHere(turn), recovered: turn.recovered };
  }

  #sightingOf(turn: RunningTurn, { seq, correlationId, body }: ToldActivity): SessionSighting {
    return { type: "turn_activity", turnId: turn.turnId, here: this.#isHere(turn), activity: { id: `${turn.turnId}:${turn.driver}:${seq}`, correlationId, ...body } };
  }
}

/** Two deltas of one text as one, under the place of the later one; undefined for anything else. */
function join(last: ToldActivity, next: ToldActivity): ToldActivity | undefined {
  if (last.correlationId !== next.correlationId) return undefined;
  const [a, b] = [last.body, next.body];
  const isText = (a.type === "assistant_prose_delta" && b.type === a.type) || (a.type === "reasoning_delta" && b.type === a.type);
  return isText ? { ...next, body: { type: a.type, text: a.text + b.text } } : undefined;
}
