// Redactor: takes secrets out of what providers and tools report as errors, before anybody keeps or shows it (ME-26).
//
// One per lash, made of the built-in rules (secrets/) and the host's. What a model said and what a tool gave is evidence and
// does not come here.

import { invalidArgument } from "./invalid-argument.ts";
import type { Json } from "./json.ts";
import type { Logger } from "./logger.ts";
import { redact } from "./redact.ts";
import { cleanCause } from "./secrets/clean-error.ts";
import { REDACTED, redactSecrets } from "./secrets/find.ts";
import type { ToolCallOutput } from "./tool-output.ts";

/**
 * Secrets that only the host knows of, taken out of errors on top of the built-in rules: texts and regular expressions, all of
 * whose occurrences become `[redacted]`, or a function that gives a text without them.
 */
export type RedactRules = readonly (string | RegExp)[] | ((text: string) => string);

interface SaidFailure {
  readonly code: string;
  readonly message: string;
  readonly raw?: Json;
}

export interface Redactor {
  text(text: string): string;
  /** A copy; members that are secret by name go whole. */
  json(value: Json): Json;
  /** For causes of errors, see `cleanCause`. */
  cause(cause: unknown): unknown;
  /** Of a tool, or of whoever answers for one. */
  failure<Failure extends SaidFailure>(failure: Failure): Failure;
  /** What a failed call says; a result comes back as it is. */
  output(output: ToolCallOutput): ToolCallOutput;
  /** Whether the host has rules of its own, which what is clean by the built-in ones still has to go through. */
  readonly hasRules: boolean;
}

const UNBOUNDED = { maxDepth: 200, maxValues: Infinity, maxTextLength: Infinity };

/** @throws LashError `invalid_argument` */
export function redactorOf(rules?: RedactRules, logger?: Logger): Redactor {
  const host = rules === undefined ? undefined : hostRules(rules, logger);
  const text = (source: string): string => (host === undefined ? redactSecrets(source) : host(redactSecrets(source)));
  const json = (value: Json): Json => redact(value, { ...UNBOUNDED, text });
  const failure = <Failure extends SaidFailure>(said: Failure): Failure => {
    const { code, message, raw } = said;
    return { ...said, code: text(code), message: text(message), ...(raw !== undefined && { raw: json(raw) }) };
  };
  return {
    text,
    json,
    failure,
    cause: (cause) => cleanCause(cause, text),
    output(output) {
      const { outcome, control } = output;
      if (outcome.status === "success" && control?.type !== "fail") return output;
      return {
        ...output,
        ...(outcome.status === "failure" && { outcome: { ...outcome, payload: failure(outcome.payload) } }),
        ...(control?.type === "fail" && { control: { ...control, failure: json(control.failure) } }),
      };
    },
    hasRules: host !== undefined,
  };
}

/** The built-in rules alone. */
export const builtInRedactor: Redactor = redactorOf();

function hostRules(rules: RedactRules, logger: Logger | undefined): (text: string) => string {
  if (typeof rules === "function") return guarded(rules, logger);
  if (!Array.isArray(rules)) throw invalidArgument("redact", "an array of texts and regular expressions, or a function");
  const patterns = rules.map((rule: unknown): string | RegExp => {
    if (typeof rule === "string" && rule !== "") return rule;
    if (rule instanceof RegExp) return new RegExp(rule.source, rule.flags.replace(/[gy]/g, "") + "g");
    throw invalidArgument("redact", "made of texts that are not empty and of regular expressions");
  });
  return (text) => patterns.reduce<string>((clean, pattern) => clean.replaceAll(pattern, REDACTED), text);
}

/** What a function does wrong costs nobody the error: the built-in rules have been applied, and the logger is told. */
function guarded(rule: (text: string) => string, logger: Logger | undefined): (text: string) => string {
  let isTold = false;
  return (text) => {
    try {
      const clean: unknown = rule(text);
      if (typeof clean === "string") return clean;
      throw new TypeError(`it gave ${clean === null ? "null" : typeof clean}`);
    } catch (error) {
      const isFirst = !isTold;
      // Before the logger is told: its records go through here, too.
      isTold = true;
      if (isFirst) logger?.({ level: "warn", event: "redact.failed", code: "invalid_argument", message: `the function \`redact\` failed, only the built-in rules apply: ${redactSecrets(error instanceof Error ? error.message : String(error))}` });
      return text;
    }
  };
}
