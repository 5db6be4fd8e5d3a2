// Session changes: what is committed beside turns - going back, a new frame, settings - and the making of forks (S-48, S-53).
//
//   N1. Each is one commit under a lease of its own, in the session's lane: never beside a turn of this runtime.
//   N2. A turn that somebody left in flight ends before the history that it began with is moved (OP-7).

import { errorText, runtimeErrorOfLeaseClaim, isOutcomeUnknown, runtimeErrorOfStore } from "../domain/error-mapping.ts";
import { LashError, runtimeError } from "../domain/errors.ts";
import { invalidArgument } from "../domain/invalid-argument.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import type { ClaimOutcome, CommitResult, LeaseFence, SessionLease } from "../stores/contract.ts";
import type { ToolRegistry } from "../tools/registry/contract.ts";
import type { LaneClaims } from "./lane-claims.ts";
import { fenceOf } from "./lease-keeper.ts";
import type { RuntimePorts } from "./ports.ts";
import type { Resident } from "./resident.ts";
import { changeCommit, forkCommit, settingsCommit, type SessionChange } from "./session-change.ts";
import { areRecorded, settingsOf, type SettingsChange, type StatedSettings } from "./session-settings.ts";

export interface ChangedSession {
  readonly ports: RuntimePorts;
  readonly lease: LaneClaims;
  readonly stated: StatedSettings;
  readonly resident: () => Resident;
  /** A turn of this runtime runs. */
  readonly isDriving: () => boolean;
  /** Runs the body when no turn of this runtime does. */
  readonly inLane: <T>(body: () => Promise<T>) => Promise<T>;
  /** Reads the session again where the store has moved on. */
  readonly refresh: (headRevision: number) => Promise<Resident>;
  /** Drives a turn that was left in flight to its end. */
  readonly finish: (turnId: string) => Promise<unknown>;
  /** A change is committed: makes it resident and tells of it. */
  readonly committed: () => Promise<void>;
}

/** null: nothing but what plugins have to say. */
type MakeChange = (resident: Resident, lease: SessionLease) => SessionChange | null | Promise<SessionChange | null>;

function withPluginState(change: SessionChange | null, pluginSnapshot: Json | undefined): SessionChange | null {
  if (pluginSnapshot === undefined) return change;
  return { ...change, components: { ...change?.components, pluginSnapshot } };
}

export class SessionChanges {
  readonly #session: ChangedSession;
  /** A change was made while a turn ran, whose commit is to record it. */
  #isOwed = false;

  constructor(session: ChangedSession) {
    this.#session = session;
  }

  /**
   * @param change - builds the commit from the state that the lease protects; one that takes its time keeps the lease alive.
   * @param onCommit - told at once when it is committed.
   * @throws LashError `session_execution_busy` - nothing changed. `store_commit_failed` - unknown whether it did.
   */
  async commit(change: MakeChange, onCommit?: (result: CommitResult) => void): Promise<void> {
    const { inLane, finish } = this.#session;
    for (;;) {
      const left = await inLane(() => this.#try(change, "waits", onCommit));
      if (left === undefined) return;
      // It was accepted on the history as it is: moved under it, the turn would answer to a conversation it never saw (N2).
      await finish(left);
    }
  }

  /**
   * Changes settings from the next turn on. They are staged at once, so that the commit of a turn that runs records them; what
   * no turn has recorded by the time the lane is free gets a commit of its own. A turn in flight that nobody drives is no
   * obstacle: it has its own settings and the history that it began with.
   *
   * @throws LashError as `commit` - nothing changed.
   */
  configure(change: SettingsChange): Promise<void> {
    const { stated, resident } = this.#session;
    const record = (each: SettingsChange): Promise<void> => this.#configure(each);
    return stated.wiring.plugins?.configure(settingsOf(stated.wiring, resident()).policy, change, record) ?? record(change);
  }

  /** Commits what plugins know and no commit holds (S-44). @throws LashError as `commit`. */
  async flush(): Promise<void> {
    const { inLane, stated } = this.#session;
    await inLane(async () => {
      if (stated.wiring.plugins?.isDirty()) await this.#try(() => null, "goesOn");
    });
  }

  #configure(change: SettingsChange): Promise<void> {
    const { ports, stated, resident, inLane } = this.#session;
    const record = async (): Promise<void> => {
      const revision = await ports.persistence.sessions.headRevision(stated.wiring.sessionId);
      if (revision === resident().headRevision && areRecorded(settingsOf(stated.wiring, resident()), resident())) return;
      await this.#try((current) => settingsCommit(settingsOf(stated.wiring, current), current), "goesOn");
    };
    return stated.change(change, () => inLane(record));
  }

