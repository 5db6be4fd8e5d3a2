// What a hook answers a tool call with, in the form in which calls are recorded.

import { copyJson } from "../domain/copy-json.ts";
import { failedOutput, type ToolCallOutput, type ToolFailure } from "../domain/tool-output.ts";

/** @param value - any JSON value. @throws TypeError - a cycle or a bigint. */
export const toolSuccess = (value: unknown): ToolCallOutput => ({ outcome: { status: "success", payload: copyJson(value ?? null) } });

/** A veto is a failure of class `permission_denied`, say. Default source: `policy`. */
export const toolFailure = (failure: Pick<ToolFailure, "class" | "code" | "message"> & Partial<ToolFailure>): ToolCallOutput => failedOutput({ source: "policy", ...failure });
