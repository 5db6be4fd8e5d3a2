// Children of one tool call. Ids of children and of their turns follow from the call, so one that is run again finds what it began
// (OP-5, OP-10).
//
//   A1. Who awaits a child's turn drives it, or waits for whoever does; it never needs a second slot of a recovery for it.
//   A2. A call whose turn goes on elsewhere cancels nothing: its child goes on here, and the next owner of the call finds it (E-45).
//      The same while all that a child does is wait for an answer from outside: then both turns may be left in flight (OP-8).
//   A3. A call that is cancelled cancels the turns that it awaits, durably.

import { followTurnId } from "../actors/frames.ts";
import type { Emit } from "../actors/model-call.ts";
import type { SessionRuntime } from "../actors/session-runtime.ts";
import type { TurnEnd } from "../actors/turn/types.ts";
import { settingsOf } from "../actors/session-settings.ts";
import { headless } from "../actors/turn/request.ts";
import type { CallingTool } from "../actors/turn/tools/calling-tool.ts";
import { onAbort } from "../domain/abort.ts";
import { newCancellation, type TurnCancellation } from "../domain/cancellation.ts";
import { effectError, LashError } from "../domain/errors.ts";
import { checkedId } from "../domain/id-rules.ts";
import { refuseUnknown } from "../domain/invalid-argument.ts";
import type { Json } from "../domain/json.ts";
import type { ModelCallRecord } from "../domain/outcome.ts";
import { sha256Hex } from "../domain/sha256.ts";
import { acceptInput, parseTurnInput, type UserInput } from "../domain/turn-input.ts";
import { emitTo } from "../swallow.ts";
import { turnResultOf, type TurnResult } from "../turn-result.ts";
import { OF_CALL } from "./caller.ts";
import { givenId } from "./child-request.ts";
import type { Children, OpenedChild } from "./child-port.ts";
import { ChildMeter } from "./child-meter.ts";
import type { CallChildRequest, CallChildren, ChildLiveParts, ChildRunOptions, ChildSession, ParentSession } from "./contract.ts";

/** Somebody else drives the child, or its store failed: how long until it is asked for again. */
const FIRST_PAUSE_MS = 25;
const LAST_PAUSE_MS = 1000;

/** So many times a child's turn is asked for whose store fails; then the call hears of it. */
const MOST_FAILURES = 6;

export class CallChildSessions implements CallChildren {
  readonly #children: Children;
  readonly #call: CallingTool;
  readonly #opened = new Set<SessionRuntime>();
  #made = 0;
  #parked = 0;
  #hasEnded = false;

  constructor(children: Children, call: CallingTool) {
    this.#children = children;
    this.#call = call;
    call.scope.detach.addEventListener("abort", () => this.end(), { once: true });
    call.onEnd(() => this.end());
  }

  /** The tool may go on although its turn does not, or does elsewhere. */
  #assertRunning(): void {
    this.#call.assertRunning("its children");
    if (this.#hasEnded) throw effectError("durable_effects_unavailable_in_tool_attempt", "the turn of this tool call is not driven here any more");
  }

  async create({ key, ...request }: CallChildRequest = {}): Promise<ChildSession> {
    // Numbered when it is asked for, so that what else the call awaits changes no id.
    const number = this.#made++;
    this.#assertRunning();
    if (key !== undefined) checkedId(key, "key");
    const { batch: { turn: { turnId } }, call: { callId, toolName }, idempotencyKey, scope: { write } } = this.#call;
    const id = givenId(request) ?? `child:${sha256Hex(JSON.stringify([idempotencyKey, key ?? number]))}`;
    const causedBy: Json = { type: "tool_call", turnId, callId, toolName, key: idempotencyKey };
    const from = this.#parent();
    const meta = await this.#children.make(id, from, request, causedBy, write);
    return this.#handle(await this.#take(await this.#children.open(from, meta, request)));
  }

  async open(id: string, live: ChildLiveParts = {}): Promise<ChildSession> {
    checkedId(id, "id");
    return this.#handle(await this.#take(await this.#children.reopen(this.#parent(), id, live)));
  }

