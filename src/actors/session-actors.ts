// Session actors: the residency machine of one opened session, and the actor that does what it asks for.
//
// Owns: loading and flushing, and those who wait for either.

import { createActor, fromCallback, type ActorRefFrom, type SnapshotFrom } from "xstate";
import { runtimeErrorOfStore } from "../domain/error-mapping.ts";
import { LashError } from "../domain/errors.ts";
import { sessionStillInUse } from "../domain/wiring-errors.ts";
import { SESSION_KEEPER, SESSION_MACHINE, sessionMachine, type SessionEvent, type SessionRequest } from "../machines/session.machine.ts";
import { persistSnapshot } from "../machines/snapshot.ts";
import type { MachineSnapshot } from "../stores/contract.ts";
import type { RuntimePorts } from "./ports.ts";
import type { Residence } from "./residence.ts";
import type { SessionChanges } from "./session-changes.ts";

export type SessionActor = ActorRefFrom<typeof sessionMachine>;
type Residency = SnapshotFrom<typeof sessionMachine>["value"]["residency"];

export interface SessionActorsOptions {
  readonly ports: RuntimePorts;
  readonly sessionId: string;
  readonly residence: Residence;
  readonly changes: SessionChanges;
}

export class SessionActors {
  readonly root: SessionActor;
  readonly #options: SessionActorsOptions;
  #loading: PromiseWithResolvers<void> | undefined;
  #flushing: PromiseWithResolvers<void> | undefined;

  constructor(options: SessionActorsOptions) {
    const { ports, sessionId } = options;
    this.#options = options;
    this.root = createActor(sessionMachine, {
      id: `session:${sessionId}`,
      input: { sessionId, residency: ports.residency, hasStore: true },
      ...(ports.inspect && { inspect: ports.inspect }),
    });
    const keeper = createActor(
      fromCallback<SessionRequest>(({ receive }) => receive((message) => this.#receive(message))),
      { id: `keeper:${sessionId}`, parent: this.root, systemId: SESSION_KEEPER },
    );
    this.root.start();
    keeper.start();
  }

  /** Handles that share the session. */
  get handles(): number {
    return this.root.getSnapshot().context.handles;
  }

  /** A turn of this runtime goes on, as far as the machine is concerned. */
  get isDriving(): boolean {
    return this.#isIn("acquiring", "running", "committing");
  }

  /** For the head row. */
  persisted(): MachineSnapshot {
    return persistSnapshot(SESSION_MACHINE, this.root.getSnapshot());
  }

  get isAcquiring(): boolean {
    return this.#isIn("acquiring");
  }

  send(event: SessionEvent): void {
    this.root.send(event);
    if (this.#flushing && !this.#isFlushing) this.#flushing.resolve();
  }

  /** Loads the session. @throws the store's error where it cannot be read. */
  load(event: { readonly type: "session.open" | "session.reopen" }): Promise<void> {
    this.#loading = Promise.withResolvers<void>();
    const { promise } = this.#loading;
    this.send(event);
    const { failure } = this.root.getSnapshot().context;
    if (failure && this.#isIn("failed")) this.#loading.reject(new LashError("session", failure.code, failure.message));
    return promise;
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
    this.#flushing = Promise.withResolvers<void>();
    const { promise } = this.#flushing;
    this.send({ type: then });
    return promise;
  }

  stop(): void {
    this.root.stop();
  }

  get #isFlushing(): boolean {
    return this.#isIn("parking", "closing");
  }

  #isIn(...states: readonly Residency[]): boolean {
    return states.includes(this.root.getSnapshot().value.residency);
  }

  #receive(message: SessionRequest): void {
    if (message.type === "session.load") void this.#load();
    else if (message.type === "session.flush") void this.#flush();
  }

  async #load(): Promise<void> {
    const loading = this.#loading;
    const { event, error } = await this.#options.residence.load();
    this.send(event);
    if (error) loading?.reject(error);
    else loading?.resolve();
  }

  async #flush(): Promise<void> {
    const flushing = this.#flushing;
    try {
      await this.#options.changes.flush();
      this.send({ type: "session.flushed" });
    } catch (error) {
      const failure = runtimeErrorOfStore(error);
      flushing?.reject(failure);
      this.send({ type: "session.flushFailed", code: failure.code, message: failure.message });
    }
  }
}
