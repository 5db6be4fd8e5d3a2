// tool(): a typed function with a schema becomes something a model can call.

import { invalidArgument, refuseUnknown } from "../domain/invalid-argument.ts";
import { isJson, isPlainObject, type Json, type JsonObject } from "../domain/json.ts";
import { isToolId, TOOL_ID } from "../domain/id-rules.ts";
import { isToolName, TOOL_NAME } from "../domain/tool-name.ts";
import type { JsonSchema } from "../providers/contract.ts";
import type { NeedsApproval, OnInterrupted, StandardSchema, ToJsonSchema, Tool, ToolCall, ToolRetryPolicy } from "./contract.ts";
import { convertedBy, inputSchemaOf, schemaMissing } from "./input-schema.ts";

/** What a tool says of itself, whatever its arguments are described with. */
interface CommonOptions<Args, Result> {
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
  /**
   * Which calls run only once somebody has approved them with `session.approve`; see `session.pendingCalls`. A call that waits has not
   * begun, outlives the process, and holds up no other call of its reply. Default: none.
   */
  readonly needsApproval?: NeedsApproval<Args>;
  /** Default `parallel`. */
  readonly execution?: "parallel" | "serial";
  /** Default: a failed call is not tried again. */
  readonly retry?: Partial<ToolRetryPolicy>;
  /**
   * Milliseconds that one attempt may take; default: as long as it likes. Then it ends as a failure of class `timeout`, code
   * `tool_timeout`, `call.signal` aborts, and what it returns later is dropped. With a `retry` policy it is tried again where a crash
   * would run it again, too: `readOnly`, `idempotent`, or `onInterrupted: "retry"`. It says nothing of how long `pending()` waits.
   */
  readonly timeoutMs?: number;
  /**
   * Most UTF-8 bytes of a result's text that a model is shown; null for all of it, however long. Of a longer one it is shown the
   * beginning and the end, and how much is missing; the stored result is whole. Default: `limits.toolResultModelBytes`, 64 KiB.
   */
  readonly maxModelBytes?: number | null;
  /** Stops work outside when a pending call of this tool is cancelled. */
  readonly cancel?: (args: Args) => unknown;
  /**
   * Gives the result, or throws. `undefined` counts as null. What is no JSON is told as well as possible (`Map` and `Set` as their
   * entries, `bigint` as digits, an error as name and message ..), what is over `limits` is cut; the call's output says so in
   * `converted`.
   */
  readonly run: (args: Args, call: ToolCall) => Result;
}

/** A tool whose arguments a schema validates. */
export interface ToolOptions<Args, Result = unknown> extends CommonOptions<Args, Result> {
  /** Any Standard Schema of an object; arguments are validated with it before `run` sees them. */
  readonly input: StandardSchema<unknown, Args>;
  /**
   * JSON Schema shown to the model. Needed where `input` cannot describe itself and no `toJsonSchema` does: zod 4 can, zod/mini
   * included; other libraries where they implement Standard JSON Schema.
   */
  readonly inputSchema?: JsonSchema;
  /** Makes `inputSchema` from `input`. Default: the schema's own, else that of createLash. */
  readonly toJsonSchema?: ToJsonSchema;
}

/** A tool that has nothing but a JSON Schema. */
export interface JsonToolOptions<Args, Result = unknown> extends CommonOptions<Args, Result> {
  readonly input?: undefined;
  /** Of an object. Shown to the model as it is; arguments are checked against it, draft 2020-12, and handed to `run` unchanged. */
  readonly inputSchema: JsonSchema;
  readonly toJsonSchema?: undefined;
}

const KNOWN = new Set(["id", "name", "description", "input", "inputSchema", "toJsonSchema", "outputSchema", "readOnly", "idempotent", "onInterrupted", "needsApproval", "execution", "retry", "timeoutMs", "maxModelBytes", "cancel", "run"]);
const defaultRetry: ToolRetryPolicy = { maxAttempts: 3, baseDelayMs: 500, maxDelayMs: 10_000 };

/**
 * Declares a tool. Its `run` may be called directly, in tests for example: its types are those of `input` and of what it returns.
 *
 * @throws LashError `invalid_argument` naming the field that is wrong, or an `input` that is no object; `tool_schema_missing` when no
 *   JSON Schema can be made of `input`. Of schema libraries other than zod that give none, createLash throws it (or whoever else is
 *   given the tool), unless it has a `toJsonSchema`.
 */