  /**
   * Changes the tools from the next turn on. While a turn of this runtime runs, the change holds at once and is recorded by its
   * commit: whoever made it may be a tool of that very turn, and must not wait for its end. Else it is durable when it resolves.
   *
   * @param change - at once, on the registry or on a draft of it; run again where the session has moved on.
   * @throws LashError as `commit`, and whatever `change` throws - nothing changed.
   */
  async reconfigure<Result>(change: (registry: ToolRegistry) => Result): Promise<Result> {
    const { stated, isDriving, inLane } = this.#session;
    const registry = await stated.wiring.tools.registry();
    if (!isDriving()) return inLane(() => this.#recordTools(registry, change));
    this.#isOwed = true;
    return change(registry);
  }

  async #recordTools<Result>(registry: ToolRegistry, change: (registry: ToolRegistry) => Result): Promise<Result> {
    const { ports, stated, refresh } = this.#session;
    const attempt = () => {
      const [base, draft] = [registry.state(), registry.draft()];
      return { base, draft, result: change(draft) };
    };
    await refresh(await ports.persistence.sessions.headRevision(stated.wiring.sessionId));
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

  /** After a turn that did not record what it owed: records it now, or leaves it to whatever commits next (S-51). */
  async settle(): Promise<void> {
    if (!this.#isOwed) return;
    this.#isOwed = false;
    const { ports, stated } = this.#session;
    if (stated.wiring.tools.unrecorded === undefined) return;
    try {
      await this.#try((current) => settingsCommit(settingsOf(stated.wiring, current), current), "goesOn");
    } catch (error) {
      const code = LashError.is(error) ? { code: error.code } : {};
      ports.logger({ level: "warn", event: "tools.not_recorded", sessionId: stated.wiring.sessionId, ...code, message: `a change of the session's tools waits for its next commit: ${errorText(error)}` });
    }
  }

  /** Makes a new session over the active path up to message `at`. @throws LashError `session_id_retired`, `invalid_argument`. */
  async fork(sessionId: string, at: string | undefined): Promise<void> {
    const { ports, stated } = this.#session;
    const { sessions, attachments } = ports.persistence;
    const own = stated.wiring.sessionId;
    const source = await sessions.load(own, { kind: "active_path" });
    if (!source) throw invalidArgument("fork", "called on a session that has committed something");
    if ((await sessions.headRevision(sessionId)) > 0) throw invalidArgument("id", "an id that no session has yet");
    await sessions.create({ sessionId, relation: { kind: "child", parentSessionId: own }, model: source.head.policy.model.id });
    const fence = fenceOf(await this.#claim(`session ${sessionId} is being made by somebody else`, sessionId));
    try {
      const commit = forkCommit(source, sessionId, at, fence, new Date(ports.clock.now()).toISOString());
      // The images are the new session's own from here on: deleting the old one must not take them away (C-46).
      const { committedAttachmentIds: images } = commit;
      if (images.length > 0) await attachments.manifest.inherit(own, sessionId, images);
      await sessions.commit(commit);
    } catch (error) {
      throw await this.#leave(fence, error);
    }
  }

  /** @returns the turn in flight that stands in the way; undefined when the change is committed. */
  async #try(change: MakeChange, besideTurn: "waits" | "goesOn", onCommit: (result: CommitResult) => void = () => undefined): Promise<string | undefined> {
    const { ports, stated, refresh, committed } = this.#session;
    const { sessions, leases, turns } = ports.persistence;
    const { sessionId } = stated.wiring;
    const lease = await this.#claim("another owner is running this session; nothing was changed, try again with backoff");
    const fence = fenceOf(lease);
    let result: CommitResult;
    try {
      const [left] = besideTurn === "waits" ? await turns.inFlight(sessionId) : [];
      if (left) {
        await leases.release(fence);
        return left.turnId;
      }
      const resident = await refresh(await sessions.headRevision(sessionId));
      const changed = withPluginState(await change(resident, lease), stated.wiring.plugins?.capture(resident.plugins, "session"));
      if (!changed) {
        await leases.release(fence);
        return undefined;
      }
      result = await sessions.commit(changeCommit(sessionId, resident, fence, changed));
    } catch (error) {
      throw await this.#leave(fence, error);
    }
    onCommit(result);
    await committed();
    stated.wiring.plugins?.committed(this.#session.resident().plugins);
    return undefined;
  }

  /** A lane for a change. @throws LashError `session_execution_busy`, `store_commit_failed` (ER-4), `session_id_retired`. */
  async #claim(busy: string, sessionId?: string): Promise<SessionLease> {
    const { ports, lease } = this.#session;
    let claim: ClaimOutcome;
    try {
      claim = await lease.claim((wanted) => ports.persistence.leases.claim(wanted), sessionId);
    } catch (error) {
      if (LashError.is(error) && error.family !== "store") throw error;
      throw runtimeErrorOfLeaseClaim(error);
    }
    if (claim.kind === "busy") throw runtimeError("session_execution_busy", busy);
    return claim.lease;
  }

  /** What a failed change is reported as. After a commit with an unknown outcome the lease is left to expire (S-63). */
  async #leave(fence: LeaseFence, failure: unknown): Promise<LashError> {
    const error = runtimeErrorOfStore(failure);
    if (!isOutcomeUnknown(error)) await this.#session.ports.persistence.leases.release(fence).catch(() => undefined);
    return error;
  }
}
