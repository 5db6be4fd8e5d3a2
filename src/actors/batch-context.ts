// What the calls of one batch share: who journals them, what stops them, and where their answers come from.

import type { ChildPort, ParentSession } from "../children/contract.ts";
import type { Clock } from "../domain/clock.ts";
import type { Limits } from "../domain/limits.ts";
import type { Logger } from "../domain/logger.ts";
import type { Redactor } from "../domain/redactor.ts";
import type { AttachmentFacet } from "../stores/content-contract.ts";
import type { Attempt, Journaled } from "./durable/contract.ts";
import type { JournaledOutcome } from "../stores/contract.ts";
import type { Envelope } from "./envelope.ts";
import type { ModelCallRecord } from "../domain/outcome.ts";
import type { ToolCallOutput } from "../domain/tool-output.ts";
import type { Emit } from "./model-call.ts";
import type { DirectPort } from "./ports.ts";
import type { AttemptEnd, SettledAttempt, ToolQuestion } from "./plugin-port.ts";
import type { JournaledChanges } from "./session-settings.ts";
import type { EffectTrace } from "./trace-port.ts";
import type { TurnPlan } from "./turn-plan.ts";
import type { RunWrite } from "./durable/contract.ts";
import type { WaitDesk } from "./wait-desk.ts";

export interface BatchWaits {
  /** Ids of durable waits; absent while a call waits for something else. */
  readonly waits?: readonly string[];
  /** Epoch milliseconds of the earliest time at which one of them goes on by itself. */
  readonly dueAtMs?: number;
}

export interface BatchContext {
  readonly sessionId: string;
  readonly turnId: string;
  readonly batchKey: string;
  readonly controller: { readonly hasUnsaved: boolean; has(key: string): boolean; execute(key: string, operation: () => Envelope, run: (attempt: Attempt) => Promise<JournaledOutcome>): Promise<Journaled> };
  /** What its calls write beside their outcomes. */
  readonly writes: RunWrite;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly emit: Emit;
  /** Writes a durable step naming these attempts; resolves when they may start. */
  readonly step: (issued: readonly string[]) => Promise<void>;
  /** Replay keys that a durable step has named already. */
  readonly issued: ReadonlySet<string>;
  readonly envelope: (replayKey: string, causedBy: string, command: Envelope["command"]) => Envelope;
  /** Asked once more when a call is about to run: its tool may have gone meanwhile. */
  readonly refusalOf: (toolName: string) => string | undefined;
  /** Changes of the session that are in no journal yet. */
  readonly takeChanges: () => JournaledChanges;
  readonly desk: WaitDesk;
  readonly attachments: AttachmentFacet;
  readonly logger: Logger;
  readonly limits: Limits;
  /** For what failed calls say. */
  readonly redactor: Redactor;
  /** The tool of the turn that reads what is left out of results, where it has one. */
  readonly restTool: string | undefined;
  /** The text of a result that the conversation has, by its id or that of its call. */
  readonly earlierResult: (id: string) => string | undefined;
  /** Aborts when the turn is suspended: waits end without being recorded. */
  readonly detach: AbortSignal;
  /** What a tool that asks a model needs. */
  readonly direct: {
    readonly port: () => Promise<DirectPort>;
    readonly plan: () => Pick<TurnPlan, "provider" | "config">;
    readonly record: (call: Omit<ModelCallRecord, "effectId">) => void;
  };
  readonly trace: EffectTrace | undefined;
  /** What a tool that has child sessions needs. */
  readonly children: {
    readonly port: ChildPort | undefined;
    readonly parent: () => ParentSession;
    /** What the turn has recorded so far. */
    readonly calls: () => readonly ModelCallRecord[];
    readonly record: (call: Omit<ModelCallRecord, "effectId">) => void;
  };
  /** Hooks on what an attempt came to, run within it, and the model's view of what no attempt did; where somebody has some. */
  readonly after: ((call: ToolQuestion, ended: AttemptEnd) => Promise<SettledAttempt>) | undefined;
  readonly project: ((call: ToolQuestion, output: ToolCallOutput) => Promise<string | undefined>) | undefined;
  /** Told how many calls run, and how many only wait for an answer from outside; `until` says what for, and for what times. */
  readonly onProgress: (progress: { readonly running: number; readonly parked: number; readonly until: () => BatchWaits }) => void;
  /** Shows a running call as an actor of its own (design section 4). */
  readonly asActor: <T>(id: string, run: () => Promise<T>) => Promise<T>;
}
