// Options of createLash, openSession and recover: their shapes, and the checks that say what to write instead.

import { defaultLeaseTimings, type LeaseTimings } from "./actors/durable/held-lease.ts";
import type { Inspect } from "./actors/ports.ts";
import { toolsByName } from "./actors/session-tools.ts";
import type { TraceOptions } from "./actors/trace-port.ts";
import { checkedSignal } from "./domain/abort.ts";
import { assertJson } from "./domain/bounded-json.ts";
import type { ChildSupport } from "./children/contract.ts";
import type { Clock } from "./domain/clock.ts";
import type { Compactor } from "./domain/compaction.ts";
import { checkedId } from "./domain/id-rules.ts";
import { invalidArgument, refuseUnknown } from "./domain/invalid-argument.ts";
import type { Json } from "./domain/json.ts";
import { type Limits, resolveLimits } from "./domain/limits.ts";
import type { Logger } from "./domain/logger.ts";
import { ASK_OPTIONS, asksOf, type AskOptions } from "./ask-options.ts";
import { type RedactRules, redactorOf } from "./domain/redactor.ts";
import type { TurnLimits } from "./domain/turn-config.ts";
import { layerOf, type Prompt } from "./domain/prompt-input.ts";
import type { ChildAssignment, ModelSpec } from "./domain/session.ts";
import type { Resolution, ResolveOutcome } from "./domain/waits.ts";
import { leaseTimingsInvalid, missingModelSpec } from "./domain/wiring-errors.ts";
import type { ProtocolDriver } from "./machines/protocol.ts";
import { isMediaList } from "./domain/media-type.ts";
import type { ModelMedia } from "./actors/taken-media.ts";
import type { LiveReplayStore, TurnActivity } from "./observe/contract.ts";
import type { Plugin } from "./plugins/contract.ts";
import type { Provider } from "./providers/contract.ts";
import { wireProblem } from "./providers/wire.ts";
import type { SweepReport } from "./stores/content-contract.ts";
import type { GcReport, VacuumReport } from "./stores/upkeep-contract.ts";
import type { Store } from "./stores/store.ts";
import type { ToJsonSchema, Tool } from "./tools/contract.ts";
import { waitOf, WAIT_OPTIONS, type WaitOptions } from "./wait-options.ts";
import { describedTools } from "./actors/described-tools.ts";

/** Limits of the model are the host's to know: absent means unknown, never a guess. */
export interface ModelOptions {
  /** Default: the provider's own model. */
  readonly id?: string;
  readonly variant?: string;
  /** Prompt budget in tokens. */
  readonly contextWindowTokens?: number;
  readonly outputTokenCapacity?: number;
  /**
   * Media types of the images and files that it takes, such as `image/*`; an empty array for none. Not recorded: each process says it
   * for itself. Default: as the provider has it.
   */
  readonly media?: readonly string[];
}

export interface SessionOptions extends AskOptions {
  /** Default: the lash's. The provider that a stored session was recorded with has to come back. */
  readonly provider?: Provider;
  readonly model?: ModelOptions;
  /** Added to the lash's tools; names must differ. */
  readonly tools?: readonly Tool[];
  /** Behind the lash's plugins; ids must differ. A turn that is found in flight needs the plugins that it was accepted with. */
  readonly plugins?: readonly Plugin[];
  /** By plugin id; JSON. Given anew at every open; a turn that is recovered has those that it was accepted with. */
  readonly pluginOptions?: Readonly<Record<string, Json>>;
  /** System prompt of this session, after the lash's; recorded with it. A text, or template and slots. */
  readonly prompt?: Prompt;
  /**
   * Most model calls of one turn, whatever they are made for; attempts of one call, questions of tools and child sessions are not
   * counted. A turn that would make one more ends as `stopped: "max_turns"`. Null lifts it. Default: the lash's, else 64.
   */
  readonly maxTurns?: number | null;
  /** Longest a turn may take from its acceptance, in milliseconds, waiting included; then it ends as `stopped: "max_turns"`. Default: the lash's, else none. */
  readonly timeoutMs?: number;
  /** Most tokens that the model calls of a turn may use together, cached ones included; then it ends as `stopped: "max_turns"`. Default: the lash's, else none. */
  readonly budget?: TokenBudget;
  /** Names of tools that this session no longer has, besides the lash's: see `createLash`. */
  readonly retiredTools?: readonly string[];
  /**
   * When a turn makes room for itself, once: the conversation goes on in a fresh context as after `session.compact()`, opened by the
   * commit of that turn. Not recorded. Default: the lash's, else never.
   */
  readonly compaction?: CompactionOptions;
}

