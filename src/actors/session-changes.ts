// Session changes: what is committed beside turns - going back, a new frame, settings - and the making of forks (S-48, S-53).
//
//   N1. Each is one commit under a lease of its own, in the session's lane: never beside a turn of this runtime.
//   N2. A turn that somebody left in flight ends before the history that it began with is moved (OP-7).
//   N3. Nobody waits for a turn that runs here: whoever asks may be a tool of that very turn, which would wait for itself. A change
//       of settings or tools holds at once; a change of the history is refused (OP-22).

import { doubtAfter, errorFields, runtimeErrorOfStore } from "../domain/error-mapping.ts";
import { type LashError, runtimeError } from "../domain/errors.ts";
import { invalidArgument } from "../domain/invalid-argument.ts";
import type { JsonObject } from "../domain/json.ts";
import type { CommitResult, LeaseFence, SessionLease } from "../stores/contract.ts";
import type { ToolRegistry } from "../tools/registry/contract.ts";
import { fenceOf, releaseLane } from "./session-lease.ts";
import type { Resident } from "./resident.ts";
import { changeCommit, settingsCommit, withPluginState, type SessionChange } from "./session-change.ts";
import type { SessionParts } from "./session/parts.ts";
import { areRecorded, settingsOf, type SettingsChange } from "./session-settings.ts";
import { finishTurn } from "./turn/run-turn.ts";

/** null: nothing but what plugins have to say. */
type MakeChange = (resident: Resident, lease: SessionLease) => SessionChange | null | Promise<SessionChange | null>;

export class SessionChanges {
  readonly #session: SessionParts;
  /** A change was made while a turn ran, whose commit is to record it. */
  #isOwed = false;

  constructor(session: SessionParts) {
    this.#session = session;
  }

  /**
   * @param change - builds the commit from the state that the lease protects; one that takes its time keeps the lease alive.
   * @param onCommit - told at once when it is committed.
   * @throws LashError `session_execution_busy` - nothing changed. `store_commit_failed` - unknown whether it did.
   */
  async commit(change: MakeChange, onCommit?: (result: CommitResult) => void): Promise<void> {
    const { lane } = this.#session;
    for (;;) {
      this.requireIdle();
      const left = await lane.run(() => this.#try(change, "waits", onCommit));
      if (left === undefined) return;
      // It was accepted on the history as it is: moved under it, the turn would answer to a conversation it never saw (N2).
      await finishTurn(this.#session, left);
    }
  }

  /**
   * @param turnId - a turn that may run: whoever asks joins it.
   * @throws LashError `session_execution_busy` - a turn runs here, and whoever asks may be a part of it (N3).
   */
  requireIdle(turnId?: string): void {
    const { stated: { wiring: { sessionId } } } = this.#session;
    const running = this.#driving();
    if (running === undefined) return this.#requireLane();
    if (running === turnId) return;
    throw runtimeError("session_execution_busy", `turn ${running} of session ${sessionId} runs; nothing was changed, ask again when it has ended`, { details: { sessionId, turnId: running, accepted: false } });
  }

  /**
   * Changes settings from the next turn on. While a turn runs they hold at once and are recorded by its commit, or by one of their
   * own right after (`settle`). Else they are staged, so that the commit of a turn that was asked for before records them, and what
   * none has recorded by the time the lane is free gets a commit of its own. A turn in flight that nobody drives is no obstacle:
   * it has its own settings and the history that it began with.
   *
   * @throws LashError as `commit` - nothing changed.
   */
  configure(change: SettingsChange): Promise<void> {
    const { stated, residence } = this.#session;
    const record = (each: SettingsChange): Promise<void> => this.#configure(each);
    return stated.wiring.plugins?.configure(settingsOf(stated.wiring, residence.resident).policy, change, record) ?? record(change);
  }

  /** Another owner has the session, and a turn waits for it here: what is not to wait is refused, as it would be without that turn. */
  #requireLane(): void {
    const { runs, stated: { wiring: { sessionId } } } = this.#session;
    if (runs.awaitsOwner) throw runtimeError("session_execution_busy", "another owner is running this session; nothing was changed, try again with backoff", { details: { sessionId } });
  }

  /** The turn of this runtime that runs, or whose commands are being applied; not one that only asks for its lease. */
  #driving(): string | undefined {
    const { claims, runs } = this.#session;
    return claims.isHeld ? runs.turnId : runs.claimedTurnId;
  }

  /** Commits what plugins know and no commit holds. @throws LashError as `commit`. */
  async flush(): Promise<void> {
    const { lane, stated } = this.#session;
    await lane.run(async () => {
      if (stated.wiring.plugins?.isDirty()) await this.#try(() => null, "goesOn");
    });
  }

