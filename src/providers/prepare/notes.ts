// What a model is told in place of what it cannot be sent. One place, so that the words stay the same: prompts are cached by them.

import type { IncompleteReason } from "../../domain/messages.ts";
import type { LlmTextBlock } from "../contract.ts";

export const textBlock = (text: string): LlmTextBlock => ({ type: "text", text });

export const EMPTY_USER_MESSAGE = "[empty message]";
export const OPENING = "[The beginning of this conversation is not shown.]";
export const NO_OUTPUT = "[no output]";
export const NO_RESULT = "[There is no result: the call was interrupted, or the conversation was continued from before it ended. Whether it ran is unknown.]";

const CUT_OFF: Readonly<Record<IncompleteReason, string>> = {
  output_limit: "it reached the output limit",
  content_filter: "a content filter stopped it",
  cancelled: "it was cancelled",
  failed: "the connection to the model failed",
};

export const cutOff = (reason: IncompleteReason): string => `[This answer was cut off: ${CUT_OFF[reason]}.]`;

export const called = (tool: string, input: string): string => `[Called ${tool} with ${input}]`;
export const returned = (tool: string, content: string, isError: boolean): string => `[${tool} ${isError ? "failed" : "returned"}]\n${content}`;
/** A result that stands where its call is not. */
export const lateResult = (tool: string, content: string, isError: boolean): string => `[An earlier call of ${tool} ${isError ? "failed" : "returned"}]\n${content}`;

export const providerCalled = (tool: string, input: string): string => `[The provider ran ${tool} with ${input}]`;
export const providerReturned = (tool: string, result: string, isError: boolean): string => `[${tool} of the provider ${isError ? "failed" : "returned"}]\n${result}`;

export const notTaken = (mime: string, filename: string | undefined): string => `[${fileOf(mime, filename)} is not shown: this model does not take it]`;
export const madeFile = (mime: string, filename: string | undefined): string => `[The model made ${fileOf(mime, filename)}]`;

const fileOf = (mime: string, filename: string | undefined): string => (filename === undefined ? `a file of type ${mime}` : `the file ${filename} of type ${mime}`);
