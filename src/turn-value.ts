// The value that a turn ends with, as whoever has the schema wants to have it (ME-17).

import type { OutputSchema } from "./actors/turn-plan.ts";
import type { Json } from "./domain/json.ts";
import type { JsonSchema } from "./providers/contract.ts";
import type { StandardSchema } from "./tools/contract.ts";
import type { TurnResult } from "./turn-result.ts";

/** What `output` may be. */
export type Output = StandardSchema | JsonSchema | undefined;

/** Type of `result.value` for an `output`. */
export type ValueOf<Wanted extends Output> = Wanted extends StandardSchema<infer _Input, infer Value> ? Value : Json;

/** What is recorded is what the model said; a value that does not fit the schema of today stays that. */
export async function withValue<Value>(result: TurnResult, output: OutputSchema | undefined): Promise<TurnResult<Value>> {
  const { outcome, value } = result;
  if (!output || outcome.kind !== "finished" || outcome.finish !== "final_value") return result as TurnResult<Value>;
  try {
    const checked = await output.validator["~standard"].validate(value);
    return (checked.issues ? result : { ...result, value: checked.value }) as TurnResult<Value>;
  } catch {
    return result as TurnResult<Value>;
  }
}
