// Place: of a turn that a host asked for, from when it is asked for until it is accepted. It waits for the turns before it, here or at
// another owner of the session, says so, and can be given up.
//
//   PL1. Nothing of it is durable: what is given up leaves no trace, and its id can be used again.
//   PL2. An id that the store knows - in flight, or ended - is not given up as cancelled: its turn has begun, whoever runs it.
//   PL3. It is given up at once, except while the store is being asked to accept it: then the answer decides.

import { onAbort } from "../../domain/abort.ts";
import { CancelSignal, type TurnCancellation } from "../../domain/cancellation.ts";
import { runtimeError, type LashError } from "../../domain/errors.ts";
import { zeroUsage } from "../../domain/usage.ts";
import type { RecordedTurn } from "../../stores/contract.ts";
import type { ClaimAnswer } from "../durable/contract.ts";
import { isFollowOf } from "../frames.ts";
import type { SessionParts } from "../session/parts.ts";
import type { TurnRequest } from "./request.ts";
import type { TurnEnd, TurnTypes } from "./types.ts";

/** A turn that is before another one. */
export interface TurnAhead {
  readonly turnId: string;
  /** All that it does is wait for answers from outside. */
  readonly isParked: boolean;
}

type Answer = ClaimAnswer<TurnTypes>;

export class Place {
  readonly turnId: string;
  readonly #session: SessionParts;
  readonly #request: TurnRequest;
  readonly #waitMs: number;
  readonly #left = Promise.withResolvers<TurnEnd>();
  readonly #over = new AbortController();
  #state: "waiting" | "asking" | "accepted" | "left" = "waiting";
  /** What became of it, once it is left. */
  #answer: Answer | undefined;
  /** Given up while the store is being asked. */
  #givenUp: Answer | undefined;
  /** Looks whether it may be given up. */
  #checking: Promise<void> | undefined;
  #told: TurnAhead | undefined;
  readonly #undo: (() => void)[] = [];

  constructor(session: SessionParts, request: TurnRequest, waitMs: number) {
    this.turnId = request.turnId;
    this.#session = session;
    this.#request = request;
    this.#waitMs = waitMs;
    this.#left.promise.catch(() => undefined);
    if (Number.isFinite(waitMs) && waitMs > 0) this.#undo.push(session.ports.clock.setTimer(waitMs, () => void this.#expire()));
    this.#undo.push(onAbort(request.signal, () => void this.#cancel()));
  }

  /** Settles when it is given up: as cancelled, or with the reason. */
  get left(): Promise<TurnEnd> {
    return this.#left.promise;
  }

