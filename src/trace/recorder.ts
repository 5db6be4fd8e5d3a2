// Recorder: gives records their envelope and hands them to the sink.
//
//   R1. Nothing that a sink or a value does reaches who told of it; the host's logger hears of it once (TR-1).
//   R2. A record is made whatever its content does: a started call without its end would read as a crash (TR-4).

import type { TraceContext, TraceLevel, TraceWiring } from "../actors/trace-port.ts";
import { errorText, traceFlushError } from "../domain/error-mapping.ts";
import { invalidArgument } from "../domain/invalid-argument.ts";
import type { JsonObject } from "../domain/json.ts";
import { redactText } from "../domain/redact.ts";
import { hostContext, layered } from "./context.ts";
import { TRACE_SCHEMA_VERSION, type TraceBody, type TraceRecord, type TraceSink } from "./records.ts";

/** A sink that keeps the runtime waiting for longer than this is worth a warning. */
const SLOW_MS = 250;

/** An asynchronous sink: not waited for, but its failure must not become an unhandled one. */
export const isThenable = (answer: unknown): boolean => typeof answer === "object" && answer !== null && "then" in answer;

export class Recorder {
  readonly clock: TraceWiring["clock"];
  readonly newId: TraceWiring["newId"];
  readonly level: TraceLevel;
  readonly #sink: TraceSink;
  readonly #logger: TraceWiring["logger"];
  readonly #redactor: TraceWiring["redactor"];
  readonly #host: TraceContext;
  /** What is told once. */
  readonly #told = new Set<string>();

  /** @throws LashError `invalid_argument` */
  constructor(sink: TraceSink, { clock, newId, logger, redactor, level = "standard", context }: TraceWiring) {
    if (level !== "standard" && level !== "extended") throw invalidArgument("trace.level", '"standard" or "extended"');
    this.#sink = sink;
    this.clock = clock;
    this.newId = newId;
    this.level = level;
    this.#redactor = redactor;
    this.#logger = logger;
    this.#host = hostContext(context);
  }

  /**
   * @param body - type and identity of the record.
   * @param content - the rest; where making it fails, the record says so instead (R2).
   */
  record<Type extends TraceBody["type"]>(context: TraceContext, type: Type, content: () => Omit<Extract<TraceBody, { type: Type }>, "type">): void {
    try {
      const record = {
        schema_version: TRACE_SCHEMA_VERSION,
        id: this.newId(),
        timestamp: new Date(this.clock.now()).toISOString(),
        context: layered(this.#host, context),
        type,
        ...this.#contentOf(content),
      } as unknown as TraceRecord;
      const startedAt = this.clock.monotonic();
      const answer: unknown = this.#sink.append(record);
      if (isThenable(answer)) Promise.resolve(answer).catch((error: unknown) => this.#failed(error));
      if (this.clock.monotonic() - startedAt > SLOW_MS) this.#log("trace.sink_slow", `a trace sink took more than ${SLOW_MS} ms for one record; the runtime waits for it`);
    } catch (error) {
      this.#failed(error);
    }
  }

  #contentOf(content: () => object): object {
    try {
      const made = content();
      return this.#redactor === undefined ? made : (this.#redactor.json(made as JsonObject) as JsonObject);
    } catch (error) {
      return { record_problem: redactText(errorText(error), 500) };
    }
  }

  custom(context: TraceContext, name: string, payload: Extract<TraceBody, { type: "custom" }>["payload"]): void {
    this.record(context, "custom", () => ({ name, payload }));
  }

  /** As `custom`, for what holds for as long as the runtime lives. @param about - what tells it from others of that name. */
  customOnce(context: TraceContext, name: string, about: string, payload: Extract<TraceBody, { type: "custom" }>["payload"]): void {
    const key = `${name} ${about}`;
    if (this.#told.has(key)) return;
    this.#told.add(key);
    this.custom(context, name, payload);
  }

  async flush(): Promise<void> {
    try {
      await this.#sink.flush?.();
    } catch (error) {
      throw traceFlushError(error);
    }
  }

  #failed(error: unknown): void {
    this.#log("trace.sink_failed", `a trace sink failed; turns are not affected, records are lost: ${redactText(errorText(error), 500)}`);
  }

  #log(event: string, message: string): void {
    if (this.#told.has(event)) return;
    this.#told.add(event);
    this.#logger({ level: "warn", event, message });
  }
}
