// The session's writer, lent to a command or a task: in the session's lane, under a lease that is kept for as long as it takes, and
// one commit at its end.

import type { Resident } from "../../actors/resident.ts";
import { holdSession } from "../../actors/session-lease.ts";
import type { SessionChange } from "../../actors/session-change.ts";
import type { LashError } from "../../domain/errors.ts";
import type { Json } from "../../domain/json.ts";
import type { PluginEvent } from "../../domain/plugin-message.ts";
import type { SessionNode } from "../../domain/session.ts";
import type { CommitResult, SessionLease } from "../../stores/contract.ts";
import type { SessionSeed } from "../kit.ts";
import type { PluginStates } from "../plugin-state.ts";
import type { OperationReceipt } from "./contract.ts";
import type { QueuedInputs } from "./outcome.ts";

export interface Held {
  /** Aborts with the call, and when the lease is lost. */
  readonly signal: AbortSignal;
  /** Who does not listen to the signal is not waited for. */
  unlessAborted<T>(work: T | Promise<T>): Promise<T>;
}

/** What an operation came to, read and checked. */
export interface Made {
  readonly output: Json;
  readonly events: readonly PluginEvent[];
  readonly queuedInputs: QueuedInputs;
}

/** Who it is that writes. */
export interface Writer {
  readonly pluginId: string;
  readonly scopeId: string;
  readonly causedBy: Json;
  readonly failed: (error: unknown) => LashError;
}

export class Writing {
  readonly #seed: SessionSeed;
  readonly #states: PluginStates;
  readonly #writer: Writer;
  readonly #signal: AbortSignal;
  /** Takes back what listens to signals that outlive the operation. */
  readonly #over = new AbortController();
  #hasBegun = false;
  /** Takes back what the operation did to the state of plugins. */
  #undo: () => void = () => undefined;

  constructor(seed: SessionSeed, states: PluginStates, writer: Writer, signal: AbortSignal) {
    this.#seed = seed;
    this.#states = states;
    this.#writer = writer;
    this.#signal = signal;
  }

  /** @throws what `body` throws, or as `SessionChanges.commit`; then nothing of it has happened. */
  async run(body: (held: Held) => Promise<Made>): Promise<OperationReceipt<Json>> {
    if (this.#signal.aborted) throw this.#givenUp();
    const { changes, lanes } = this.#seed.runtime;
    let receipt: OperationReceipt<Json> = { output: null, eventNodeIds: [], queuedTurns: [] };
    const change = async (resident: Resident, lease: SessionLease): Promise<SessionChange | null> => {
      const made = await this.#keeping(resident, lease, body);
      const nodes = this.#nodesOf(made.events, resident);
      receipt = { ...receipt, output: made.output, eventNodeIds: nodes.map(({ nodeId }) => nodeId) };
      return changeOf(made, nodes, resident);
    };
    const onCommit = ({ queuedInputs: queuedTurns = [] }: CommitResult): void => {
      receipt = { ...receipt, queuedTurns };
      if (queuedTurns.length === 0) return;
      lanes.changed("enqueued", queuedTurns.map(({ inputId }) => inputId));
      lanes.poke("queued_turn_input");
    };
    try {
      await Promise.race([changes.commit(change, onCommit), this.#abortedBefore()]);
      return receipt;
    } catch (error) {
      // It was made and could not be committed.
      this.#undo();
      throw error;
    } finally {
      this.#over.abort();
    }
  }

  async #keeping(resident: Resident, lease: SessionLease, body: (held: Held) => Promise<Made>): Promise<Made> {
    if (this.#signal.aborted) throw this.#givenUp();
    this.#hasBegun = true;
    const held = holdSession(this.#seed.runtime.ports, lease);
    const signal = AbortSignal.any([this.#signal, held.lost]);
    try {
      this.#undo = this.#states.enter(resident.plugins);
      const made = await body({ signal, unlessAborted: (work) => Promise.race([work, this.#aborted(signal)]) });
      await held.ensureLive();
      return made;
    } catch (error) {
      // Still in the lane: a turn that comes next finds the state as it was.
      this.#undo();
      this.#undo = () => undefined;
      held.lost.throwIfAborted();
      throw error;
    } finally {
      // The commit that follows frees it.
      await held.letGo("freed");
    }
  }

  /** Whoever gives up an operation that waits for its turn is told at once. */
  #abortedBefore(): Promise<never> {
    return new Promise((_, reject) => {
      this.#signal.addEventListener("abort", () => this.#hasBegun || reject(this.#givenUp()), { once: true, signal: this.#over.signal });
    });
  }

  #aborted(signal: AbortSignal): Promise<never> {
    return new Promise((_, reject) => {
      if (signal.aborted) reject(signal.reason as Error);
      else signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true, signal: this.#over.signal });
    });
  }

  #givenUp(): LashError {
    return this.#writer.failed(this.#signal.reason);
  }

  #nodesOf(events: readonly PluginEvent[], { head }: Resident): readonly SessionNode[] {
    const { pluginId, scopeId, causedBy } = this.#writer;
    const timestamp = new Date(this.#seed.clock.now()).toISOString();
    let parentNodeId = head.leafNodeId;
    return events.map((event, index) => {
      const node: SessionNode = {
        nodeId: `${scopeId}:event:${index}`,
        ...(parentNodeId !== undefined && { parentNodeId }),
        agentFrameId: head.currentFrameId,
        timestamp,
        causedBy,
        body: { kind: "plugin", pluginType: pluginId, payload: event as unknown as Json },
      };
      parentNodeId = node.nodeId;
      return node;
    });
  }
}

/** null: nothing but what plugins have to say. */
function changeOf({ queuedInputs }: Made, nodes: readonly SessionNode[], { head }: Resident): SessionChange | null {
  const leafNodeId = nodes.at(-1)?.nodeId;
  if (leafNodeId === undefined && queuedInputs.length === 0) return null;
  return { ...(leafNodeId !== undefined && { nodes, head: { ...head, leafNodeId } }), ...(queuedInputs.length > 0 && { queuedInputs }) };
}
