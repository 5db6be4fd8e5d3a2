// Sinks for any place, and what turns a sink into one that a runtime can be given.

import type { TraceTarget, TraceWiring } from "../actors/trace-port.ts";
import { invalidArgument } from "../domain/invalid-argument.ts";
import { isThenable, Recorder } from "./recorder.ts";
import type { TraceRecord, TraceSink } from "./records.ts";
import { StoreWatch } from "./watched-store.ts";
import { isPlainObject, type Json, type JsonObject } from "../domain/json.ts";
import { shownPolicy, shownText, shownValue } from "./content.ts";
import { TurnRecorder } from "./turn-recorder.ts";
import { watchedProvider } from "./watched-provider.ts";

/**
 * A sink of your own for `createLash({ trace: { sink } })`.
 *
 * @param sink - `append` is called synchronously with every record and must not block; it owns the record. What it throws is
 *   logged once and changes nothing else. `flush` is called by `lash.flushTrace()` and `lash.close()`.
 * @throws LashError `invalid_argument` - no `append`.
 */
export function traceSink(sink: TraceSink): TraceSink & TraceTarget {
  checkSink(sink, "sink");
  return { append: (record) => sink.append(record), flush: () => sink.flush?.(), openTrace: (wiring) => openTrace(sink, wiring) };
}

function checkSink(sink: unknown, field: string): void {
  const { append, flush } = { ...(sink as Partial<TraceSink>) };
  if (typeof append !== "function") throw invalidArgument(field, "an object with append(record)");
  if (flush !== undefined && typeof flush !== "function") throw invalidArgument(`${field}.flush`, "a function");
}

/** Of one record, in UTF-16 units. */
const MAX_METADATA = 16_384;

const asObject = (value: Json): JsonObject => (isPlainObject(value) ? value : { value });

function openTrace(sink: TraceSink, wiring: TraceWiring): ReturnType<TraceTarget["openTrace"]> {
  const recorder = new Recorder(sink, wiring);
  const store = new StoreWatch(recorder);
  return {
    sessionStarted: ({ sessionId, headRevision, policy }) =>
      recorder.record({ session_id: sessionId }, "session_started", () => ({ metadata: { ...shownPolicy(policy), head_revision: headRevision } })),
    turn: (turn) => new TurnRecorder(recorder, turn, (context, code) => store.turnFailed(context, code)),
    watchProvider: (provider, sessionId, source) => watchedProvider(recorder, provider, { context: { session_id: sessionId }, source, open: () => new Set() }),
    watchStore: (persistence) => store.watch(persistence),
    custom: ({ metadata, ...context }, name, payload) =>
      recorder.custom({ ...context, ...(metadata && { metadata: shownValue(metadata, MAX_METADATA) as JsonObject }) }, shownText(name, 500), asObject(shownValue(payload))),
    flush: () => recorder.flush(),
  };
}

export interface MemoryTrace extends TraceSink, TraceTarget {
  /** What is kept, oldest first. */
  readonly records: readonly TraceRecord[];
  clear(): void;
}

/**
 * Keeps the latest records in memory, for tests and for looking at a runtime from inside its process.
 *
 * @param options.capacity - how many. Default 10,000.
 */
export function memoryTrace({ capacity = 10_000 }: { readonly capacity?: number } = {}): MemoryTrace {
  if (!(Number.isSafeInteger(capacity) && capacity > 0)) throw invalidArgument("capacity", "a positive integer");
  const records: TraceRecord[] = [];
  const append = (record: TraceRecord): void => {
    records.push(record);
    if (records.length > capacity) records.shift();
  };
  return { ...traceSink({ append }), records, clear: () => void records.splice(0) };
}

/**
 * Hands every record to all of the sinks, in order. One that fails does not keep it from the others.
 *
 * @throws LashError `invalid_argument` - one of them has no `append`.
 */
export function teeTrace(...sinks: readonly TraceSink[]): TraceSink & TraceTarget {
  for (const [index, sink] of sinks.entries()) checkSink(sink, `sinks[${index}]`);
  return traceSink({
    append(record: TraceRecord) {
      const failures: unknown[] = [];
      const pending: Promise<unknown>[] = [];
      for (const sink of sinks) {
        try {
          const answer: unknown = sink.append(record);
          if (isThenable(answer)) pending.push(Promise.resolve(answer));
        } catch (error) {
          failures.push(error);
        }
      }
      if (failures.length > 0) pending.push(Promise.reject(failures[0]));
      if (pending.length > 0) return Promise.all(pending) as unknown as void;
      return undefined;
    },
    async flush() {
      const flushed = await Promise.allSettled(sinks.map(async (sink) => sink.flush?.()));
      for (const outcome of flushed) if (outcome.status === "rejected") throw outcome.reason;
    },
  });
}