  async #configure(change: SettingsChange): Promise<void> {
    const { ports, stated, residence, lane } = this.#session;
    if (this.#driving() !== undefined) {
      stated.state(change);
      this.#isOwed = true;
      return;
    }
    this.#requireLane();
    const record = async (): Promise<void> => {
      const revision = await ports.persistence.sessions.headRevision(stated.wiring.sessionId);
      const { resident } = residence;
      if (revision === resident.headRevision && areRecorded(settingsOf(stated.wiring, resident), resident)) return;
      await this.#try((current) => settingsCommit(settingsOf(stated.wiring, current), current), "goesOn");
    };
    await stated.change(change, () => lane.run(record));
  }

  /**
   * Changes the tools from the next turn on. While a turn of this runtime runs, the change holds at once and is recorded by its
   * commit: whoever made it may be a tool of that very turn, and must not wait for its end. Else it is durable when it resolves.
   *
   * @param change - at once, on the registry or on a draft of it; run again where the session has moved on.
   * @throws LashError as `commit`, and whatever `change` throws - nothing changed.
   */
  async reconfigure<Result>(change: (registry: ToolRegistry) => Result): Promise<Result> {
    const { stated, lane } = this.#session;
    const registry = await stated.wiring.tools.registry();
    if (this.#driving() === undefined) {
      this.#requireLane();
      return lane.run(() => this.#recordTools(registry, change));
    }
    this.#isOwed = true;
    return change(registry);
  }

  async #recordTools<Result>(registry: ToolRegistry, change: (registry: ToolRegistry) => Result): Promise<Result> {
    const { ports, stated, residence } = this.#session;
    const attempt = () => {
      const [base, draft] = [registry.state(), registry.draft()];
      return { base, draft, result: change(draft) };
    };
    await residence.refresh(await ports.persistence.sessions.headRevision(stated.wiring.sessionId));
    let made = attempt();
    // Sources may have come or gone while it was committed: then the session follows its own commit as it would another one's.
    const hold = (): void => (registry.state() === made.base ? registry.take(made.draft) : undefined);
    if (made.draft.unrecorded === undefined || made.draft.state() === made.base) hold();
    else {
      const record = (current: Resident): SessionChange => {
        made = attempt();
        const tools = made.draft.unrecorded as JsonObject | undefined;
        return settingsCommit({ ...settingsOf(stated.wiring, current), ...(tools && { tools }) }, current);
      };
      await this.#try(record, "goesOn", hold);
    }
    return made.result;
  }

  /** After a turn that did not record what it owed: records it now, or leaves it to whatever commits next. */
  async settle(): Promise<void> {
    if (!this.#isOwed) return;
    this.#isOwed = false;
    const { ports, stated, residence: { resident } } = this.#session;
    // Of the turn that has ended: the journal of another one has no business with it.
    stated.takeUnjournaled();
    const settings = settingsOf(stated.wiring, resident);
    if (settings.tools === undefined && areRecorded(settings, resident)) return;
    try {
      await this.#try((current) => settingsCommit(settingsOf(stated.wiring, current), current), "goesOn");
    } catch (error) {
      const { message, ...code } = errorFields(error);
      ports.logger({ level: "warn", event: "session.change_not_recorded", sessionId: stated.wiring.sessionId, ...code, message: `a change of the session's settings or tools waits for its next commit: ${message}` });
    }
  }

  /** Makes a new session over the active path up to message `at`, in one write. @throws LashError `session_id_retired`, `invalid_argument`. */
  async fork(sessionId: string, at: string | undefined): Promise<void> {
    const { ports, stated } = this.#session;
    const { sessions } = ports.persistence;
    const source = await sessions.load(stated.wiring.sessionId, { kind: "active_path" });
    if (!source) throw invalidArgument("fork", "called on a session that has committed something");
    const { forkOf } = await import("./fork.ts");
    const fork = forkOf(source, sessionId, at, new Date(ports.clock.now()).toISOString());
    const { kind } = await sessions.begin(fork).catch((error: unknown) => Promise.reject(runtimeErrorOfStore(error)));
    if (kind === "exists") throw invalidArgument("id", "an id that no session has yet");
  }

  /** @returns the turn in flight that stands in the way; undefined when the change is committed. */
  async #try(change: MakeChange, besideTurn: "waits" | "goesOn", onCommit: (result: CommitResult) => void = () => undefined): Promise<string | undefined> {
    const { ports, stated, claims, residence, feed } = this.#session;
    const { sessions, leases, turns } = ports.persistence;
    const { sessionId } = stated.wiring;
    const claimed = await claims.claimAlone();
    const fence = fenceOf(claimed);
    let result: CommitResult;
    try {
      const [left] = besideTurn === "waits" ? await turns.inFlight(sessionId) : [];
      if (left) {
        await leases.release(fence);
        return left.turnId;
      }
      const resident = await residence.refresh(await sessions.headRevision(sessionId));
      const changed = withPluginState(await change(resident, claimed), stated.wiring.plugins?.capture(resident.plugins, "session"));
      if (!changed) {
        await leases.release(fence);
        return undefined;
      }
      result = await sessions.commit(changeCommit(sessionId, resident, fence, changed));
    } catch (error) {
      throw await this.#releaseAfter(error, fence);
    }
    onCommit(result);
    try {
      const { resident } = await residence.read();
      feed.committed();
      // Where somebody committed since, the state that was read is not the one in memory, and is loaded when it is needed.
      if (resident.headRevision === result.headRevision) stated.wiring.plugins?.committed(resident.plugins);
    } catch (error) {
      // The change is made. Whoever comes next finds that the head has moved, and reads it then (T-6).
      const { message, ...code } = errorFields(error);
      ports.logger({ level: "warn", event: "session.not_read", sessionId, ...code, message: `a change is committed, but the session could not be read after it: ${message}` });
    }
    return undefined;
  }

  /** What a failed change is reported as. After a commit with an unknown outcome the lease is left to expire. */
  async #releaseAfter(failure: unknown, fence: LeaseFence): Promise<LashError> {
    if (doubtAfter(failure) !== "unknown") await releaseLane(this.#session.ports.persistence.leases, fence);
    return runtimeErrorOfStore(failure);
  }
}
