// Tool batch of a turn, as an effect.

import { createActor, fromPromise } from "xstate";
import { effectError } from "../../domain/errors.ts";
import type { ModelCallRecord } from "../../domain/outcome.ts";
import type { EffectRequest } from "../../machines/effects.ts";
import { resultTextIn } from "../earlier-results.ts";
import { settingsOf, takeChanges } from "../session-settings.ts";
import { firstIssued, runBatch } from "../tool-batch.ts";
import { attemptKey, leavesOf, planBatch } from "../tool-plan.ts";
import type { Effect } from "../durable/scope.ts";
import type { DrivenTurn } from "./driven-turn.ts";
import type { Settled } from "./executors.ts";
import type { TurnScope, TurnTypes } from "./types.ts";

export async function toolsEffect(driven: DrivenTurn, request: EffectRequest, logIndex: number, scope: TurnScope): Promise<Settled> {
  const { session: parts, turn, log, emit, plugins, plan: current } = driven;
  const { ports, stated, residence } = parts;
  const message = log.messages[logIndex];
  if (!message) throw effectError("runtime_effect_tool_batch_id", "the message whose tools are to run is not in the turn's log");
  const { tools } = stated.wiring;
  const { cancel: signal } = scope;
  const refusalOf = (name: string): string | undefined => tools.refusalOf(driven.ownSpecs(current), name);
  const before = plugins?.beforeToolCall;
  const plan = await planBatch(message, {
    tools: driven.callable(current),
    refusalOf,
    batchKey: request.replayKey,
    isRecorded: (key) => scope.isRecorded(key),
    isInterrupted: (key) => turn.issued.includes(key),
    limits: ports.limits,
    before: before && ((call) => before(call, signal)),
  });
  const after = plugins?.afterToolCall;
  await scope.issue(firstIssued(plan));
  const effect = scope as Effect<TurnTypes>;
  const { journal } = effect.run;
  const record = (call: Omit<ModelCallRecord, "effectId">): void => log.recordCall({ effectId: request.effectId, ...call });
  const results = await runBatch(plan, {
    sessionId: turn.sessionId,
    turnId: turn.turnId,
    batchKey: request.replayKey,
    controller: {
      has: (key) => scope.isRecorded(key),
      get hasUnsaved() {
        return journal.hasUnsaved;
      },
      execute: (key, operation, run) => effect.record(key, operation, run, () => undefined),
    },
    writes: scope.write,
    signal,
    clock: ports.clock,
    emit,
    trace: driven.trace?.effect(request, residence.resident.head.turnIndex),
    desk: ports.waits,
    attachments: ports.persistence.attachments,
    logger: ports.logger,
    limits: ports.limits,
    redactor: ports.redactor,
    restTool: [...current.tools.values()].find(({ readsResults }) => readsResults)?.name,
    earlierResult: (id) => {
      const { history } = residence.resident;
      return resultTextIn(log.messages, id) ?? resultTextIn(history.slice(history.length), id);
    },
    refusalOf,
    takeChanges: () => takeChanges(stated, residence.resident, turn),
    direct: { port: ports.direct, plan: () => driven.plan, record },
    children: { port: ports.children, parent: () => ({ wiring: stated.wiring, settings: settingsOf(stated.wiring, residence.resident) }), calls: () => log.modelCalls, record },
    detach: scope.detach,
    after: after && ((call, ended) => after(call, ended, signal)),
    project: plugins && ((call, output) => plugins.project(call, output)),
    onProgress: ({ running, parked, until }) => scope.waiting(running === 0 && parked > 0 ? { kind: "answer", ...until() } : undefined),
    issued: new Set(leavesOf(plan).flatMap((call) => [1].map((attempt) => attemptKey(call, attempt))).filter((key) => scope.isIssued(key))),
    step: async (issued) => {
      journal.name(issued);
      await scope.step();
    },
    envelope: (replayKey, causedBy, command) => driven.operation({ ...request, replayKey }, command, causedBy),
    asActor: (id, run) => {
      const running = run();
      // An actor that nobody looks at would only cost what a macrostep costs.
      if (ports.inspect) {
        const actor = createActor(fromPromise(() => running), { id, parent: parts.actors.root });
        // Who asked for the call hears of it; XState would report an error that nobody watches once more.
        actor.subscribe({ error: () => undefined });
        actor.start();
      }
      return running;
    },
  });
  return { outcome: { kind: "tool_batch", results }, source: leavesOf(plan).every((call) => turn.journal.some((entry) => entry.replayKey === attemptKey(call, 1))) ? "journal" : "run" };
}
