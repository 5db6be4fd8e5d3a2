// Arguments of a call as every provider takes them: the text of a JSON object.

import { wellFormedJsonText } from "./unicode.ts";

/** Where what a model wrote is shown to it when that is no JSON object. */
const UNREADABLE = "unreadable_arguments";

/** The text itself where it is the text of an object; what else a model wrote is kept in one. */
export function objectArguments(inputJson: string): string {
  if (inputJson.trim() === "") return "{}";
  const text = wellFormedJsonText(inputJson);
  if (isObjectText(text)) return text;
  const unmarked = text.startsWith("\uFEFF") ? text.slice(1) : text;
  return isObjectText(unmarked) ? unmarked : JSON.stringify({ [UNREADABLE]: text });
}

function isObjectText(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

/** The result of a provider's own tool without what only that provider can read. */
export function readableResult(json: string): string {
  const text = wellFormedJsonText(json);
  if (!/"encrypted/i.test(text)) return text;
  try {
    return JSON.stringify(JSON.parse(text, (key, value: unknown) => (/^encrypted/i.test(key) ? undefined : value))) ?? "null";
  } catch {
    return text;
  }
}
