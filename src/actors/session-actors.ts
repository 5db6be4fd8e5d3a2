// Session actors: the machine of one opened session, and the actor that does what it asks for.
//
// Owns: loading and flushing. The machine knows what the session is and what it may do; nothing here says it a second time.

import { createActor, fromCallback, type ActorRefFrom, type AnyActorRef, type SnapshotFrom } from "xstate";
import { runtimeErrorOfStore } from "../domain/error-mapping.ts";
import { LashError } from "../domain/errors.ts";
import { sessionStillInUse } from "../domain/wiring-errors.ts";
import { SESSION_KEEPER, sessionMachine, type SessionEvent, type SessionRequest } from "../machines/session.machine.ts";
import type { RuntimePorts } from "./ports.ts";
import type { Residence } from "./residence.ts";
import type { SessionChanges } from "./session-changes.ts";

export type SessionActor = ActorRefFrom<typeof sessionMachine>;
type Value = SnapshotFrom<typeof sessionMachine>["value"];

export interface SessionActorsOptions {
  readonly ports: RuntimePorts;
  readonly sessionId: string;
  readonly residence: Residence;
  readonly changes: SessionChanges;
}

export class SessionActors {
  readonly root: SessionActor;
  /**
   * Parent of what runs in the session. Not the chart: a machine remembers for each of its states every type of event that it was ever
   * sent, and the type of a child's end has the child's id in it, so that each turn of each session would stay for ever.
   */
  readonly keeper: AnyActorRef;
  readonly #options: SessionActorsOptions;
  /** What the machine has asked for last; rejects where it failed. */
  #work: Promise<void> | undefined;

  constructor(options: SessionActorsOptions) {
    const { ports, sessionId } = options;
    this.#options = options;
    this.root = createActor(sessionMachine, {
      id: `session:${sessionId}`,
      input: { sessionId, residency: ports.residency, hasStore: true },
      ...(ports.inspect && { inspect: ports.inspect }),
    });
    this.keeper = createActor(
      fromCallback<SessionRequest>(({ receive }) => receive((message) => this.#receive(message))),
      { id: `keeper:${sessionId}`, parent: this.root, systemId: SESSION_KEEPER },
    );
    this.root.start();
    this.keeper.start();
  }

  /** Handles that share the session. */
  get handles(): number {
    return this.root.getSnapshot().context.handles;
  }

  /** What the store says of the session, as this process last read or wrote it. */
  get durable(): Value["durable"] {
    return this.root.getSnapshot().value.durable;
  }

  send(event: SessionEvent): void {
    this.root.send(event);
  }

  /** Loads the session. @throws the store's error where it cannot be read; `session_id_retired`, `persistent_store_required`. */
  async load(event: { readonly type: "session.open" | "session.reopen" }): Promise<void> {
    await this.#ask(event);
    const { failure } = this.root.getSnapshot().context;
    if (failure && this.#isIn("failed")) throw new LashError("session", failure.code, failure.message);
  }

  /** After a loss, what is resident may be behind the store: it is read again before anything else happens (R2). */
  async ready(): Promise<void> {
    if (this.#isIn("lost", "stale", "failed")) await this.load({ type: "session.reopen" });
  }

  /**
   * Leaves the session, once all that is resident is committed.
   *
   * @param isAhead - plugins know more than the last commit does (R1).
   * @throws LashError `session_still_in_use`, and what the commit throws; then it stays open.
   */
  async leave(then: "session.park" | "session.close", isAhead: boolean): Promise<void> {
    if (!this.root.getSnapshot().can({ type: then })) throw sessionStillInUse(this.#options.sessionId, then);
    if (isAhead) this.send({ type: "session.changed" });
    await this.#ask({ type: then });
  }

  stop(): void {
    this.root.stop();
  }

  #isIn(...states: readonly Value["residency"][]): boolean {
    return states.includes(this.root.getSnapshot().value.residency);
  }

  /** Tells the machine, and waits for what it asks for in return. */
  #ask(event: SessionEvent): Promise<void> {
    this.#work = undefined;
    this.send(event);
    return this.#work ?? Promise.resolve();
  }

  /** Hears of the end of its children, too, which is nothing to do. */
  #receive(message: SessionRequest): void {
    if (message.type === "session.load") this.#work = this.#load();
    else if (message.type === "session.flush") this.#work = this.#flush();
  }

  async #load(): Promise<void> {
    const { events, error } = await this.#options.residence.load();
    for (const event of events) this.send(event);
    if (error) throw error;
  }

  async #flush(): Promise<void> {
    try {
      await this.#options.changes.flush();
    } catch (error) {
      const failure = runtimeErrorOfStore(error);
      this.send({ type: "session.flushFailed", code: failure.code, message: failure.message });
      throw failure;
    }
    this.send({ type: "session.flushed" });
  }
}
