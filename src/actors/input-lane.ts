// Input lane: what the host does with inputs that wait for a session's turns (ingress.md sections 2 and 6). Needs no lease.
// Queued work beside it: work-lane.ts.

import { runtimeErrorOfStore } from "../domain/error-mapping.ts";
import { imageType } from "../domain/image-type.ts";
import { invalidArgument } from "../domain/invalid-argument.ts";
import { sha256Hex } from "../domain/sha256.ts";
import { errorOfInput } from "../domain/turn-error.ts";
import { acceptInput, type InputToAccept, type TurnInput } from "../domain/turn-input.ts";
import type { CancelOutcome, CancelTarget, InputFacet, PendingTurnInput, SubmittedIngress, SuffixCancelOutcome, TurnInputDraft } from "../stores/ingress-contract.ts";
import { inputsIn } from "../stores/work-input.ts";
import { partsOf } from "./images.ts";
import type { RuntimePorts } from "./ports.ts";
import { writeSurely } from "./durable/sure-write.ts";
import { hasMedia, type TakenMedia, untakenMedia } from "./taken-media.ts";

export interface InputToEnqueue {
  readonly input: TurnInput;
  readonly ingress: SubmittedIngress;
  readonly sourceKey?: string;
}

/** Told of what happens in either lane once it is durable. */
export interface LaneListener {
  /** Ids of inputs or of batches. */
  readonly changed: (kind: "enqueued" | "cancelled", ids: readonly string[]) => void;
  /** Something waits for the next drain. */
  readonly poke: (reason: PokeReason) => void;
}

/** Topic of notices that something came to the lanes of a session, or went. */
export const queueTopic = (sessionId: string): string => `queue:${sessionId}`;

export type PokeReason = "queued_turn_input" | "session_command" | "process_wake" | "session_open" | "turn_ended";

export class InputLane {
  readonly #ports: RuntimePorts;
  readonly #sessionId: string;
  readonly #listener: LaneListener;
  readonly #running: () => string | undefined;
  readonly #taken: () => TakenMedia | undefined;

  /**
   * @param running - the turn of the session that runs here.
   * @param taken - what the model takes that the next turn asks.
   */
  constructor(ports: RuntimePorts, sessionId: string, listener: LaneListener, running: () => string | undefined, taken: () => TakenMedia | undefined) {
    this.#ports = ports;
    this.#sessionId = sessionId;
    this.#listener = listener;
    this.#running = running;
    this.#taken = taken;
  }

  /** Durable when it resolves, bytes of images included. @throws LashError `store_commit_failed`, also where the key was used with other content. */
  async enqueue({ input, ingress, sourceKey }: InputToEnqueue): Promise<PendingTurnInput> {
    const { input: accepted, attachments } = await admissible(this.#ports, this.#sessionId, input, this.#taken);
    const draft: TurnInputDraft = {
      sessionId: this.#sessionId,
      // By a name of its own it is found again where the store cannot say whether it was admitted (SC-1).
      ...(sourceKey === undefined ? { inputId: `ti:${sha256Hex(this.#ports.newId())}` } : { sourceKey }),
      ingress,
      input: { ...accepted, ...(input.traceTurnId !== undefined && { traceTurnId: input.traceTurnId }) },
      attachments,
    };
    const admitted = await writeSurely(() => this.#ports.persistence.inputs.enqueue(draft)).catch((error: unknown) => {
      throw errorOfInput(error, this.#sessionId, this.#turnFor(ingress));
    });
    this.#listener.changed("enqueued", [admitted.inputId]);
    if (admitted.state === "deferred_next_turn") this.#listener.poke("queued_turn_input");
    return admitted;
  }

  #turnFor(ingress: SubmittedIngress): string | undefined {
    return ingress.scope === "next_turn" ? undefined : (ingress.turnId ?? this.#running());
  }

  pending(): Promise<readonly PendingTurnInput[]> {
    return this.#ask((inputs) => inputs.listPending(this.#sessionId));
  }

  async cancel(targets: readonly CancelTarget[]): Promise<readonly CancelOutcome[]> {
    return this.#told(await this.#ask((inputs) => inputs.cancel(this.#sessionId, targets)));
  }

  async cancelFrom(anchor: CancelTarget): Promise<SuffixCancelOutcome> {
    const outcome = await this.#ask((inputs) => inputs.cancelSuffix(this.#sessionId, anchor));
    if (outcome.outcome === "outcomes") this.#told(outcome.data.outcomes);
    return outcome;
  }

  /** Only what was cancelled now is told of. */
  #told(outcomes: readonly CancelOutcome[]): readonly CancelOutcome[] {
    const ids = outcomes.flatMap((each) => (each.outcome === "cancelled" ? [each.data.inputId] : []));
    if (ids.length > 0) this.#listener.changed("cancelled", ids);
    return outcomes;
  }

