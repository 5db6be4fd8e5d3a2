// Publisher: the current observation of one session in this runtime, and the events that lead from one to the next (observation.md
// section 3). All handles and drivers of the session in this runtime share it, as they share the store.
//
//   B1. A snapshot is replaced whole, and before the events that tell of it can be seen (O-3, O-16).
//   B2. Nothing here fails or holds up a turn: what the replay store throws is logged, and what a listener throws (O-11).
//   B3. Where another runtime drives, events have the places that its buffer gives them; a session has one speaker at a time (OP-16).

import { errorText } from "../domain/error-mapping.ts";
import type { Logger } from "../domain/logger.ts";
import { formatCursor, type ReplayPlace } from "../domain/session-cursor.ts";
import type { LiveReplayStore, ObservationPayload, SessionObservationEvent, SessionReadView, TurnActivity, TurnActivityBody } from "../observe/contract.ts";
import type { Resident } from "./resident.ts";

/** The last commit, and the cursor from which exactly what came after it is replayed. */
export interface Observed {
  readonly resident: Resident;
  readonly view: SessionReadView;
  readonly cursor: string;
}

export interface Publishing {
  readonly replay: LiveReplayStore;
  readonly logger: Logger;
  readonly viewOf: (sessionId: string, resident: Resident) => SessionReadView;
  /** Names this runtime among all that share the store. */
  readonly scopeId: string;
}

/** The publishers of a runtime: each lives as long as its session is open. */
export class Publishers {
  readonly #publishing: Publishing;
  readonly #open = new Map<string, { readonly publisher: Publisher; users: number }>();

  constructor(publishing: Publishing) {
    this.#publishing = publishing;
  }

  open(sessionId: string): Publisher {
    const entry = this.#open.get(sessionId) ?? { publisher: new Publisher(sessionId, this.#publishing), users: 0 };
    this.#open.set(sessionId, entry);
    entry.users += 1;
    return entry.publisher;
  }

  release(sessionId: string): void {
    const entry = this.#open.get(sessionId);
    if (!entry) return;
    entry.users -= 1;
    if (entry.users > 0) return;
    this.#open.delete(sessionId);
    entry.publisher.close();
  }
}

export class Publisher {
  readonly sessionId: string;
  readonly replay: LiveReplayStore;
  readonly #publishing: Publishing;
  readonly #listeners = new Set<(observed: Observed) => void>();
  #observed: Observed | undefined;
  #activities = 0;
  #isCopy = false;
  /** Something was not told, and the buffer could not be begun anew since. */
  #isTorn = false;
  /** Nobody has the session open any more: what is still under way is told to nobody, and must not begin another buffer. */
  #isClosed = false;
  /** A failure was logged; it is not said again with every delta. */
  #hasFailed = false;

  constructor(sessionId: string, publishing: Publishing) {
    this.sessionId = sessionId;
    this.replay = publishing.replay;
    this.#publishing = publishing;
  }

  /** Undefined until the session was read. */
  get observed(): Observed | undefined {
    return this.#observed;
  }

  get revision(): number {
    return this.#observed?.resident.headRevision ?? 0;
  }

