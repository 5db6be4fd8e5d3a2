// Completions without a session: one question to a model, with text, JSON or JSON of a schema as the answer (PP-50).

export { completeDirect } from "./providers/direct-client.ts";
export type { DirectOptions, DirectResult, DirectTrace } from "./providers/direct-client.ts";
export { DirectCompletionError } from "./providers/direct.ts";
export type { DirectContent, DirectErrorClass, DirectMessage, DirectOutput, DirectRequest, JsonValidator } from "./providers/direct.ts";
export { jsonSchemaProblem } from "./providers/json-schema.ts";
export { withRetry } from "./providers/retry.ts";
export type { RetryOptions } from "./providers/retry.ts";
