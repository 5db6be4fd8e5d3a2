// Sources of a registry: who offers which tools. Within all of them together an id and a name mean one tool (PT-38).

import { type LashError, toolError } from "../../domain/errors.ts";
import { isToolId, TOOL_ID } from "../../domain/id-rules.ts";
import { toolIdOf } from "../../domain/turn-config.ts";
import type { ToJsonSchema, Tool } from "../contract.ts";
import { describedTool } from "../../actors/described-tools.ts";
import type { ReadTools, ToolSourceHandle } from "./contract.ts";

export interface Source {
  readonly id: string;
  /** In place of tools that never change. */
  readonly read?: ReadTools | undefined;
  /** Of sources that were added to the open session. */
  readonly handle?: ToolSourceHandle;
  /** What it offered when it was asked last, by id. */
  readonly tools: ReadonlyMap<string, Tool>;
}

/** @throws LashError `tool_schema_missing`, or `tool_reconfigure_validation` - what a source offers are no tools, or tools that cannot be told apart. */
export function toolsById(sourceId: string, tools: unknown, toJsonSchema?: ToJsonSchema): ReadonlyMap<string, Tool> {
  if (!Array.isArray(tools)) throw invalidTools(`source "${sourceId}" must give an array of tool(...)`, { sourceId });
  const byId = new Map<string, Tool>();
  const names = new Set<string>();
  for (const [index, tool] of (tools as readonly Tool[]).entries()) {
    if (typeof tool?.run !== "function" || typeof tool.validate !== "function") {
      throw invalidTools(`source "${sourceId}": tools[${index}] must be made by tool(...)`, { sourceId });
    }
    const id = toolIdOf(tool);
    if (!isToolId(id)) throw invalidTools(`source "${sourceId}": the id of tools[${index}] must be ${TOOL_ID}`, { sourceId });
    if (typeof tool.name !== "string" || tool.name.trim() === "") throw invalidTools(`source "${sourceId}": the name of tool "${id}" is blank`, { sourceId, toolId: id });
    if (byId.has(id)) throw invalidTools(`source "${sourceId}" offers the id "${id}" twice`, { sourceId, toolId: id });
    if (names.has(tool.name)) throw invalidTools(`source "${sourceId}" offers the name "${tool.name}" twice`, { sourceId, tool: tool.name });
    byId.set(id, describedTool(tool, toJsonSchema));
    names.add(tool.name);
  }
  return byId;
}

/** @throws LashError `tool_reconfigure_validation` - two sources hold one id or one name. */
export function checkDisjoint(sources: readonly Source[]): void {
  const holders = new Map<string, string>();
  const claim = (kind: "id" | "name", value: string, sourceId: string): void => {
    const key = `${kind}:${value}`;
    const holder = holders.get(key);
    if (holder !== undefined) throw invalidTools(`sources "${holder}" and "${sourceId}" both offer a tool of the ${kind} "${value}"; rename one of them`, { [kind]: value, sources: [holder, sourceId] });
    holders.set(key, sourceId);
  };
  for (const { id: sourceId, tools } of sources) {
    for (const [id, { name }] of tools) {
      claim("id", id, sourceId);
      claim("name", name, sourceId);
    }
  }
}

export const invalidTools = (message: string, details: Readonly<Record<string, string | readonly string[]>> = {}): LashError =>
  toolError("tool_reconfigure_validation", message, { details });
