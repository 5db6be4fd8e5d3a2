// Tool state: a registry's content as data, and back (PT-43). What comes back is hostile: a stored row or a host's own JSON.

import * as z from "zod/mini";
import { storeError } from "../../domain/errors.ts";
import { isToolId } from "../../domain/id-rules.ts";
import { deepFreeze, isPlainObject } from "../../domain/json.ts";
import { toolIdOf } from "../../domain/turn-config.ts";
import type { Tool } from "../contract.ts";
import type { ToolManifest, ToolState, ToolStateEntry } from "./contract.ts";
import { invalidTools } from "./sources.ts";

/** A tool that is listed. It is an orphan when no source offers its id. */
export interface Entry {
  readonly manifest: ToolManifest;
  readonly member: boolean;
}

/** Room for more changes than there will ever be: a number that cannot be counted on would match every generation. */
const MOST_GENERATIONS = 1_000_000_000_000;

const milliseconds = z.number().check(z.nonnegative());
const manifest = z.strictObject({
  id: z.string(),
  name: z.string(),
  description: z.string(),
  readOnly: z.boolean(),
  idempotent: z.boolean(),
  onInterrupted: z.enum(["retry", "report", "probe"]),
  scheduling: z.enum(["parallel", "serial"]),
  retryPolicy: z.nullable(z.strictObject({ maxAttempts: z.int().check(z.nonnegative()), baseDelayMs: milliseconds, maxDelayMs: milliseconds })),
});
const entry = z.strictObject({ manifest, orphaned: z.exactOptional(z.literal(true)), member: z.exactOptional(z.literal(false)) });
const isGeneration = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= MOST_GENERATIONS;

export function manifestOf(tool: Tool): ToolManifest {
  const { name, description, readOnly, idempotent, onInterrupted, execution, retry } = tool;
  return {
    id: toolIdOf(tool),
    name,
    description,
    readOnly,
    idempotent,
    onInterrupted: typeof onInterrupted === "function" ? "probe" : onInterrupted,
    scheduling: execution,
    retryPolicy: retry && { ...retry },
  };
}

/** @param offered - live tools by id: where there is one, its own manifest stands. */
export function exportState(count: number, entries: ReadonlyMap<string, Entry>, offered: ReadonlyMap<string, Tool>): ToolState {
  const tools = Object.create(null) as Record<string, ToolStateEntry>;
  for (const [id, { manifest: last, member }] of entries) {
    const live = offered.get(id);
    tools[id] = { manifest: live ? manifestOf(live) : last, ...(!live && { orphaned: true }), ...(!member && { member: false }) };
  }
  return deepFreeze({ generation: count, tools });
}

export interface ParsedState {
  readonly generation: number;
  readonly entries: ReadonlyMap<string, Entry>;
  /** Ids that were orphans when it was exported. */
  readonly orphaned: ReadonlySet<string>;
}

/**
 * Reads a state that its host gives.
 *
 * @throws LashError `tool_reconfigure_validation` - naming what is wrong with it.
 */
export function parseState(value: unknown): ParsedState {
  const parsed = read(value);
  if ("problem" in parsed) throw invalidTools(`no tool state: ${parsed.problem}`);
  return parsed;
}

/** @throws LashError `stored_row_invalid`. */
export function parseStoredState(value: unknown): ParsedState {
  const parsed = read(value);
  if ("problem" in parsed) throw storeError("stored_row_invalid", `what is stored as the state of the session's tools is none: ${parsed.problem}`);
  return parsed;
}

/** Entry by entry: a record's keys are ids, and what a schema library makes of `__proto__` is its own business. */
function read(value: unknown): ParsedState | { readonly problem: string } {
  if (!isPlainObject(value) || !isPlainObject(value["tools"])) return { problem: "expected { generation, tools }" };
  const { generation } = value;
  if (!isGeneration(generation)) return { problem: "`generation` is no count" };
  const entries = new Map<string, Entry>();
  const orphaned = new Set<string>();
  const names = new Set<string>();
  for (const [id, member] of Object.entries(value["tools"])) {
    const parsed = entry.safeParse(member);
    if (!parsed.success) return { problem: `entry "${id}": ${parsed.error.issues[0]?.path.map(String).join(".") || "the entry"} is wrong` };
    const { manifest: its, orphaned: isOrphan, member: isMember = true } = parsed.data;
    if (!isToolId(id) || its.id !== id) return { problem: `entry "${id}" has the manifest of "${its.id}"` };
    if (its.name.trim() === "") return { problem: `entry "${id}" has a blank name` };
    if (isOrphan) orphaned.add(id);
    else if (names.has(its.name)) return { problem: `two entries are named "${its.name}"` };
    else names.add(its.name);
    entries.set(id, { manifest: its, member: isMember });
  }
  return { generation, entries, orphaned };
}
