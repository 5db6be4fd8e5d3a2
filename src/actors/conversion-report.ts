// Results that had to be converted: whoever wired the tool hears of it once, as its result says so each time.

import type { Logger } from "../domain/logger.ts";
import type { ConvertedValue } from "../domain/tell-value.ts";
import type { Tool } from "../tools/contract.ts";

/** Tools that each logger was told of. */
const told = new WeakMap<Logger, WeakSet<Tool>>();

export function reportConversion({ logger, sessionId }: { readonly logger: Logger; readonly sessionId: string }, tool: Tool, converted: readonly ConvertedValue[]): void {
  const known = told.get(logger) ?? new WeakSet();
  if (known.has(tool)) return;
  told.set(logger, known.add(tool));
  const places = converted.map(({ path, from }) => `${path} (${from})`).join(", ");
  logger({ level: "warn", event: "tool.result_converted", sessionId, message: `tool "${tool.name}" returned what is no JSON or too much, and it was converted at ${places}; return JSON to have it shown as it is` });
}