export function tool<Args = JsonObject, Result = unknown>(options: ToolOptions<Args, Result> | JsonToolOptions<Args, Result>): Tool<Args, Result> {
  check(options);
  const { input } = options;
  const inputSchema = inputSchemaOf(options);
  return inputSchema || !input ? toolOf(options, inputSchema ?? {}) : undescribed(options, input);
}

/** Waits for the converter of a lash. */
function undescribed<Args, Result>(options: ToolOptions<Args, Result> | JsonToolOptions<Args, Result>, input: StandardSchema<unknown, Args>): Tool<Args, Result> {
  const { name } = options;
  let known: { readonly by: ToJsonSchema; readonly tool: Tool<Args, Result> } | undefined;
  const describedBy = (convert: ToJsonSchema | undefined): Tool<Args, Result> => {
    if (!convert) throw schemaMissing(name, input);
    if (known?.by !== convert) known = { by: convert, tool: toolOf(options, convertedBy(convert, name, input)) };
    return known.tool;
  };
  const get = (): JsonSchema => describedBy(undefined).inputSchema;
  return Object.defineProperty({ ...toolOf(options, {}), describedBy }, "inputSchema", { enumerable: true, get });
}

function toolOf<Args, Result>(options: AnyOptions<Args, Result>, inputSchema: JsonSchema): Tool<Args, Result> {
  const { input } = options;
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
    ...(options.needsApproval !== undefined && { needsApproval: options.needsApproval }),
    execution: options.execution ?? "parallel",
    retry: options.retry ? { ...defaultRetry, ...options.retry } : null,
    ...(options.timeoutMs !== undefined && { timeoutMs: options.timeoutMs }),
    ...(options.maxModelBytes !== undefined && { maxModelBytes: options.maxModelBytes }),
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

const STANDARD_SCHEMA = "a Standard Schema, for example z.object({ city: z.string() }); or leave it out and give `inputSchema`";

type AnyOptions<Args, Result> = ToolOptions<Args, Result> | JsonToolOptions<Args, Result>;

function check<Args, Result>(options: AnyOptions<Args, Result>): void {
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
    throw invalidArgument(`tool.input (of "${name}")`, STANDARD_SCHEMA);
  }
  if (options.toJsonSchema !== undefined && (typeof options.toJsonSchema !== "function" || !options.input)) {
    throw invalidArgument(`tool.toJsonSchema (of "${name}")`, "a function that makes the JSON Schema of `input`");
  }
  const { onInterrupted, execution, retry, timeoutMs, maxModelBytes } = options;
  for (const flag of ["readOnly", "idempotent"] as const) {
    if (options[flag] !== undefined && typeof options[flag] !== "boolean") throw invalidArgument(`tool.${flag} (of "${name}")`, "true or false");
  }
  if (onInterrupted !== undefined && onInterrupted !== "retry" && onInterrupted !== "report" && typeof onInterrupted !== "function") {
    throw invalidArgument(`tool.onInterrupted (of "${name}")`, '"retry", "report" or a function');
  }
  checkApproval(name, options.needsApproval);
  if (execution !== undefined && execution !== "parallel" && execution !== "serial") {
    throw invalidArgument(`tool.execution (of "${name}")`, '"parallel" or "serial"');
  }
  if (timeoutMs !== undefined && !(Number.isSafeInteger(timeoutMs) && timeoutMs >= 1)) {
    throw invalidArgument(`tool.timeoutMs (of "${name}")`, "a whole number of milliseconds from 1 up; leave it out for no limit");
  }
  if (maxModelBytes !== undefined && maxModelBytes !== null && !(Number.isSafeInteger(maxModelBytes) && maxModelBytes >= 1)) {
    throw invalidArgument(`tool.maxModelBytes (of "${name}")`, "a whole number of bytes from 1 up, or null for no limit");
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

function checkApproval(name: string, needsApproval: unknown): void {
  if (needsApproval === undefined || needsApproval === true || typeof needsApproval === "function") return;
  const where = `tool.needsApproval (of "${name}")`;
  if (!isPlainObject(needsApproval)) throw invalidArgument(where, "true, { reason, expiresInMs } or a function; leave it out where no call needs approval");
  refuseUnknown(needsApproval, ["reason", "expiresInMs"], where);
  const { reason, expiresInMs } = needsApproval;
  if (reason !== undefined && typeof reason !== "string") throw invalidArgument(`${where}.reason`, "a string");
  if (expiresInMs !== undefined && !(Number.isSafeInteger(expiresInMs) && Number(expiresInMs) >= 1)) throw invalidArgument(`${where}.expiresInMs`, "a whole number of milliseconds from 1 up");
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