export interface CompactionOptions {
  /**
   * Share of the context window, above 0 and at most 1: a turn whose first prompt would be longer makes the conversation shorter
   * before it asks the model. Needs `model.contextWindowTokens`, and a provider that tells how long prompts were. Default: none.
   */
  readonly at?: number;
  /** A model call that fails because its prompt was too long is made again with a shorter conversation. Default false. */
  readonly onOverflow?: boolean;
  /** Default: that of the session's plugins, else `summarize()` of `lash-runtime/compaction`. */
  readonly with?: Compactor;
}

export interface TokenBudget {
  /** At least 1. The call that uses them up is finished. */
  readonly tokens: number;
}

export interface LashOptions extends AskOptions, WaitOptions {
  readonly provider?: Provider;
  readonly model?: ModelOptions;
  /** Where sessions live. Default `memory()`: everything ends with the process. */
  readonly store?: Store;
  readonly tools?: readonly Tool[];
  /**
   * Makes the JSON Schema of tools whose schema library gives none: `zodToJsonSchema` of `zod-to-json-schema`, `toJsonSchema` of
   * `@valibot/to-json-schema`, or your own. Asked where a tool has neither `inputSchema` nor a `toJsonSchema` of its own.
   */
  readonly toJsonSchema?: ToJsonSchema;
  /**
   * Names of tools that were dropped on purpose. A turn that was accepted with one of them goes on here, and its calls of that tool
   * fail as `tool_unavailable`; without its name here such a turn waits for a process that has the tool (`tool_missing`). A tool that
   * is given is there, whatever this says.
   */
  readonly retiredTools?: readonly string[];
  /**
   * What a session is opened with, by its id. Asked whenever this lash opens a session: for `recover()`, for drains, for answers and
   * timers that wake a turn, and as the base of `openSession` and `resume`, whose own options win field by field. The lash's options
   * stand beneath both; its tools and plugins are always there. A child that is opened without its parent gets provider, tools and
   * retired tools of its parent's, where this says nothing for the child.
   *
   * Where it throws, or gives what are no options, opening fails with `session_options_failed`, and a turn in flight stays there.
   */
  readonly sessionOptions?: (sessionId: string) => SessionOptions | Promise<SessionOptions>;
  /** Of all sessions, in this order: `plugin(...)` of `lash-runtime/plugins`. */
  readonly plugins?: readonly Plugin[];
  /** First part of the system prompt of all sessions; not recorded with them. */
  readonly prompt?: Prompt;
  /** Most model calls of one turn. Default 64; null lifts it. */
  readonly maxTurns?: number | null;
  /** Longest a turn may take, in milliseconds. Default: none. */
  readonly timeoutMs?: number;
  /** Most tokens that the model calls of a turn may use together. Default: none. */
  readonly budget?: TokenBudget;
  /** When turns of all sessions make room for themselves. Default: never. */
  readonly compaction?: CompactionOptions;
  /**
   * Who runs inputs for the next turn, queued work and session commands once they are durable. `host` (default): your calls of
   * `session.queuedTurn()`. `auto`: this lash, in the background, in any session that it has open; also what a dead process left
   * in it, when it is opened, resumed or recovered. What happens then is seen by `session.watch()`; failures are logged.
   */
  readonly drain?: "auto" | "host";
  /** `journaled` survives crashes and is the default on durable stores; `inline` keeps nothing in flight. */
  readonly effects?: "journaled" | "inline";
  readonly protocol?: ProtocolDriver;
  /** `active_path_only` leaves branches in the store; default `keep_all`. */
  readonly residency?: "keep_all" | "active_path_only";
  /** Times a turn may be taken up from a dead owner without getting any further; then it ends as `runtime_error`. Default 5. */
  readonly maxRecoveries?: number;
  readonly lease?: Partial<LeaseTimings>;
  /** `childSessions()` of `lash-runtime/children`, for `session.children` and `call.children`. */
  readonly children?: ChildSupport;
  /** Largest inputs, images, model responses, tool arguments and results; those left out keep their defaults. */
  readonly limits?: Partial<Limits>;
  /** Keeps what happened, for observers that come late or come back. Default: `inMemoryLiveReplay()`. */
  readonly liveReplay?: LiveReplayStore;
  /** Receives XState inspection events of every actor of every session. */
  readonly inspect?: Inspect;
  /**
   * Records of what happens, for diagnosis: `{ sink: jsonlTrace("trace.jsonl") }` of `lash-runtime/trace/node`. Nothing a sink does
   * reaches a turn. Default: no trace.
   */
  readonly trace?: TraceOptions;
  /** Default: warnings and errors to the console. */
  readonly logger?: Logger;
  /**
   * Secrets that only you know of, taken out of what providers and tools report as errors before it is stored, traced, logged,
   * shown or thrown: texts and regular expressions, each of whose occurrences becomes `[redacted]`, or a function that gives a
   * text without them. Keys, tokens, passwords, cookies and credentials in URLs go anyway. Answers, results and arguments are
   * kept as they are. Called for every error, so it has to be fast on any text; a function that throws is logged once, and then
   * the built-in rules alone apply.
   */
  readonly redact?: RedactRules;
  readonly clock?: Clock;
  /** Signs the keys of pending tool calls: 64 hex digits. Default: one made with the store and kept in it. */
  readonly waitSecret?: string;
  /** Fresh random ids; for tests that want them fixed. */
  readonly newId?: () => string;
}

