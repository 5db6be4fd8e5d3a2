// Work lane: what the host does with queued work of a session - session commands, and turn input of the older form (ingress.md
// sections 6 to 8). Needs no lease. What drains it is lane-claims.ts and command-drain.ts.

import { runtimeErrorOfStore } from "../domain/error-mapping.ts";
import { errorOfInput } from "../domain/turn-error.ts";
import type { TurnInput } from "../domain/turn-input.ts";
import type { DeliveryPolicy, QueuedBatch, QueueFacet, SessionCommand, SlotPolicy, WorkDraft } from "../stores/ingress-contract.ts";
import { admissible, type LaneListener, queueTopic } from "./input-lane.ts";
import type { RuntimePorts } from "./ports.ts";
import { writeSurely } from "./durable/sure-write.ts";
import type { TakenMedia } from "./taken-media.ts";

/** Longest pause between two looks at a batch that somebody waits for (I-43). */
const LONGEST_PAUSE_MS = 400;

export interface QueuedInput {
  readonly input: TurnInput;
  readonly deliveryPolicy: DeliveryPolicy;
  readonly slotPolicy: SlotPolicy;
  readonly sourceKey?: string | undefined;
}

/** Where a session command is; a command submitted again under its key has the same. */
export interface CommandReceipt {
  readonly sessionId: string;
  readonly batchId: string;
  readonly sourceKey: string;
}

export class WorkLane {
  readonly #ports: RuntimePorts;
  readonly #sessionId: string;
  readonly #listener: LaneListener;

  readonly #taken: () => TakenMedia | undefined;

  /** @param taken - what the model takes that the next turn asks. */
  constructor(ports: RuntimePorts, sessionId: string, listener: LaneListener, taken: () => TakenMedia | undefined) {
    this.#ports = ports;
    this.#sessionId = sessionId;
    this.#listener = listener;
    this.#taken = taken;
  }

  /** Durable when it resolves, bytes of images included. @throws LashError `store_commit_failed` */
  async enqueueInput({ input, deliveryPolicy, slotPolicy, sourceKey }: QueuedInput): Promise<QueuedBatch> {
    const { input: accepted, attachments } = await admissible(this.#ports, this.#sessionId, input, this.#taken);
    const { traceTurnId } = input;
    const waiting = { ...accepted, ...(traceTurnId !== undefined && { traceTurnId }) };
    const payloads = [{ type: "turn_input" as const, input: waiting }];
    // A join is for its neighbours, which `never` would keep apart (I-21).
    const mergeKey = slotPolicy === "join" ? "payload_default" : "never";
    const batch = await this.#enqueue({ sessionId: this.#sessionId, deliveryPolicy, slotPolicy, mergeKey, payloads, attachments, ...(sourceKey !== undefined && { sourceKey }) });
    this.#listener.poke("queued_turn_input");
    return batch;
  }

  /** @param key - submitted again under it, the command is the one that is queued. */
  async submit(command: SessionCommand, key: string): Promise<CommandReceipt> {
    const sourceKey = `command:${command.kind}:${key}`;
    const payloads = [{ type: "session_command" as const, command }];
    const { sessionId, batchId } = await this.#enqueue({ sessionId: this.#sessionId, sourceKey, deliveryPolicy: "after_current_turn_commit", slotPolicy: "exclusive", payloads });
    this.#listener.poke("session_command");
    return { sessionId, batchId, sourceKey };
  }

  list(all: boolean): Promise<readonly QueuedBatch[]> {
    return this.#ask((queue) => (all ? queue.list(this.#sessionId) : queue.listPending(this.#sessionId)));
  }

  async cancel(batchId: string): Promise<QueuedBatch | undefined> {
    const batch = await this.#ask((queue) => queue.cancel(this.#sessionId, batchId));
    if (batch) this.#listener.changed("cancelled", [batchId]);
    return batch;
  }

  /** Resolves when there is no such batch: at once after a notice of this process or another tab, otherwise by looking. */
  async gone(batchId: string, signal: AbortSignal): Promise<void> {
    const look = async (): Promise<true | undefined> => ((await this.#ask((queue) => queue.find(this.#sessionId, batchId))) ? undefined : true);
    await this.#ports.changes.until(queueTopic(this.#sessionId), look, signal, LONGEST_PAUSE_MS);
  }

  async #enqueue(draft: WorkDraft): Promise<QueuedBatch> {
    const write = (): Promise<QueuedBatch> => this.#ports.persistence.queue.enqueue(draft);
    // Without a key it could not be told from another one.
    const written = draft.sourceKey === undefined ? write() : writeSurely(write);
    const batch = await written.catch((error: unknown) => {
      throw errorOfInput(error, this.#sessionId);
    });
    this.#listener.changed("enqueued", [batch.batchId]);
    return batch;
  }

  async #ask<T>(question: (queue: QueueFacet) => Promise<T>): Promise<T> {
    try {
      return await question(this.#ports.persistence.queue);
    } catch (error) {
      throw runtimeErrorOfStore(error);
    }
  }
}
