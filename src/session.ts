// Session handle: runs turns, shows what is committed.

import { createStore } from "@xstate/store";
import type { Emit } from "./actors/model-call.ts";
import type { SessionRuntime } from "./actors/session-runtime.ts";
import { runtimeError } from "./domain/errors.ts";
import { assertId } from "./domain/id-rules.ts";
import { invalidArgument, refuseUnknown } from "./domain/invalid-argument.ts";
import type { Json } from "./domain/json.ts";
import { parseTurnInput, type AcceptedInput, type TurnInput } from "./domain/turn-input.ts";
import type { TurnActivity } from "./observe/contract.ts";
import { readViewOf, type SessionReadView } from "./observe/read-view.ts";
import { Turn } from "./turn.ts";
import { turnResultOf, type TurnResult } from "./turn-result.ts";

export interface TurnOptions {
  /** Id of the turn, so that asking again attaches to it instead of adding a second input. Default: a fresh one. */
  readonly turnId?: string;
  /** Aborting it cancels the turn. */
  readonly signal?: AbortSignal;
}

export interface RunOptions extends TurnOptions {
  /** Told of everything that happens; awaited, so a slow one slows the turn (T-46). */
  readonly onActivity?: (activity: TurnActivity) => void | Promise<void>;
}

/** Committed state and where it stands; taken together, so they always fit. */
export interface SessionObservation {
  readonly readView: SessionReadView;
  readonly cursor: string;
}

interface ViewContext {
  readonly view: SessionReadView;
}

const makeView = (view: SessionReadView) =>
  createStore({
    context: { view } as ViewContext,
    on: { committed: (_context, event: { readonly view: SessionReadView }) => ({ view: event.view }) },
  });

export type SessionViewStore = ReturnType<typeof makeView>;

/** @internal What the Lash keeps about its open sessions. */
export interface SessionHost {
  readonly newId: () => string;
  readonly closed: (session: Session) => void;
}

const CURSOR = "lashsc2";

export class Session implements AsyncDisposable {
  readonly id: string;
  /** An `@xstate/store` store with the committed read view, for UI code: `session.view.subscribe(...)`. */
  readonly view: SessionViewStore;
  readonly #runtime: SessionRuntime;
  readonly #host: SessionHost;
  #state: "open" | "closing" | "closed" = "open";

  /** Made by `lash.openSession()`. */
  constructor(runtime: SessionRuntime, host: SessionHost) {
    this.id = runtime.wiring.sessionId;
    this.#runtime = runtime;
    this.#host = host;
    this.view = makeView(readViewOf(this.id, runtime.resident));
    runtime.onCommit = (resident) => this.view.trigger.committed({ view: readViewOf(this.id, resident) });
  }

  /**
   * Asks the agent something. Nothing happens until the turn is iterated or its `result` is asked for; then its input
   * is accepted durably before anything else, and from there on it ends even if this process does not.
   *
   * @throws LashError `invalid_argument` - naming the field of `input` or `options` that is wrong.
   */
  turn(input: string | TurnInput, options: TurnOptions = {}): Turn {
    this.#assertOpen();
    checkTurnOptions(options);
    const parsed = parseTurnInput(input);
    const turnId = turnIdOf(parsed, options) ?? this.#host.newId();
    const accepted = acceptedOf(parsed);
    return new Turn(turnId, async (turn) => {
      this.#assertOpen();
      const emit: Emit = (body, correlationId) => turn.emit(body, correlationId);
      const onAbort = (): void => turn.cancel();
      if (options.signal?.aborted === true) onAbort();
      options.signal?.addEventListener("abort", onAbort, { once: true });
      try {
        return turnResultOf(await this.#runtime.runTurn({ turnId, input: accepted, emit, signal: turn.signal }));
      } finally {
        options.signal?.removeEventListener("abort", onAbort);
      }
    });
  }

  /** Runs a turn to its end: `turn(input, options).result`. */
  async run(input: string | TurnInput, { onActivity, ...options }: RunOptions = {}): Promise<TurnResult> {
    const turn = this.turn(input, options);
    if (onActivity) {
      for await (const activity of turn) await swallow(onActivity, activity);
    }
    return turn.result;
  }

  /** The committed state and its cursor, at once, also while a turn runs. */
  observe(): SessionObservation {
    const { view } = this.view.getSnapshot().context;
    return { readView: view, cursor: `${CURSOR}:${view.revision}:0:0:${this.id}` };
  }

  /**
   * Lets go of the session. Its data stays; a turn that runs makes this fail.
   *
   * @throws LashError `session_still_in_use` - a turn is running or another handle is open; nothing happened.
   */
  async close(): Promise<void> {
    if (this.#state !== "open") return;
    this.#state = "closing";
    try {
      await this.#runtime.close("session.close");
      this.#state = "closed";
    } catch (error) {
      this.#state = "open";
      throw error;
    }
    this.#host.closed(this);
  }

  /** Waits for running turns, then closes; never deletes (FA-80). */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#runtime.idle();
    await this.close();
  }

  /** @internal */
  get runtime(): SessionRuntime {
    return this.#runtime;
  }

  #assertOpen(): void {
    if (this.#state === "closed") throw runtimeError("session_closed", `session ${this.id} is closed; open it again with lash.openSession`, { details: { sessionId: this.id } });
  }
}

function checkTurnOptions(options: TurnOptions): void {
  refuseUnknown(options, ["turnId", "signal"], "turn options");
  const { signal } = options;
  if (signal !== undefined && typeof signal?.addEventListener !== "function") throw invalidArgument("signal", "an AbortSignal");
}

function turnIdOf({ traceTurnId }: TurnInput, { turnId }: TurnOptions): string | undefined {
  for (const [field, id] of [["turnId", turnId], ["input.traceTurnId", traceTurnId]] as const) {
    if (id === undefined) continue;
    if (typeof id !== "string" || id.trim() === "") throw runtimeError("missing_execution_scope_id", `\`${field}\` is blank; leave it out or give the turn an id`);
    assertId(id, field);
  }
  if (turnId !== undefined && traceTurnId !== undefined && turnId !== traceTurnId) {
    throw runtimeError("execution_scope_turn_id_mismatch", `\`turnId\` is "${turnId}" and \`input.traceTurnId\` is "${traceTurnId}"; a turn has one id`);
  }
  return turnId ?? traceTurnId;
}

function acceptedOf({ items, protocolTurnOptions }: TurnInput): AcceptedInput {
  return { items, ...(protocolTurnOptions !== undefined && { protocolTurnOptions: protocolTurnOptions satisfies Json }) };
}

async function swallow(sink: (activity: TurnActivity) => void | Promise<void>, activity: TurnActivity): Promise<void> {
  try {
    await sink(activity);
  } catch {
    // A broken sink never changes the outcome (T-46).
  }
}
