import type { TraceTarget } from "../actors/trace-port.ts";
import type { TraceSink } from "./records.ts";
import { traceSink } from "./sinks.ts";

/** Writes every record as a line to the standard error stream, for debugging. */
export const stderrTrace = (): TraceSink & TraceTarget => traceSink({ append: (record) => void process.stderr.write(`${JSON.stringify(record)}\n`) });
