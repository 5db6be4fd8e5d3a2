/** Activities that are pieces of one text, which is told by its `correlationId`. */
export type DeltaType = "assistant_prose_delta" | "reasoning_delta" | "tool_input_delta";

export const isDeltaType = (type: unknown): type is DeltaType => type === "assistant_prose_delta" || type === "reasoning_delta" || type === "tool_input_delta";
