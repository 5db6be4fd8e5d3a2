// What one turn of a child uses, as its parent's turn counts it: live, and once more when it has ended (T-78, O-54).

import { type BatchInput, recordCall } from "../actors/turn/tools/batch-input.ts";
import { childrenUsageOf, sumUsage, usageByModel, type ChildUsage } from "../domain/child-usage.ts";
import type { ModelCallRecord } from "../domain/outcome.ts";
import { addUsage, usageOf, type TokenUsage } from "../domain/usage.ts";
import type { TurnActivityBody } from "../observe/contract.ts";

interface Metered {
  /** The turn that waits for the child. */
  readonly batch: BatchInput;
  readonly sessionId: string;
  readonly turnId: string;
  readonly source: string;
  /** That the child asks, as far as is known before it does. */
  readonly model: string;
}

export class ChildMeter {
  readonly #child: Metered;
  /** Of the turn so far, by session and model: its own calls, and those of its own children. */
  readonly #live = new Map<string, ChildUsage>();

  constructor(child: Metered) {
    this.#child = child;
  }

  /** @returns what the parent's turn tells of it, if it is about usage. */
  hear(body: TurnActivityBody): TurnActivityBody | undefined {
    const { source, sessionId } = this.#child;
    if (body.type === "usage") {
      const { model } = this.#child;
      this.#live.set(sessionId, { source, model, usage: body.cumulative });
      const cumulative = addUsage(this.#before(model), body.cumulative);
      return { type: "child_usage", sessionId, source, model, protocolIteration: body.protocolIteration, usage: body.usage, cumulative };
    }
    if (body.type !== "child_usage") return undefined;
    this.#live.set(JSON.stringify([body.sessionId, body.source, body.model]), { source, model: body.model, usage: body.cumulative });
    return { ...body, source };
  }

  /** Records what was used: by the calls of the turn that ended, else by what was heard of it. The latest record counts. */
  settle(calls?: readonly ModelCallRecord[]): void {
    const { sessionId, turnId, source, batch } = this.#child;
    const used = calls ? usageByModel(calls) : sumUsage([...this.#live.values()]);
    const status = calls ? "completed" : "aborted";
    for (const { model, usage } of used) recordCall(batch, { source, model, usage, status, child: { sessionId, turnId } });
  }

  /** By other turns of this child in the parent's turn. */
  #before(model: string): TokenUsage {
    const { sessionId, turnId, batch: { log } } = this.#child;
    const earlier = log.modelCalls.filter(({ child, model: used }) => child?.sessionId === sessionId && child.turnId !== turnId && used === model);
    return usageOf(childrenUsageOf(earlier));
  }
}