export interface Completions {
  /**
   * Answers a pending tool call, from any process that has the store. The first answer wins; one that comes before the
   * turn waits is kept. Durable when it resolves.
   *
   * @param key - from `call.completionKey()`.
   */
  resolve(key: string, resolution: Resolution): Promise<ResolveOutcome>;
}

/** Which turn of which session. */
export interface TurnAddress {
  readonly sessionId: string;
  readonly turnId: string;
}

export interface RecoverOptions {
  readonly atOnce?: number;
  readonly signal?: AbortSignal;
  readonly onActivity?: (activity: TurnActivity, turn: TurnAddress) => void | Promise<void>;
}

export interface Maintenance {
  /** Ids of a session's nodes off its active path, in storage order. */
  orphans(sessionId: string): Promise<readonly string[]>;
  /** Hides nodes from every read. @returns how many. */
  tombstone(sessionId: string, nodeIds: readonly string[]): Promise<number>;
  /**
   * Removes what was tombstoned in a session, deleted or not. Where sessions were deleted since the last call, a SQLite file is
   * also written anew, so that nothing of them is left in it or in its log: other writers wait for as long as that takes, and it
   * needs free space of twice the size of the file. Stored components (plugin states, prompts) go with `collect()`, to be called
   * before this.
   *
   * @param sessionId - left out: only writes the file anew, whatever was deleted.
   * @throws LashError `store_unavailable` - others were reading all the time; what was deleted may still be in the files. Call again.
   */
  vacuum(sessionId?: string): Promise<VacuumReport>;
  /** Removes bytes that no commit came to name, of intents up to that moment (epoch ms); what a turn in flight names stays. */
  sweepAttachments(cutoffMs: number): Promise<SweepReport>;
  /** Removes stored components that no session needs any more. */
  collect(): Promise<GcReport>;
}

const OPTIONS = [
  "provider", "model", "store", "tools", "plugins", "prompt", "maxTurns", "timeoutMs", "budget", "compaction", ...ASK_OPTIONS, "effects", "protocol", "residency", "lease", "inspect", "logger", "clock", "newId", "waitSecret", "maxRecoveries", "limits",
  "trace", "redact", "drain", "children", "liveReplay", "toJsonSchema", "retiredTools", "sessionOptions", ...WAIT_OPTIONS,
];
const SESSION_OPTIONS = ["provider", "model", "tools", "plugins", "pluginOptions", "prompt", "maxTurns", "timeoutMs", "budget", "compaction", "retiredTools", ...ASK_OPTIONS];

