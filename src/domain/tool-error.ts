import type { ToolFailure } from "./tool-output.ts";

const brand = Symbol.for("lash-runtime.ToolError");

/**
 * Thrown by a tool to say more than "it failed": a class, a code, whether trying again is safe.
 * The model is shown class, code and message.
 */
export class ToolError extends Error {
  override readonly name = "ToolError";
  readonly failure: ToolFailure;

  constructor(failure: Pick<ToolFailure, "message"> & Partial<ToolFailure>, options?: { cause?: unknown }) {
    super(failure.message, options);
    this.failure = { class: "execution", code: "tool_failed", source: "tool", retry: { type: "never" }, ...failure };
  }

  get [brand](): true {
    return true;
  }

  static is(value: unknown): value is ToolError {
    return typeof value === "object" && value !== null && brand in value;
  }
}