  /** Id of the turn that would take what waits now: the first one that an input asks for and that is not used up; undefined where nothing waits in either lane. */
  async nextTurnId(): Promise<string | undefined> {
    const waiting = (await this.pending()).filter(({ state }) => state === "deferred_next_turn");
    const work = waiting.length > 0 ? [] : await this.#ask(() => this.#ports.persistence.queue.listPending(this.#sessionId));
    if (waiting.length + work.length === 0) return undefined;
    const inputs = waiting.length > 0 ? waiting.map(({ input }) => input) : inputsIn(work.slice(0, 1));
    const asked = inputs.find(({ traceTurnId }) => traceTurnId !== undefined)?.traceTurnId;
    const { turns, sessions } = this.#ports.persistence;
    const isFree = asked !== undefined && !(await turns.settled(this.#sessionId, asked)) && !(await sessions.loadNode(this.#sessionId, `${asked}:0`));
    return isFree ? asked : `queue-drain:${this.#ports.newId()}`;
  }

  async #ask<T>(question: (inputs: InputFacet) => Promise<T>): Promise<T> {
    try {
      return await question(this.#ports.persistence.inputs);
    } catch (error) {
      throw runtimeErrorOfStore(error);
    }
  }
}

/**
 * An input as it is kept. An image or a file that could not be shown is refused here: later there is nobody to tell.
 *
 * @throws LashError `invalid_argument`, `unsupported_media`
 */
export async function admissible({ persistence }: Pick<RuntimePorts, "persistence">, sessionId: string, input: TurnInput, takenBy: () => TakenMedia | undefined): Promise<InputToAccept> {
  const { items, imageBlobs = {} } = input;
  const accepted = acceptInput(input);
  const { input: { items: kept }, attachments } = accepted;
  if (!hasMedia({ items: kept })) return accepted;
  const fresh = new Set(attachments.map(({ bytes }) => sha256Hex(bytes)));
  for (const [index, item] of kept.entries()) {
    const given = items[index];
    if (item.type === "text" || given === undefined) continue;
    const bytes = given.type === "image_ref" && Object.hasOwn(imageBlobs, given.id) ? imageBlobs[given.id] : undefined;
    if (bytes && given.type === "image_ref" && !imageType(bytes)) throw invalidArgument(`input.imageBlobs.${given.id}`, "a png, jpeg, gif or webp image; give other files as { type: \"file\", data, mediaType }");
    if (fresh.has(item.id)) continue;
    const found = await partsOf(sessionId, [item], persistence.attachments);
    if (typeof found === "string") throw invalidArgument(`input.items[${index}]`, `${item.type === "image_ref" ? "an image" : "a file"} that this session has: ${found}`);
  }
  const taken = takenBy();
  const refused = taken && (await untakenMedia({ sessionId, items: kept, attachments }, taken, persistence.attachments));
  if (refused) throw refused;
  return accepted;
}