export function checkResolution(resolution: Resolution, limits: Limits): void {
  const { status } = { ...resolution };
  if (status === "ok") assertJson((resolution as { payload: unknown }).payload, { field: "resolution.payload", limit: "toolResultBytes", limits });
  else if (status === "err") {
    const { code, message } = { ...(resolution as { payload?: { code?: unknown; message?: unknown } }).payload };
    if (typeof code !== "string" || typeof message !== "string") throw invalidArgument("resolution.payload", "{ code, message } with texts");
  } else if (status !== "timeout" && status !== "cancelled") {
    throw invalidArgument("resolution.status", '"ok", "err", "timeout" or "cancelled"');
  }
}

export function checkOptions(options: LashOptions): void {
  refuseUnknown(options, OPTIONS, "createLash options");
  const { store, effects, residency, provider, waitSecret, maxRecoveries, drain } = options;
  if (store !== undefined && (typeof store !== "object" || store === null || !("engine" in store))) {
    throw invalidArgument("store", "made by memory(), sqlite(path), indexedDb(name) or another store factory");
  }
  if (waitSecret !== undefined && !(typeof waitSecret === "string" && /^[0-9a-f]{64}$/.test(waitSecret))) {
    throw invalidArgument("waitSecret", "64 hexadecimal digits in lower case");
  }
  if (maxRecoveries !== undefined && !(maxRecoveries >= 0)) throw invalidArgument("maxRecoveries", "a number of at least 0; Infinity for no limit");
  if (effects !== undefined && effects !== "journaled" && effects !== "inline") throw invalidArgument("effects", '"journaled" or "inline"');
  if (drain !== undefined && drain !== "auto" && drain !== "host") throw invalidArgument("drain", '"auto" or "host"');
  if (residency !== undefined && residency !== "keep_all" && residency !== "active_path_only") {
    throw invalidArgument("residency", '"keep_all" or "active_path_only"');
  }
  checkShared(options);
  checkSeams(options);
  asksOf(options, options.toJsonSchema);
  redactorOf(options.redact);
  waitOf(options);
  checkCompaction(options.compaction, options.model?.contextWindowTokens);
  toolsByName(describedTools(options.tools ?? [], options.toJsonSchema));
  checkPlugins(options.plugins);
  leaseTimingsOf(options.lease);
  if (options.limits !== undefined) checkLimits(options.limits);
  if (provider) modelOf(options.model, provider);
}

export function checkAddress(sessionId: string, turnId: string): void {
  for (const [field, id] of [["sessionId", sessionId], ["turnId", turnId]] as const) {
    checkedId(id, field, "an id that is not blank");
  }
}

/** @returns the grace in milliseconds; undefined for no limit. */
export function checkClose(options: { readonly graceMs?: number }): number | undefined {
  refuseUnknown(options, ["graceMs"], "close options");
  const { graceMs } = options;
  if (graceMs !== undefined && !(graceMs >= 0)) throw invalidArgument("graceMs", "a number of milliseconds of at least 0");
  return graceMs;
}

export function checkRecover(options: RecoverOptions): void {
  refuseUnknown(options, ["signal", "onActivity", "atOnce"], "recover options");
  const { signal, onActivity, atOnce } = options;
  if (atOnce !== undefined && !(Number.isSafeInteger(atOnce) && atOnce > 0)) throw invalidArgument("atOnce", "a positive integer");
  checkedSignal(signal);
  if (onActivity !== undefined && typeof onActivity !== "function") throw invalidArgument("onActivity", "a function");
}

function checkLimits(limits: unknown): void {
  if (typeof limits !== "object" || limits === null) throw invalidArgument("limits", "an object with limits by name");
  resolveLimits(limits);
}

