// Residence: the resident state of an opened session, read from the store and moved on by commits, and who is told of it.

import { errorText } from "../domain/error-mapping.ts";
import { LashError, storeError } from "../domain/errors.ts";
import type { SessionEvent } from "../machines/session.machine.ts";
import type { RecordedTurn, SessionCommit } from "../stores/contract.ts";
import type { RuntimePorts, SessionWiring } from "./ports.ts";
import { freshResident, residentAfter, residentOf, type LoadedResident, type Resident } from "./resident.ts";

export interface ResidenceOptions {
  readonly ports: RuntimePorts;
  readonly wiring: () => SessionWiring;
  /** Whether a turn of this runtime goes on: it reads for itself. */
  readonly isDriving: () => boolean;
}

export class Residence {
  readonly #options: ResidenceOptions;
  #resident: Resident;
  readonly #listeners = new Set<(resident: Resident) => void>();

  constructor(options: ResidenceOptions) {
    const { ports, wiring } = options;
    const { sessionId, policy } = wiring();
    this.#options = options;
    this.#resident = freshResident(sessionId, policy, ports.clock.now());
  }

  get resident(): Resident {
    return this.#resident;
  }

  onCommit(listener: (resident: Resident) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Reads the session. @returns what the residency machine is told of it, and the error where it could not be read. */
  async load(): Promise<{ readonly event: SessionEvent; readonly error?: LashError }> {
    try {
      const { repaired } = await this.read();
      return { event: { type: "session.loaded", repaired } };
    } catch (error) {
      const code = LashError.is(error) ? error.code : "store_backend";
      const event = { type: "session.loadFailed", code, message: errorText(error) } as const;
      return { event, error: LashError.is(error) ? error : storeError("store_backend", errorText(error), { cause: error }) };
    }
  }

  async read(): Promise<LoadedResident> {
    const loaded = await this.#loadCommitted();
    this.#become(loaded.resident);
    return loaded;
  }

  /** Reads the session again where the store has moved on. */
  async refresh(headRevision: number): Promise<Resident> {
    return this.#resident.headRevision === headRevision ? this.#resident : (await this.read()).resident;
  }

  /** Another runtime committed: what is shown here follows, between the turns of this one. */
  async catchUp(revision: number): Promise<void> {
    const { isDriving } = this.#options;
    if (isDriving() || revision <= this.#resident.headRevision) return;
    // A notice is a hint: a session that cannot be read now is read by its next turn, which also says why it cannot.
    const loaded = await this.#loadCommitted().catch(() => undefined);
    // A turn of this runtime may have begun meanwhile; it reads for itself.
    if (isDriving() || !loaded || loaded.resident.headRevision <= this.#resident.headRevision) return;
    this.#become(loaded.resident);
  }

  adopt(turn: RecordedTurn, commit: SessionCommit): void {
    const resident = residentAfter(this.#resident, turn.headRevision, commit);
    this.#options.wiring().plugins?.committed(resident.plugins);
    this.#become(resident);
  }

  #become(resident: Resident): void {
    this.#resident = resident;
    for (const listener of this.#listeners) listener(resident);
  }

  async #loadCommitted(): Promise<LoadedResident> {
    const { ports, wiring } = this.#options;
    const { sessions } = ports.persistence;
    const { sessionId, policy } = wiring();
    const full = { kind: "full_graph" } as const;
    let read = await sessions.load(sessionId, ports.residency === "keep_all" ? full : { kind: "active_path" });
    // S-37: a path that leads nowhere is healed from the whole graph, never from the part of it that was asked for.
    if (read && read.nodes.length === 0 && read.nodeCount > 0 && read.head.leafNodeId !== undefined) read = await sessions.load(sessionId, full);
    return read ? residentOf(read) : { resident: freshResident(sessionId, policy, ports.clock.now()), repaired: false };
  }
}