  /** Aborts when it waits no more, whatever for. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  get mayWait(): boolean {
    return this.#waitMs > 0;
  }

  /** Whoever asked hears of it once per change. */
  isBehind({ turnId: behind, isParked }: TurnAhead): void {
    if (this.#state === "accepted" || this.#state === "left" || isSame(behind, this.turnId)) return;
    if (this.#told?.turnId === behind && this.#told.isParked === isParked) return;
    this.#told = { turnId: behind, isParked };
    void this.#request.emit({ type: "turn_queued", behind, ...(isParked && { waiting: true }) }, "queue");
  }

  /** It does not wait. */
  refused(): LashError {
    return this.#busy(false);
  }

  /** Asks the store for the turn, unless it was given up. */
  async ask(claim: () => Promise<Answer>): Promise<Answer> {
    await this.#checking;
    if (this.#answer) return this.#answer;
    if (this.#state === "accepted") return claim();
    this.#state = "asking";
    const answer = await claim();
    if (answer.kind !== "notYet") {
      this.#state = "accepted";
      this.close();
      return answer;
    }
    this.#state = "waiting";
    if (this.#givenUp) this.#leave(this.#givenUp);
    return this.#answer ?? answer;
  }

  /** @returns what became of it, where it was given up before its time came. */
  async whenItsTimeComes(): Promise<TurnEnd | undefined> {
    await this.#checking;
    return this.#answer && this.left;
  }

  /** Nobody waits here any more. */
  refuse(error: LashError): void {
    this.#leave({ kind: "refused", error });
  }

  close(): void {
    for (const undo of this.#undo.splice(0)) undo();
  }

  /** One that runs here under its id has been waited for long enough: now it is watched. */
  #expire(): Promise<void> {
    return this.#giveUp((isKnown) => (this.#runsHere ? undefined : { kind: "refused", error: this.#busy(isKnown) }));
  }

  #cancel(): Promise<void> {
    const cancellation = CancelSignal.of(this.#request.signal);
    return this.#giveUp((isKnown) => {
      if (isKnown) return undefined;
      // Whoever else waits for it under this id attached to it, and ends with it.
      for (const place of this.#session.runs.placesOf(this.turnId)) if (place !== this) place.#leave(place.#cancelled(cancellation));
      return this.#cancelled(cancellation);
    });
  }

  /** @param answerFor - undefined: it waits on. */
  #giveUp(answerFor: (isKnown: boolean) => Answer | undefined): Promise<void> {
    const before = this.#checking;
    const check = async (): Promise<void> => {
      await before;
      if (this.#answer || this.#state === "accepted") return;
      // Where the store cannot say, the turn may have been accepted: it is left to the one that asks for it.
      const isKnown = await this.#isKnown().catch(() => undefined);
      const answer = isKnown === undefined ? undefined : answerFor(isKnown);
      if (answer) this.#leave(answer);
    };
    return (this.#checking = check());
  }

  get #runsHere(): boolean {
    const { turnId } = this.#session.runs;
    return turnId !== undefined && isSame(turnId, this.turnId);
  }

  async #isKnown(): Promise<boolean> {
    if (this.#runsHere) return true;
    const { ports: { persistence: { turns } }, stated: { wiring: { sessionId } } } = this.#session;
    const [inFlight] = await turns.inFlight(sessionId);
    if (inFlight && isSame(inFlight.turnId, this.turnId)) return true;
    return (await turns.settled(sessionId, this.turnId)) !== undefined;
  }

  #leave(answer: Answer): void {
    if (this.#answer || this.#state === "accepted") return;
    if (this.#state === "asking") {
      this.#givenUp ??= answer;
      return;
    }
    this.#state = "left";
    this.#answer = answer;
    this.close();
    if (answer.kind === "over") this.#left.resolve({ result: answer.result.recorded, toolResults: [] });
    else if (answer.kind === "refused") this.#left.reject(answer.error);
    this.#over.abort();
  }

  #busy(accepted: boolean): LashError {
    const { stated: { wiring: { sessionId } } } = this.#session;
    const { turnId } = this;
    const behind = this.#told;
    const why = behind ? `turn ${behind.turnId} ${behind.isParked ? "waits for answers from outside" : "runs"}` : "another owner is running the session";
    const patience = this.mayWait ? `within ${this.#waitMs} ms` : "by a call that does not wait";
    const message = accepted
      ? `turn ${turnId} of session ${sessionId} is accepted and did not end within ${this.#waitMs} ms; ask for it again by its id`
      : `turn ${turnId} of session ${sessionId} was not accepted ${patience}, because ${why}; try again with backoff, or leave the input to the next turn with session.enqueue(input)`;
    return runtimeError("session_execution_busy", message, { details: { sessionId, turnId, ...(behind && { behind: behind.turnId }), accepted } });
  }

  #cancelled(cancellation: TurnCancellation | undefined): Answer {
    const { ports: { clock }, residence: { resident } } = this.#session;
    const recorded: RecordedTurn = {
      turnId: this.turnId,
      inputHash: "",
      outcome: { stopped: "cancelled" },
      text: "",
      usage: zeroUsage,
      issues: [{ kind: "runtime", code: "cancelled", terminalReason: "cancelled", message: "the turn was cancelled before it was accepted" }],
      toolCalls: [],
      startedAtMs: clock.now(),
      durationMs: 0,
      headRevision: resident.headRevision,
      firstNode: 0,
      nodeCount: 0,
      modelCalls: [],
      ...(cancellation && { cancellation }),
    };
    return { kind: "over", result: { recorded } };
  }
}

/** A turn that went on in another frame is the same to whoever asked for it. */
export const isSame = (turnId: string, asked: string): boolean => turnId === asked || isFollowOf(turnId, asked);