/** Parts that hosts bring for tests and hosting. */
function checkSeams({ sessionOptions, toJsonSchema, clock, logger, newId, protocol, inspect, lease, trace, children, liveReplay }: LashOptions): void {
  if (trace !== undefined) {
    refuseUnknown(trace, ["sink", "level", "context"], "trace");
    if (!isFunctionAt(trace.sink, "openTrace")) throw invalidArgument("trace.sink", "made by jsonlTrace(path), memoryTrace() or traceSink({ append }) of lash-runtime/trace");
  }
  if (sessionOptions !== undefined && typeof sessionOptions !== "function") throw invalidArgument("sessionOptions", "a function that gives the options of a session by its id");
  if (clock !== undefined && !["now", "monotonic", "sleep", "setTimer"].every((name) => isFunctionAt(clock, name))) {
    throw invalidArgument("clock", "an object with now, monotonic, sleep and setTimer");
  }
  if (logger !== undefined && typeof logger !== "function") throw invalidArgument("logger", "a function that takes a record");
  if (newId !== undefined && typeof newId !== "function") throw invalidArgument("newId", "a function that gives a fresh id");
  if (protocol !== undefined && !isFunctionAt(protocol, "onModelReply")) throw invalidArgument("protocol", "a protocol driver");
  if (inspect !== undefined && typeof inspect !== "function" && !isFunctionAt(inspect, "next")) throw invalidArgument("inspect", "a function or an observer");
  if (children !== undefined && !isFunctionAt(children, "connect")) throw invalidArgument("children", "childSessions() of lash-runtime/children");
  if (liveReplay !== undefined && !LIVE_REPLAY.every((name) => isFunctionAt(liveReplay, name))) {
    throw invalidArgument("liveReplay", `made by inMemoryLiveReplay(options), or an object with ${LIVE_REPLAY.join(", ")}`);
  }
  if (toJsonSchema !== undefined && typeof toJsonSchema !== "function") throw invalidArgument("toJsonSchema", "a function that makes a JSON Schema of a schema");
  if (lease !== undefined) refuseUnknown(lease, ["ttlMs", "renewMs"], "lease");
}

const LIVE_REPLAY: readonly (keyof LiveReplayStore)[] = ["append", "replayAfterCursor", "subscribeAfterCursor", "currentCursor", "trimSession", "restart", "forget"];

const isFunctionAt = (value: unknown, name: string): boolean =>
  typeof value === "object" && value !== null && typeof (value as Readonly<Record<string, unknown>>)[name] === "function";

export function checkSession(id: string, options: SessionOptions): void {
  checkedId(id, "id", "a session id that is not blank");
  checkSessionOptions(options, "openSession options");
}

/** @param given - names them in the error. */
export function checkSessionOptions(options: SessionOptions, given: string): void {
  refuseUnknown(options, SESSION_OPTIONS, given);
  checkShared(options);
}

/** What the host says of one turn's limits, over what was said before. */
export const limitsOf = ({ timeoutMs, budget }: Pick<SessionOptions, "timeoutMs" | "budget">, before: TurnLimits = {}): TurnLimits => ({
  ...before,
  ...(timeoutMs !== undefined && { timeoutMs }),
  ...(budget !== undefined && { tokens: budget.tokens }),
});

/** @param window - of the model that is asked where a turn names none. @throws LashError `invalid_argument` */
export function checkCompaction(compaction: CompactionOptions | undefined, window: number | undefined): void {
  if (compaction === undefined) return;
  refuseUnknown(compaction, ["at", "onOverflow", "with"], "compaction");
  const { at, onOverflow, with: compactor } = compaction;
  if (at !== undefined && !(typeof at === "number" && at > 0 && at <= 1)) throw invalidArgument("compaction.at", "a share of the context window, above 0 and at most 1");
  if (at !== undefined && window === undefined) throw invalidArgument("compaction.at", "given together with `model: { contextWindowTokens }`, of which it is a share");
  if (onOverflow !== undefined && typeof onOverflow !== "boolean") throw invalidArgument("compaction.onOverflow", "true or false");
  if (compactor !== undefined && typeof compactor !== "function") throw invalidArgument("compaction.with", "a function, such as summarize() of lash-runtime/compaction");
}

function checkTurnLimits({ timeoutMs, budget }: SessionOptions): void {
  if (timeoutMs !== undefined && !(Number.isSafeInteger(timeoutMs) && timeoutMs > 0)) throw invalidArgument("timeoutMs", "a positive whole number of milliseconds");
  if (budget === undefined) return;
  refuseUnknown(budget, ["tokens"], "budget");
  if (!(Number.isSafeInteger(budget.tokens) && budget.tokens > 0)) throw invalidArgument("budget.tokens", "a positive whole number");
}

