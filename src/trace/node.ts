// Node-only part of traces: files, and the standard error stream.
export { jsonlTrace } from "./jsonl.ts";
export { readTrace, type ReadTrace, type StoredRecord } from "./read-trace.ts";
export { stderrTrace } from "./stderr.ts";