  /** Closes the children; a turn that the call did not wait for goes on, and is found like any other if this process dies. */
  end(): void {
    this.#hasEnded = true;
    for (const runtime of this.#opened) void this.#close(runtime);
    this.#opened.clear();
  }

  /** Ends the turns that an earlier run of this call left in flight: its turn was cancelled while nobody drove it (A3). */
  async cancelLeft(): Promise<void> {
    const { idempotencyKey, call: { toolName } } = this.#call;
    const from = this.#parent();
    const { ports } = this.#children;
    for (const { sessionId } of await this.#children.list(from.wiring.sessionId)) {
      const [left] = await ports.persistence.turns.inFlight(sessionId);
      if (!left?.turnId.startsWith(`${OF_CALL}${idempotencyKey}:`)) continue;
      const { runtime } = await this.#children.reopen(from, sessionId, {});
      this.#opened.add(runtime);
      await runtime.requestCancel(left.turnId, this.#cancellation(runtime));
      // Whoever else drives it hears of the request.
      const finishing = runtime.runTurn({ turnId: left.turnId, origin: { kind: "found" }, asker: this.#call.batch.here, ...headless() });
      await finishing.catch((error: unknown) => ports.logger({ level: "warn", event: "child.cancel_failed", sessionId, message: `${toolName}: ${String(error)}` }));
    }
  }

  #parent(): ParentSession {
    const { session } = this.#call.batch;
    return { wiring: session.stated.wiring, settings: settingsOf(session.stated.wiring, session.residence.resident) };
  }

  #cancellation({ ports }: SessionRuntime): TurnCancellation {
    return newCancellation(ports, "turn", "the turn that waited for it was cancelled");
  }

  async #take(child: OpenedChild): Promise<OpenedChild> {
    try {
      this.#assertRunning();
    } catch (error) {
      await child.runtime.leave();
      throw error;
    }
    this.#opened.add(child.runtime);
    return child;
  }

  async #close(runtime: SessionRuntime): Promise<void> {
    const forget = this.#children.keep(runtime);
    await runtime.drain();
    await runtime.leave();
    forget();
  }

  #handle(child: OpenedChild): ChildSession {
    let runs = 0;
    const { sessionId } = child.runtime.wiring;
    return {
      id: sessionId,
      run: async (input, options = {}) => {
        const number = runs++;
        this.#assertRunning();
        refuseUnknown(options, ["key", "onActivity"], "child run options");
        if (options.key !== undefined) checkedId(options.key, "key");
        const place = options.key === undefined ? String(number) : sha256Hex(options.key);
        return this.#run(child, `${OF_CALL}${this.#call.idempotencyKey}:${place}`, input, options);
      },
    };
  }

  async #run({ runtime, usageSource: source }: OpenedChild, turnId: string, input: UserInput, { onActivity }: ChildRunOptions): Promise<TurnResult> {
    const { signal, scope: { detach }, batch } = this.#call;
    const { ports, wiring, settings } = runtime;
    const { input: accepted, attachments } = acceptInput(parseTurnInput(input, ports.limits));
    const meter = new ChildMeter({ sessionId: wiring.sessionId, turnId, source, model: settings.policy.model.id, batch });
    const emitToSink = emitTo(turnId, onActivity);
    const emit: Emit = (body, correlationId) => {
      // Whatever it tells, it is not waiting.
      park(false);
      const heard = meter.hear(body);
      const told = heard && batch.emit(heard, `child:${wiring.sessionId}:${turnId}`);
      const seen = emitToSink(body, correlationId);
      return told || seen ? Promise.all([told, seen]).then(() => undefined) : undefined;
    };
    const cancel = new AbortController();
    const unlisten = onAbort(signal, () => {
      if (detach.aborted) return;
      // The call may not live to hear the end.
      meter.settle();
      cancel.abort();
      void runtime.requestCancel(turnId, this.#cancellation(runtime)).catch(() => undefined);
    });
    let isParked = false;
    const park = (parked: boolean): void => {
      if (parked === isParked) return;
      isParked = parked;
      this.#parked += parked ? 1 : -1;
      this.#call.park(this.#parked > 0);
    };
    try {
      const end = await this.#drive(runtime, () => runtime.runTurn({ turnId, origin: { kind: "input", input: accepted, attachments }, emit, signal: cancel.signal, whenParked: () => park(true), asker: batch.here }));
      meter.settle(await callsOf(runtime, turnId, end));
      return turnResultOf(end);
    } finally {
      park(false);
      unlisten();
    }
  }

  /**
   * A turn that another runtime drives - one that had the call before, or a host's own - is waited for (A1). One that its store let
   * down stays in flight and is asked for again, which says nothing twice: its id follows from the call.
   */
  async #drive(runtime: SessionRuntime, run: () => Promise<TurnEnd>): Promise<TurnEnd> {
    const { clock } = runtime.ports;
    let failures = 0;
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LAST_PAUSE_MS)) {
      this.#assertRunning();
      try {
        return await run();
      } catch (error) {
        if (!LashError.is(error)) throw error;
        const isLeft = error.isCode("store_commit_failed") && (error.isRetryable || error.askAgain !== undefined);
        if (!error.isCode("session_execution_busy") && !(isLeft && ++failures < MOST_FAILURES)) throw error;
      }
      await clock.sleep(pause, this.#call.signal);
    }
  }
}

/** What all turns of the chain used that this turn began (T-67). */
async function callsOf({ ports, wiring }: SessionRuntime, turnId: string, { result }: TurnEnd): Promise<readonly ModelCallRecord[]> {
  const calls: ModelCallRecord[] = [];
  for (let id = turnId; id !== result.turnId; id = followTurnId(id)) {
    const link = await ports.persistence.turns.settled(wiring.sessionId, id);
    if (!link) break;
    calls.push(...link.modelCalls);
  }
  return [...calls, ...result.modelCalls];
}
