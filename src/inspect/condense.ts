// Copies any value into small, redacted JSON.
//   C1. Never throws and never returns a reference into its input.
//   C2. Work is bounded by the limits, not by the input: a 100 MB context costs what a 2 KB one costs.
//   C3. Nothing with a class is walked into: live handles do not leave the process.
import { isPlainObject } from "../domain/json.ts";
import type { InspectJson } from "./records.ts";
import { isSecretName, REDACTED, scrubSecrets } from "./secrets.ts";

/** How much of a value survives. */
export interface CondenseLimits {
  /** Levels of nesting; default 8. */
  readonly depth: number;
  /** Characters of a string; default 1,000. */
  readonly text: number;
  /** Entries of one array or object; default 50. */
  readonly entries: number;
  /** Values in all; default 1,000. */
  readonly values: number;
  /** Whether names say what is secret; default true. Not for charts: a state may well be called `refreshingToken`. */
  readonly secretNames: boolean;
}

export const DEFAULT_LIMITS: CondenseLimits = { depth: 8, text: 1000, entries: 50, values: 1000, secretNames: true };
/** Charts are walked whole: a cut chart draws wrong. */
export const CHART_LIMITS: CondenseLimits = { depth: 40, text: 2000, entries: 500, values: 20_000, secretNames: false };

/**
 * Host's say on a value before it leaves, on top of the built-in rules.
 *
 * @returns the value to show; return the value itself to leave it. What it throws is shown as redacted.
 */
export type Redact = (key: string, value: unknown) => unknown;

const DANGEROUS: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

/** @returns a JSON copy of `value`, with what was cut marked by `…`. */
export function condense(value: unknown, limits: CondenseLimits = DEFAULT_LIMITS, redact?: Redact): InspectJson {
  return new Condenser(limits, redact).copy("", value, 0);
}

class Condenser {
  private left: number;
  private readonly limits: CondenseLimits;
  private readonly redact: Redact | undefined;
  private readonly open = new Set<object>();

  constructor(limits: CondenseLimits, redact: Redact | undefined) {
    this.limits = limits;
    this.redact = redact;
    this.left = limits.values;
  }

  copy(key: string, input: unknown, depth: number): InspectJson {
    this.left -= 1;
    if (this.limits.secretNames && isSecretName(key) && input !== null && input !== undefined) return REDACTED;
    const value = this.redact ? this.applyRedact(key, input) : input;
    switch (typeof value) {
      case "string":
        return this.text(value);
      case "number":
        return Number.isFinite(value) ? value : String(value);
      case "boolean":
        return value;
      case "bigint":
        return `${value}n`;
      case "function":
        return `[function ${value.name || "anonymous"}]`;
      case "symbol":
        return value.toString();
      case "undefined":
        return null;
      case "object":
        return value === null ? null : this.object(value, depth);
    }
  }

  private applyRedact(key: string, value: unknown): unknown {
    try {
      return this.redact?.(key, value);
    } catch {
      return REDACTED;
    }
  }

  private text(value: string): string {
    const { text } = this.limits;
    if (value.length <= text) return scrubSecrets(value);
    // Scrubbed with some overlap first: a secret that straddles the cut would no longer look like one.
    return `${scrubSecrets(value.slice(0, text + 256)).slice(0, text)}… +${value.length - text} characters`;
  }

  private object(value: object, depth: number): InspectJson {
    if (this.open.has(value)) return "[circular]";
    const array = Array.isArray(value);
    if (!array && !isPlainObject(value)) return describe(value, (text) => this.text(text));
    const actor = actorId(value);
    if (actor !== undefined) return `[actor ${actor}]`;
    if (depth >= this.limits.depth || this.left <= 0) return array ? `[… ${value.length} items]` : "{…}";
    this.open.add(value);
    const copy = array ? this.array(value, depth) : this.fields(value as Readonly<Record<string, unknown>>, depth);
    this.open.delete(value);
    return copy;
  }

  private array(value: readonly unknown[], depth: number): InspectJson {
    const copy: InspectJson[] = [];
    for (const item of value) {
      if (copy.length >= this.limits.entries || this.left <= 0) {
        copy.push(`… ${value.length - copy.length} more`);
        break;
      }
      copy.push(this.copy("", item, depth + 1));
    }
    return copy;
  }

  private fields(value: Readonly<Record<string, unknown>>, depth: number): InspectJson {
    const copy: Record<string, InspectJson> = {};
    const keys = Object.keys(value);
    let kept = 0;
    for (const key of keys) {
      if (DANGEROUS.has(key)) continue;
      if (kept >= this.limits.entries || this.left <= 0) {
        copy["…"] = `${keys.length - kept} more`;
        break;
      }
      kept += 1;
      const field = read(value, key);
      if (field !== undefined) copy[key.length > 200 ? `${key.slice(0, 200)}…` : key] = this.copy(key, field, depth + 1);
    }
    return copy;
  }
}

/** Actor refs inside a plain wrapper (XState marks them by `xstate$$type`). */
function actorId(value: object): string | undefined {
  const { xstate$$type, id } = value as { xstate$$type?: unknown; id?: unknown };
  return xstate$$type === 1 && typeof id === "string" ? id : undefined;
}

function read(value: Readonly<Record<string, unknown>>, key: string): unknown {
  try {
    return value[key];
  } catch {
    return "[unreadable]";
  }
}

function describe(value: object, text: (value: string) => string): InspectJson {
  try {
    if (value instanceof Error) {
      const { code } = value as { code?: unknown };
      return { error: value.name, ...(typeof code === "string" ? { code } : {}), message: text(value.message) };
    }
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? "[Date invalid]" : value.toISOString();
    if (value instanceof Map || value instanceof Set) return `[${value.constructor.name} of ${value.size}]`;
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.constructor.name} of ${value.byteLength} bytes]`;
    const { sessionId, id } = value as { sessionId?: unknown; id?: unknown };
    if (typeof sessionId === "string" && typeof id === "string") return `[actor ${id}]`;
    return `[${value.constructor.name}]`;
  } catch {
    return "[object]";
  }
}