  /** @returns what takes it back. */
  onPublish(listener: (observed: Observed) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Shows a newly committed state. What was shown already is not told again; what is read first was not committed here.
   *
   * @param place - of the commit in the buffer of the runtime that made it.
   */
  publish(resident: Resident, place?: ReplayPlace): void {
    const before = this.#observed;
    const isNews = resident.headRevision > this.revision;
    if (before && !isNews && !place) return;
    const shown = before && !isNews ? before.resident : resident;
    this.#show(shown, this.#now(shown));
    if (!before) return;
    const { currentFrameId } = shown.head;
    const { incarnation, position } = place ?? {};
    const at = (back: number): ReplayPlace | undefined => (incarnation === undefined || position === undefined ? undefined : { incarnation, position: position - back });
    if (currentFrameId !== before.resident.head.currentFrameId && currentFrameId !== "") this.append({ type: "agent_frame_switched", frameId: currentFrameId }, at(1));
    const { sessionId } = this;
    const { viewOf } = this.#publishing;
    const committed = this.append({ type: "committed", get readView() { return viewOf(sessionId, shown); } }, at(0));
    this.#show(shown, committed?.cursor ?? this.#now(shown));
    if (isNews) this.#tell();
  }

  activity(turnId: string, body: TurnActivityBody, correlationId: string): TurnActivity {
    this.#activities += 1;
    const activity = { id: `${this.#publishing.scopeId}:${this.#activities}`, correlationId, ...body };
    this.append({ type: "turn_activity", turnId, activity });
    return activity;
  }

  append(payload: ObservationPayload, place?: ReplayPlace): SessionObservationEvent | undefined {
    // A copy that was left meanwhile takes nothing more.
    if (this.#isClosed || (place && !this.#isCopy)) return undefined;
    if (!place && (this.#isCopy || this.#isTorn)) this.beginAnew();
    // Not by #ask: this is done for every delta.
    try {
      const event = this.replay.append(this.sessionId, this.revision, payload, place);
      this.#hasFailed = false;
      return event;
    } catch (error) {
      this.#failed(error);
      // What was not told must not be passed over: who comes back from before it meets a gap.
      this.beginAnew();
      return undefined;
    }
  }

  // ---- places -------------------------------------------------------------------------------------------------------

  /** After everything so far. */
  get cursor(): string {
    return this.#now();
  }

  /** Another runtime speaks for the session; what is said here begins a life of this runtime's own. */
  get isCopy(): boolean {
    return this.#isCopy;
  }

  /** What was told after a cursor; undefined where that is not known any more. */
  since(cursor: string): readonly SessionObservationEvent[] | undefined {
    const answer = this.#ask((replay) => replay.replayAfterCursor(cursor));
    return answer && "replayed" in answer ? answer.replayed : undefined;
  }

  /** Cursors from before lead to a gap. */
  beginAnew(): void {
    const hasBegun = this.#ask((replay) => {
      replay.restart(this.sessionId);
      return true;
    });
    this.#isTorn = hasBegun === undefined;
    this.#isCopy = false;
    if (this.#observed) this.#show(this.#observed.resident, this.#now());
  }

  /**
   * Copies the buffer of the runtime that drives, from where it stands.
   *
   * @param resident - what was committed there, where that is news here.
   */
  follow(place: ReplayPlace, resident = this.#observed?.resident): void {
    const before = this.#now();
    this.#ask((replay) => replay.restart(this.sessionId, place));
    this.#isCopy = true;
    const isNews = (resident?.headRevision ?? 0) > this.revision;
    if (!resident || (!isNews && this.#now() === before)) return;
    this.#show(resident, this.#now(resident));
    if (isNews) this.#tell();
  }

  close(): void {
    this.#listeners.clear();
    this.#ask((replay) => replay.forget(this.sessionId));
    this.#isClosed = true;
  }

  #tell(): void {
    const observed = this.#observed;
    if (!observed) return;
    for (const listener of this.#listeners) {
      try {
        listener(observed);
      } catch (error) {
        // A host's component, or what it does in one (B2): what it is told of is committed.
        this.#publishing.logger({ level: "warn", event: "observation.listener_failed", sessionId: this.sessionId, message: errorText(error) });
      }
    }
  }

  #show(resident: Resident, cursor: string): void {
    const before = this.#observed;
    const view = before?.resident === resident ? before.view : this.#publishing.viewOf(this.sessionId, resident);
    this.#observed = { resident, view, cursor };
  }

  #now(resident = this.#observed?.resident): string {
    const { sessionId } = this;
    const revision = resident?.headRevision ?? 0;
    return this.#ask((replay) => replay.currentCursor(sessionId, revision)) ?? formatCursor({ revision, incarnation: "none", position: 0, sessionId });
  }

  #ask<T>(question: (replay: LiveReplayStore) => T): T | undefined {
    if (this.#isClosed) return undefined;
    try {
      return question(this.replay);
    } catch (error) {
      return this.#failed(error);
    }
  }

  #failed(error: unknown): undefined {
    if (!this.#hasFailed) this.#publishing.logger({ level: "warn", event: "live_replay.append_failed", sessionId: this.sessionId, code: "live_replay_store", message: errorText(error) });
    this.#hasFailed = true;
    return undefined;
  }
}
