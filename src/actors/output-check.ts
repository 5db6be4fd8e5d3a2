// What a turn is to end with, read from an answer and checked (ME-17). The check is part of the model call's outcome, so that a replay
// decides as it was decided then, whichever schema is at hand.

import { errorText } from "../domain/error-mapping.ts";
import { isJson, type Json, type JsonObject } from "../domain/json.ts";
import { messageText } from "../domain/messages.ts";
import { answerOf, draftsOf } from "../domain/answer-parts.ts";
import type { OutputCheck } from "../machines/effects.ts";
import type { LlmResponse } from "../providers/contract.ts";
import type { TurnPlan } from "./turn-plan.ts";

/** Checks a value against a JSON Schema. @returns what is wrong, or null. */
export type CheckJson = (schema: JsonObject, value: Json) => Promise<string | null>;

type Answer = Omit<LlmResponse, "fullText" | "providerUsage">;

/** Undefined where nothing is asked for, or the answer is none yet: it calls tools, or was cut off. */
export async function checkedOutput(response: Answer, plan: TurnPlan, checkJson: CheckJson): Promise<OutputCheck | undefined> {
  const { output } = plan.config.ask ?? {};
  if (!output || !isAnswer(response)) return undefined;
  const answer = answerOf({ ...response, fullText: "", usage: response.usage });
  const value = jsonIn(messageText({ role: "Assistant", parts: draftsOf(response.parts), ...(answer && { answer }) }));
  if (value === undefined) return { problem: "it is not JSON" };
  const problem = await problemOf(value, plan.validator, (said) => checkJson(output.schema, said));
  return problem === undefined ? { value } : { problem };
}

/** Whether the JSON Schema that was recorded is what an answer is checked by. */
export const needsJsonCheck = ({ config: { ask }, validator }: Pick<TurnPlan, "config" | "validator">): boolean => ask?.output !== undefined && !validator;

function isAnswer({ terminalReason, parts }: Answer): boolean {
  if (terminalReason !== "stop" && terminalReason !== "tool_use" && terminalReason !== "unknown") return false;
  return !parts.some((part) => part.type === "toolCall" && part.providerExecuted !== true);
}

const FENCE = "```";

/** Models that are asked for JSON like to put it into a fence of code. */
function jsonIn(text: string): Json | undefined {
  const trimmed = text.trim();
  const end = trimmed.lastIndexOf(FENCE);
  const isFenced = trimmed.startsWith(FENCE) && end > 0 && end === trimmed.length - FENCE.length;
  const candidates = isFenced ? [trimmed, trimmed.slice(trimmed.indexOf("\n") + 1, end)] : [trimmed];
  for (const candidate of candidates) {
    try {
      const value: unknown = JSON.parse(candidate);
      if (isJson(value)) return value;
    } catch {
      // The next one, or none.
    }
  }
  return undefined;
}

async function problemOf(value: Json, validator: TurnPlan["validator"], check: (value: Json) => Promise<string | null>): Promise<string | undefined> {
  if (!validator) return (await check(value)) ?? undefined;
  try {
    const { issues } = await validator["~standard"].validate(value);
    return issues?.map(({ message, path }) => [pathText(path), message].filter((part) => part !== "").join(": ")).join("; ");
  } catch (error) {
    return `the schema could not check it: ${errorText(error)}`;
  }
}

const pathText = (path: readonly unknown[] = []): string =>
  path.map((step) => String(typeof step === "object" && step !== null && "key" in step ? step.key : step)).join(".");