export function checkShared({ provider, prompt, maxTurns, tools, retiredTools, model, timeoutMs, budget }: SessionOptions): void {
  checkTurnLimits({ ...(timeoutMs !== undefined && { timeoutMs }), ...(budget !== undefined && { budget }) });
  if (provider !== undefined && !isFunctionAt(provider, "complete")) throw invalidArgument("provider", "a provider, such as aiSdk(model)");
  const wire = wireProblem(provider?.wire);
  if (wire !== null) throw invalidArgument(`provider.${wire.field}`, wire.expected);
  if (prompt !== undefined) layerOf(prompt, "core");
  if (tools !== undefined && !Array.isArray(tools)) throw invalidArgument("tools", "an array of tool(...)");
  if (retiredTools !== undefined && !(Array.isArray(retiredTools) && retiredTools.every((name) => typeof name === "string" && name !== ""))) {
    throw invalidArgument("retiredTools", "an array of names of tools");
  }
  if (maxTurns !== undefined && maxTurns !== null && !(Number.isSafeInteger(maxTurns) && maxTurns > 0)) {
    throw invalidArgument("maxTurns", "a positive integer, or null for no limit");
  }
  if (model === undefined) return;
  refuseUnknown(model, ["id", "variant", "contextWindowTokens", "outputTokenCapacity", "media"], "model");
  if (model.media !== undefined && !isMediaList(model.media)) throw invalidArgument("model.media", 'a list of media types, such as "image/png" or "image/*"');
  for (const field of ["contextWindowTokens", "outputTokenCapacity"] as const) {
    const limit = model[field];
    if (limit !== undefined && !(Number.isSafeInteger(limit) && limit > 0)) throw invalidArgument(`model.${field}`, "a positive integer");
  }
  if (model.id !== undefined && (typeof model.id !== "string" || model.id.trim() === "")) throw invalidArgument("model.id", "a model id that is not blank");
}

/** Those of a lash or a parent that a child session gets. */
export const visibleTools = (tools: readonly Tool[], assignment: ChildAssignment | undefined): readonly Tool[] =>
  assignment?.hiddenTools ? tools.filter(({ name }) => !assignment.hiddenTools?.includes(name)) : tools;

/** What plugins bring along knows more than this. @throws LashError `invalid_argument`, `plugin_registration`. */
export function checkPlugins(plugins: readonly Plugin[] = [], options: Readonly<Record<string, Json>> = {}, limits = resolveLimits(undefined)): void {
  const kit = Array.isArray(plugins) ? plugins.find((plugin) => plugin?.kit)?.kit : undefined;
  if (!kit && (!Array.isArray(plugins) || plugins.length > 0 || Object.keys(options).length > 0)) throw invalidArgument("plugins", "made by plugin(...) of lash-runtime/plugins");
  kit?.check(plugins, options, limits);
}

/** What a host says that models take. */
export const modelMediaOf = (options: ModelOptions | undefined, provider: Provider | undefined): readonly ModelMedia[] =>
  options?.media ? [{ model: options.id ?? provider?.modelId ?? "", media: options.media }] : [];

/** The host's model, else the one the provider wraps; no id anywhere is a mistake in the wiring. */
export function modelOf(options: ModelOptions | undefined, provider: Provider | undefined): ModelSpec {
  const id = options?.id ?? provider?.modelId ?? "";
  if (provider && id === "") throw missingModelSpec(provider.id);
  const { contextWindowTokens, outputTokenCapacity, variant } = options ?? {};
  return {
    id,
    ...(variant !== undefined && { variant }),
    ...(contextWindowTokens !== undefined && {
      limits: { contextWindowTokens, ...(outputTokenCapacity !== undefined && { outputTokenCapacity }) },
    }),
  };
}

/** Renewal has to fit three times into a lease's life. */
export function leaseTimingsOf(lease: Partial<LeaseTimings> | undefined): LeaseTimings {
  const ttlMs = lease?.ttlMs ?? defaultLeaseTimings.ttlMs;
  const renewMs = lease?.renewMs ?? (lease?.ttlMs === undefined ? defaultLeaseTimings.renewMs : Math.max(1, Math.floor(ttlMs / 3)));
  if (!(ttlMs >= 1) || !(renewMs >= 1) || ttlMs < 3 * renewMs) throw leaseTimingsInvalid(ttlMs, renewMs);
  return { ttlMs, renewMs };
}
