// Observations: a session's committed state with its cursor, and the ways on from a cursor (observation.md sections 1, 2 and 6).

import { onAbort } from "../domain/abort.ts";
import { errorText } from "../domain/error-mapping.ts";
import { LashError, observationError, runtimeError } from "../domain/errors.ts";
import type { AgentFrame, SessionPolicy, TokenLedgerEntry } from "../domain/session.ts";
import { parseCursor } from "../domain/session-cursor.ts";
import { usageReportOf, type SessionUsageReport } from "../domain/usage-report.ts";
import type { Observed, Publisher } from "../actors/publisher.ts";
import type { SessionTools } from "../actors/session-tools.ts";
import type { SessionHead } from "../stores/contract.ts";
import type { Tool } from "../tools/contract.ts";
import type { GapReason, LiveReplaySubscription, SessionObservationEvent, SessionReadView } from "./contract.ts";

/** The committed state of a session and where it stands, taken together; immutable. */
export interface SessionObservation {
  readonly sessionId: string;
  /** Head revision; 0 when nothing was committed yet. */
  readonly revision: number;
  /** What came after this observation is replayed from here, or a gap says that it cannot be. */
  readonly cursor: string;
  readonly policy: SessionPolicy;
  readonly readView: SessionReadView;
  /**
   * Cost of everything committed, children and helpers included, as of the commit of this revision; what children book between two
   * commits of this session is in `session.usage()`. Made when it is looked at, as are the following.
   */
  readonly usageReport: SessionUsageReport;
  /** Everything recorded of the session beside its messages, which are in `readView`. */
  readonly persistedState: PersistedSessionState;
  /** Name, description and JSON Schema of each tool that a turn which begins then would offer its model. */
  readonly toolCatalog: readonly ToolDescription[];
}

export type ToolDescription = Pick<Tool, "name" | "description" | "inputSchema">;

export interface PersistedSessionState extends SessionHead {
  readonly headRevision: number;
  readonly frames: readonly AgentFrame[];
  readonly ledger: readonly TokenLedgerEntry[];
}

export interface LiveReplayGap {
  readonly sessionId: string;
  readonly requestedCursor: string;
  /** Where to go on: after what `observation` shows, so that a turn that runs is told again, if it is still kept whole. */
  readonly latestCursor: string;
  readonly latestRevision: number;
  readonly reason: GapReason;
}

export interface GapRecovery {
  readonly gap: LiveReplayGap;
  readonly observation: SessionObservation;
}

export type SessionResume = { readonly type: "replayed"; readonly events: readonly SessionObservationEvent[] } | ({ readonly type: "gap" } & GapRecovery);
export type SessionSubscription = { readonly type: "subscribed"; readonly subscription: LiveReplaySubscription } | ({ readonly type: "gap" } & GapRecovery);
/** Either is there: `item.event`, or `item.gap` with `item.observation`. */
export type SubscriptionItem =
  | { readonly event: SessionObservationEvent; readonly gap?: undefined; readonly observation?: undefined }
  | (GapRecovery & { readonly event?: undefined });

type Tools = ReadonlyMap<string, Tool>;

/** Of one handle. */
export class Observations {
  readonly #publisher: Publisher;
  readonly #tools: SessionTools;
  #latest: { readonly of: Observed; readonly callable: Tools; readonly observation: SessionObservation } | undefined;

  constructor(publisher: Publisher, tools: SessionTools) {
    this.#publisher = publisher;
    this.#tools = tools;
  }

  get current(): SessionObservation {
    const { observed } = this.#publisher;
    if (!observed) throw new LashError("runtime", "other", "the session was not read yet");
    const { callable } = this.#tools;
    if (this.#latest?.of !== observed || this.#latest.callable !== callable) {
      this.#latest = { of: observed, callable, observation: observationOf(observed, observed.cursor, callable) };
    }
    return this.#latest.observation;
  }

