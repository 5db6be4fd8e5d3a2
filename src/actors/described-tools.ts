// Tools as a lash uses them: those that cannot describe their arguments are described by the lash's converter.

import type { ToJsonSchema, Tool } from "../tools/contract.ts";

/** @throws LashError `tool_schema_missing`, `invalid_argument`. */
export const describedTools = (tools: readonly Tool[], toJsonSchema: ToJsonSchema | undefined): readonly Tool[] => tools.map((tool) => describedTool(tool, toJsonSchema));

/** What is no tool at all is for others to refuse. @throws as `describedTools`. */
export const describedTool = (tool: Tool, toJsonSchema: ToJsonSchema | undefined): Tool =>
  typeof tool?.describedBy === "function" ? tool.describedBy(toJsonSchema) : tool;
