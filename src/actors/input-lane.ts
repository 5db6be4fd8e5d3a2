// Input lane: what the host does with inputs that wait for a session's turns (ingress.md sections 2 and 6). Needs no lease.

import { runtimeErrorOfStore } from "../domain/error-mapping.ts";
import { imageType } from "../domain/image-type.ts";
import { invalidArgument } from "../domain/invalid-argument.ts";
import { acceptInput, type TurnInput } from "../domain/turn-input.ts";
import type { CancelOutcome, CancelTarget, InputFacet, PendingTurnInput, SubmittedIngress, SuffixCancelOutcome } from "../stores/ingress-contract.ts";
import { partsOf } from "./images.ts";
import type { QueueChange } from "./peer-message.ts";
import type { RuntimePorts } from "./ports.ts";

export interface InputToEnqueue {
  readonly input: TurnInput;
  readonly ingress: SubmittedIngress;
  readonly sourceKey?: string;
}

export class InputLane {
  readonly #ports: RuntimePorts;
  readonly #sessionId: string;
  readonly #changed: (change: QueueChange) => void;

  /** @param changed - told of what waits now and did not before, and of what waits no more (O-15). */
  constructor(ports: RuntimePorts, sessionId: string, changed: (change: QueueChange) => void) {
    this.#ports = ports;
    this.#sessionId = sessionId;
    this.#changed = changed;
  }

  /** Durable when it resolves, bytes of images included (I-1, OP-25). @throws LashError `store_commit_failed`, also where the key was used with other content (I-3). */
  async enqueue({ input, ingress, sourceKey }: InputToEnqueue): Promise<PendingTurnInput> {
    await this.#checkImages(input);
    const { input: accepted, attachments } = acceptInput(input);
    const enqueued = await this.#ask((inputs) =>
      inputs.enqueue({
        sessionId: this.#sessionId,
        ...(sourceKey !== undefined && { sourceKey }),
        ingress,
        input: { ...accepted, ...(input.traceTurnId !== undefined && { traceTurnId: input.traceTurnId }) },
        attachments,
      }),
    );
    this.#changed({ type: "queue_changed", kind: "enqueued", batchIds: [enqueued.inputId] });
    return enqueued;
  }

  pending(): Promise<readonly PendingTurnInput[]> {
    return this.#ask((inputs) => inputs.listPending(this.#sessionId));
  }

  async cancel(targets: readonly CancelTarget[]): Promise<readonly CancelOutcome[]> {
    return this.#cancelled(await this.#ask((inputs) => inputs.cancel(this.#sessionId, targets)));
  }

  async cancelFrom(anchor: CancelTarget): Promise<SuffixCancelOutcome> {
    const outcome = await this.#ask((inputs) => inputs.cancelSuffix(this.#sessionId, anchor));
    if (outcome.outcome === "outcomes") this.#cancelled(outcome.data.outcomes);
    return outcome;
  }

  /** I-44: only what this call has cancelled, all at once. */
  #cancelled(outcomes: readonly CancelOutcome[]): readonly CancelOutcome[] {
    const batchIds = outcomes.flatMap((each) => (each.outcome === "cancelled" ? [each.data.inputId] : []));
    if (batchIds.length > 0) this.#changed({ type: "queue_changed", kind: "cancelled", batchIds });
    return outcomes;
  }

  /** Id of the turn that would take what waits now: the first one that an input asks for and that is not used up (I-29); undefined where nothing waits. */
  async nextTurnId(): Promise<string | undefined> {
    const waiting = (await this.pending()).filter(({ state }) => state === "deferred_next_turn");
    if (waiting.length === 0) return undefined;
    const asked = waiting.find(({ input }) => input.traceTurnId !== undefined)?.input.traceTurnId;
    const { turns, sessions } = this.#ports.persistence;
    const isFree = asked !== undefined && !(await turns.settled(this.#sessionId, asked)) && !(await sessions.loadNode(this.#sessionId, `${asked}:0`));
    return isFree ? asked : `queue-drain:${this.#ports.newId()}`;
  }

  /** An image that no model could be shown is refused here: later there is nobody to tell. */
  async #checkImages({ items, imageBlobs = {} }: TurnInput): Promise<void> {
    for (const [index, item] of items.entries()) {
      if (item.type === "text") continue;
      const bytes = Object.hasOwn(imageBlobs, item.id) ? imageBlobs[item.id] : undefined;
      if (bytes && !imageType(bytes)) throw invalidArgument(`input.imageBlobs.${item.id}`, "a png, jpeg, gif or webp image");
      if (bytes) continue;
      const found = await partsOf(this.#sessionId, [item], this.#ports.persistence.attachments);
      if (typeof found === "string") throw invalidArgument(`input.items[${index}]`, `an image that this session has: ${found}`);
    }
  }

  async #ask<T>(question: (inputs: InputFacet) => Promise<T>): Promise<T> {
    try {
      return await question(this.#ports.persistence.inputs);
    } catch (error) {
      throw runtimeErrorOfStore(error);
    }
  }
}