  resume(cursor: string): SessionResume {
    return this.#ask(cursor, (checked) => {
      const answer = this.#publisher.replay.replayAfterCursor(checked);
      return "gap" in answer ? { type: "gap", ...this.#recover(checked, answer.gap) } : { type: "replayed", events: answer.replayed };
    });
  }

  subscribeFrom(cursor: string, signal: AbortSignal): SessionSubscription {
    return this.#ask(cursor, (checked) => {
      const answer = this.#publisher.replay.subscribeAfterCursor(checked);
      if ("gap" in answer) return { type: "gap", ...this.#recover(checked, answer.gap) };
      return { type: "subscribed", subscription: untilAborted(answer.subscribed, signal) };
    });
  }

  subscribe(from: string | undefined, signal: AbortSignal): AsyncIterableIterator<SubscriptionItem> {
    let cursor = this.#checked(from === undefined ? this.current.cursor : from);
    let subscription: LiveReplaySubscription | undefined;
    let isOver = false;
    const end = async (): Promise<IteratorResult<SubscriptionItem>> => {
      isOver = true;
      await subscription?.return();
      return { done: true, value: undefined };
    };
    const next = async (): Promise<IteratorResult<SubscriptionItem>> => {
      for (;;) {
        if (isOver || signal.aborted) return end();
        if (!subscription) {
          const answer = this.subscribeFrom(cursor, signal);
          if (answer.type === "gap") {
            const { gap, observation } = answer;
            cursor = gap.latestCursor;
            return { done: false, value: { gap, observation } };
          }
          subscription = answer.subscription;
        }
        try {
          const { done, value } = await subscription.next();
          if (done === true) return end();
          cursor = value.cursor;
          return { done: false, value: { event: value } };
        } catch (error) {
          await subscription.return();
          subscription = undefined;
          if (!isLag(error)) throw error;
        }
      }
    };
    return {
      next: () =>
        next().catch((error: unknown) => {
          isOver = true;
          throw error;
        }),
      return: end,
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  /** What is committed, and where to go on: nothing that it shows is told again, nothing after it is left out if that is kept. */
  #recover(requestedCursor: string, reason: GapReason): GapRecovery {
    const { replay, sessionId } = this.#publisher;
    const { current } = this;
    const own = replay.subscribeAfterCursor(current.cursor);
    if ("subscribed" in own) void own.subscribed.return();
    const latestCursor = "subscribed" in own ? current.cursor : replay.currentCursor(sessionId, current.revision);
    const observed = this.#publisher.observed;
    const observation = latestCursor === current.cursor || !observed ? current : observationOf(observed, latestCursor, this.#tools.callable);
    return { gap: { sessionId, requestedCursor, latestCursor, latestRevision: current.revision, reason }, observation };
  }

  /** What does not parse or belongs to another session never comes to the store. */
  #checked(cursor: string): string {
    try {
      const { sessionId } = parseCursor(cursor);
      const expected = this.#publisher.sessionId;
      if (sessionId === expected) return cursor;
      throw observationError("session_cursor_wrong_session", `this cursor belongs to session ${sessionId}, not to ${expected}`, {
        details: { expectedSessionId: expected, actualSessionId: sessionId },
      });
    } catch (error) {
      throw liveReplayError(error);
    }
  }

  #ask<Answer>(cursor: string, question: (cursor: string) => Answer): Answer {
    const checked = this.#checked(cursor);
    try {
      return question(checked);
    } catch (error) {
      throw liveReplayError(error);
    }
  }
}

/** What is not needed for every glance is made at the first one. */
class Observation implements SessionObservation {
  readonly sessionId: string;
  readonly revision: number;
  readonly cursor: string;
  readonly policy: SessionPolicy;
  readonly readView: SessionReadView;
  readonly #observed: Observed;
  readonly #tools: Tools;
  #usageReport: SessionUsageReport | undefined;

  constructor(observed: Observed, cursor: string, tools: Tools) {
    const { sessionId, revision, policy } = observed.view;
    this.sessionId = sessionId;
    this.revision = revision;
    this.cursor = cursor;
    this.policy = policy;
    this.readView = observed.view;
    this.#observed = observed;
    this.#tools = tools;
  }

  get usageReport(): SessionUsageReport {
    this.#usageReport ??= usageReportOf(this.#observed.resident.ledger);
    return this.#usageReport;
  }

  get persistedState(): PersistedSessionState {
    const { headRevision, head, frames, ledger } = this.#observed.resident;
    return { headRevision, ...head, frames, ledger };
  }

  get toolCatalog(): readonly ToolDescription[] {
    return [...this.#tools.values()].map(({ name, description, inputSchema }) => ({ name, description, inputSchema }));
  }
}

const observationOf = (observed: Observed, cursor: string, tools: Tools): SessionObservation =>
  Object.freeze(new Observation(observed, cursor, tools));

/** Ends with its session, and gives the replay store's errors the code that hosts see (FA-52). */
function untilAborted(subscription: LiveReplaySubscription, signal: AbortSignal): LiveReplaySubscription {
  const unlisten = onAbort(signal, () => void subscription.return());
  return {
    async next() {
      try {
        const result = await subscription.next();
        if (result.done === true) unlisten();
        return result;
      } catch (error) {
        throw liveReplayError(error);
      }
    },
    return() {
      unlisten();
      return subscription.return();
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

const isLag = (error: unknown): boolean => LashError.is(error) && LashError.is(error.cause) && error.cause.isCode("live_replay_lagged");

function liveReplayError(error: unknown): LashError {
  if (LashError.is(error) && error.isCode("live_replay")) return error;
  const cause = LashError.is(error) ? error : observationError("live_replay_store", errorText(error), { cause: error });
  return runtimeError("live_replay", cause.message, { details: cause.details, cause });
}
