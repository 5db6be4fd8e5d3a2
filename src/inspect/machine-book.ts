// Which charts have been seen, each under a name of its own.
import { isPlainObject } from "../domain/json.ts";
import { CHART_LIMITS, condense, type Redact } from "./condense.ts";
import type { InspectJson, MachineRecord } from "./records.ts";

/** What inspection may read of an XState actor; everything else is XState's own. */
export interface ActorLike {
  readonly sessionId: string;
  readonly id?: string;
  readonly getSnapshot?: () => unknown;
  readonly logic?: { readonly config?: unknown };
}

/** @returns the actor that created this one; XState keeps it under a private name that its own inspector reads too. */
export function parentOf(actor: ActorLike): ActorLike | undefined {
  const { _parent: parent } = actor as { readonly _parent?: ActorLike };
  return parent;
}

export class MachineBook {
  private readonly names = new WeakMap<object, string>();
  private readonly records = new Map<string, MachineRecord>();
  private readonly redact: Redact | undefined;

  constructor(redact: Redact | undefined) {
    this.redact = redact;
  }

  /** @returns the name of the actor's chart, and its record when this is its first sight. */
  of(actor: ActorLike): { readonly machine?: string; readonly fresh?: MachineRecord } {
    const config = actor.logic?.config;
    // Promise and callback logic has a function here; only machines have states.
    if (typeof config !== "object" || config === null || !("states" in config)) return {};
    const known = this.names.get(config);
    if (known !== undefined) return { machine: known };
    const machine = this.freshName((config as { id?: unknown }).id);
    const definition = chartJson(config, this.redact);
    this.names.set(config, machine);
    const fresh: MachineRecord = { type: "lash.machine", machine, definition };
    this.records.set(machine, fresh);
    return { machine, fresh };
  }

  all(): readonly MachineRecord[] {
    return [...this.records.values()];
  }

  /** Two machines may share an id (versions, tests): `turn`, then `turn#2`. */
  private freshName(id: unknown): string {
    const wanted = typeof id === "string" && id !== "" ? id : "machine";
    let name = wanted;
    for (let count = 2; this.records.has(name); count += 1) name = `${wanted}#${count}`;
    return name;
  }
}

/** @returns the chart as JSON: functions become their names, initial context is left out (it is data, not chart). */
export function chartJson(config: object, redact?: Redact): InspectJson {
  const { context: _context, ...chart } = config as Readonly<Record<string, unknown>>;
  return condense(namedFunctions(chart, 0), CHART_LIMITS, redact);
}

function namedFunctions(value: unknown, depth: number): unknown {
  if (typeof value === "function") {
    // XState's built-in actions and guards are functions that carry a type (`xstate.assign`).
    const { type, name, guards } = value as { type?: unknown; name: string; guards?: unknown };
    return { type: typeof type === "string" ? type : name || "inline", ...(Array.isArray(guards) ? { guards: namedFunctions(guards, depth + 1) } : {}) };
  }
  if (depth > CHART_LIMITS.depth || typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item: unknown) => namedFunctions(item, depth + 1));
  if (!isPlainObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, namedFunctions(item, depth + 1)]));
}
