// Residence: the resident state of an opened session, read from the store and moved on by commits, and who is told of it.

import { errorText } from "../domain/error-mapping.ts";
import { LashError, storeError } from "../domain/errors.ts";
import type { SessionRegion } from "../domain/session.ts";
import type { SessionEvent } from "../machines/session.machine.ts";
import type { SessionCommit } from "../stores/contract.ts";
import { loadResident } from "./load-resident.ts";
import type { SessionParts } from "./session/parts.ts";
import { type Committed, freshResident, residentAfter, type LoadedResident, type Resident } from "./resident.ts";

/** `runs`: a turn of this runtime reads for itself. */
export type ResidenceParts = Pick<SessionParts, "ports" | "stated" | "publisher" | "runs" | "actors">;

export class Residence {
  readonly #parts: ResidenceParts;
  #resident: Resident;

  constructor(parts: ResidenceParts) {
    const { ports, stated } = parts;
    const { sessionId, policy } = stated.wiring;
    this.#parts = parts;
    this.#resident = freshResident(sessionId, policy, ports.clock.now());
  }

  get resident(): Resident {
    return this.#resident;
  }

  /** Reads the session. @returns what its machine is told of it, and the error where it could not be read. */
  async load(): Promise<{ readonly events: readonly SessionEvent[]; readonly error?: LashError }> {
    try {
      const { repaired, region: { state } } = await this.#read();
      return { events: [{ type: "session.seen", state }, { type: "session.loaded", repaired }] };
    } catch (error) {
      const code = LashError.is(error) ? error.code : "store_backend";
      const events = [{ type: "session.loadFailed", code, message: errorText(error) }] as const;
      return { events, error: LashError.is(error) ? error : storeError("store_backend", errorText(error), { cause: error }) };
    }
  }

  read(): Promise<LoadedResident> {
    return this.#read();
  }

  async #read(): ReturnType<typeof loadResident> {
    const { ports, stated, publisher } = this.#parts;
    const loaded = await loadResident(ports, stated.wiring);
    // Of a session that is gone, what was read before stays readable here.
    if (isGone(loaded.region)) return loaded;
    this.#become(loaded.resident);
    publisher.publish(loaded.resident);
    return loaded;
  }

  /** Reads the session again where the store has moved on. */
  async refresh(headRevision: number): Promise<Resident> {
    return this.#resident.headRevision === headRevision ? this.#resident : (await this.read()).resident;
  }

  /** Another runtime committed: what is resident here follows, between the turns of this one. It is shown by who heard of it. */
  async catchUp(revision: number): Promise<Resident | undefined> {
    const { ports, stated, runs, actors } = this.#parts;
    if (runs.isDriving || revision <= this.#resident.headRevision) return runs.isDriving ? undefined : this.#resident;
    // A notice is a hint: a session that cannot be read now is read by its next turn, which also says why it cannot.
    const loaded = await loadResident(ports, stated.wiring).catch(() => undefined);
    // A turn of this runtime may have begun meanwhile; it reads for itself.
    if (runs.isDriving || !loaded || loaded.resident.headRevision < revision) return undefined;
    if (loaded.resident.headRevision > this.#resident.headRevision) this.#become(loaded.resident);
    actors.send({ type: "session.seen", state: loaded.region.state });
    return this.#resident;
  }

  adopt(committed: Committed, commit: SessionCommit): void {
    const { stated, publisher } = this.#parts;
    const resident = residentAfter(this.#resident, committed, commit);
    stated.wiring.plugins?.committed(resident.plugins);
    this.#become(resident);
    publisher.publish(resident);
  }

  #become(resident: Resident): void {
    this.#resident = resident;
    this.#parts.stated.wiring.tools.adopt(resident.toolState);
  }
}

const isGone = ({ state }: SessionRegion): boolean => state === "deleting" || state === "retired";
