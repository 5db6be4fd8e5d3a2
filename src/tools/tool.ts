// tool(): a typed function with a schema becomes something a model can call.

import { invalidArgument, refuseUnknown } from "../domain/invalid-argument.ts";
import { isJson, isPlainObject, type Json, type JsonObject } from "../domain/json.ts";
import { isToolId, TOOL_ID } from "../domain/id-rules.ts";
import { wiringError } from "../domain/errors.ts";
import { isToolName, TOOL_NAME } from "../domain/tool-name.ts";
import type { JsonSchema } from "../providers/contract.ts";
import type { InferOutput, OnInterrupted, StandardSchema, Tool, ToolCall, ToolRetryPolicy } from "./contract.ts";

/** What a tool says of itself, whatever its arguments are described with. */
interface CommonOptions<Args> {
  /**
   * What the tool is known by, when its name may change: membership and all that is recorded of it hold on to this. Default: the
   * name. Not blank, at most 200 characters.
   */
  readonly id?: string;
  /**
   * Unique among the tools of a session; letters, digits, `_`, `-`, `.` and `/`, 1 to 128 characters. A provider that does not take it
   * is shown one that it takes, and the tool is known by its own name everywhere else.
   */
  readonly name: string;
  /** What the model is told the tool does. */
  readonly description: string;
  /** JSON Schema of the results, for those who read the tool's contract; nothing is checked against it. */
  readonly outputSchema?: JsonSchema;
  /** Changes nothing outside. A call cut off by a crash is simply run again. Default false. */
  readonly readOnly?: boolean;
  /** Running it twice with one `idempotencyKey` does no more than running it once. Default false. */
  readonly idempotent?: boolean;
  /** What a crash during a call means. Default `retry` for read-only and idempotent tools, else `report`. */
  readonly onInterrupted?: OnInterrupted<Args>;
  /** Default `parallel`. */
  readonly execution?: "parallel" | "serial";
  /** Default: a failed call is not tried again. */
  readonly retry?: Partial<ToolRetryPolicy>;
  /** Stops work outside when a pending call of this tool is cancelled. */
  readonly cancel?: (args: Args) => unknown;
  /** Gives the result, any JSON value, or throws. `undefined` counts as null. */
  readonly run: (args: Args, call: ToolCall) => unknown;
}

export interface ToolOptions<Schema extends StandardSchema> extends CommonOptions<InferOutput<Schema>> {
  /** Any Standard Schema; arguments are validated with it before `run` sees them. */
  readonly input: Schema;
  /** JSON Schema shown to the model; needed where `input` cannot describe itself (OP-23). */
  readonly inputSchema?: JsonSchema;
}

/** A tool that has nothing but a JSON Schema (PT-69). */
export interface JsonToolOptions<Args> extends CommonOptions<Args> {
  readonly input?: never;
  /** Shown to the model as it is; arguments are checked against it, draft 2020-12, and handed to `run` unchanged. */
  readonly inputSchema: JsonSchema;
}

const KNOWN = new Set(["id", "name", "description", "input", "inputSchema", "outputSchema", "readOnly", "idempotent", "onInterrupted", "execution", "retry", "cancel", "run"]);
const defaultRetry: ToolRetryPolicy = { maxAttempts: 3, baseDelayMs: 500, maxDelayMs: 10_000 };

/**
 * Declares a tool.
 *
 * @throws LashError `invalid_argument` naming the field that is wrong; `tool_schema_missing` when neither `input` nor
 *   `inputSchema` says what the arguments look like as JSON Schema.
 */
export function tool<Schema extends StandardSchema>(options: ToolOptions<Schema>): Tool<InferOutput<Schema>>;
/** The same for arguments that only a JSON Schema describes; what type they have is for the caller to say. */
export function tool<Args = JsonObject>(options: JsonToolOptions<Args>): Tool<Args>;
export function tool<Args>(options: AnyOptions<Args>): Tool<Args> {
  check(options);
  const { input } = options;
  const inputSchema = schemaOf(options);
  const readOnly = options.readOnly ?? false;
  const idempotent = options.idempotent ?? false;
  return {
    ...(options.id !== undefined && { id: options.id }),
    name: options.name,
    description: options.description,
    inputSchema,
    ...(options.outputSchema && { outputSchema: options.outputSchema }),
    readOnly,
    idempotent,
    onInterrupted: options.onInterrupted ?? (readOnly || idempotent ? "retry" : "report"),
    execution: options.execution ?? "parallel",
    retry: options.retry ? { ...defaultRetry, ...options.retry } : null,
    validate: input
      ? async (args: Json) => {
          const result = await input["~standard"].validate(args);
          return result.issues ? { problem: describeIssues(result.issues) } : { args: result.value };
        }
      : async (args: Json) => {
          // Loaded with the first call: most tools have a schema that validates itself.
          const { jsonSchemaProblem } = await import("../providers/json-schema.ts");
          const problem = jsonSchemaProblem(inputSchema, args);
          return problem === null ? { args: args as Args } : { problem };
        },
    run: options.run,
    ...(options.cancel && { cancel: options.cancel }),
  };
}

type AnyOptions<Args> = CommonOptions<Args> & { readonly input?: StandardSchema<unknown, Args>; readonly inputSchema?: JsonSchema };

function check<Args>(options: AnyOptions<Args>): void {
  if (typeof options !== "object" || options === null) throw invalidArgument("tool", "called with an object of options");
  for (const key of Object.keys(options)) {
    if (!KNOWN.has(key)) throw invalidArgument(`tool.${key}`, `left out: it is no option; known are ${[...KNOWN].join(", ")}`);
  }
  const { name } = options;
  if (!isToolName(name)) throw invalidArgument("tool.name", TOOL_NAME);
  if (typeof options.description !== "string") throw invalidArgument(`tool.description (of "${name}")`, "a string");
  if (typeof options.run !== "function") throw invalidArgument(`tool.run (of "${name}")`, "a function");
  if (options.id !== undefined && !isToolId(options.id)) throw invalidArgument(`tool.id (of "${name}")`, TOOL_ID);
  for (const field of ["inputSchema", "outputSchema"] as const) {
    const schema = options[field];
    if (schema !== undefined && !(isPlainObject(schema) && isJson(schema))) throw invalidArgument(`tool.${field} (of "${name}")`, "a JSON Schema: an object that is JSON");
  }
  if (typeof options.input?.["~standard"]?.validate !== "function" && (options.input !== undefined || !options.inputSchema)) {
    throw invalidArgument(`tool.input (of "${name}")`, "a Standard Schema, for example z.object({ city: z.string() }); or leave it out and give `inputSchema`");
  }
  const { onInterrupted, execution, retry } = options;
  for (const flag of ["readOnly", "idempotent"] as const) {
    if (options[flag] !== undefined && typeof options[flag] !== "boolean") throw invalidArgument(`tool.${flag} (of "${name}")`, "true or false");
  }
  if (onInterrupted !== undefined && onInterrupted !== "retry" && onInterrupted !== "report" && typeof onInterrupted !== "function") {
    throw invalidArgument(`tool.onInterrupted (of "${name}")`, '"retry", "report" or a function');
  }
  if (execution !== undefined && execution !== "parallel" && execution !== "serial") {
    throw invalidArgument(`tool.execution (of "${name}")`, '"parallel" or "serial"');
  }
  if (retry === undefined) return;
  refuseUnknown(retry, ["maxAttempts", "baseDelayMs", "maxDelayMs"], `tool.retry (of "${name}")`);
  for (const delay of ["baseDelayMs", "maxDelayMs"] as const) {
    const ms = retry[delay];
    if (ms !== undefined && !(Number.isFinite(ms) && ms >= 0)) throw invalidArgument(`tool.retry.${delay} (of "${name}")`, "milliseconds of at least 0");
  }
  if (retry.maxAttempts !== undefined && (!Number.isSafeInteger(retry.maxAttempts) || retry.maxAttempts < 1)) {
    throw invalidArgument(`tool.retry.maxAttempts (of "${name}")`, "an integer of at least 1");
  }
}

function schemaOf({ name, input, inputSchema }: { readonly name: string; readonly input?: StandardSchema; readonly inputSchema?: JsonSchema }): JsonSchema {
  if (inputSchema) return inputSchema;
  const own = input?.["~standard"].jsonSchema;
  if (!own) {
    throw wiringError(
      "tool_schema_missing",
      `tool "${name}": its schema library (${input?.["~standard"].vendor}) gives no JSON Schema; pass \`inputSchema\`, or use a schema that has one, such as zod's`,
      { details: { tool: name } },
    );
  }
  const { $schema: _dialect, ...schema } = own.input({ target: "draft-2020-12" });
  return schema;
}

type Issues = readonly { readonly message: string; readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined }[];

const MOST_ISSUES = 5;

function describeIssues(issues: Issues): string {
  const lines = issues.slice(0, MOST_ISSUES).map(({ message, path }) => {
    const at = (path ?? []).map((step) => String(typeof step === "object" ? step.key : step)).join(".");
    return at === "" ? message : `${at}: ${message}`;
  });
  return issues.length > MOST_ISSUES ? `${lines.join("; ")}; and ${issues.length - MOST_ISSUES} more` : lines.join("; ");
}
