// Providers and tools with one function replaced; everything else is read from the original, at the moment when it is asked for.

import type { Provider } from "../providers/contract.ts";
import type { Tool } from "../tools/contract.ts";

const PROVIDER_DATA = ["id", "modelId", "variants", "options", "streams", "wire"] as const;
const PROVIDER_METHODS = ["sameOrigin", "classify", "close"] as const;
const TOOL_DATA = [
  "id", "name", "description", "outputSchema", "inputSchema", "readOnly", "idempotent", "onInterrupted", "execution", "retry", "timeoutMs", "maxModelBytes",
  "readsResults", "dispatches",
] as const;
const TOOL_METHODS = ["validate", "cancel"] as const;

/** The provider with another `complete`. */
export const providerWith = (inner: Provider, complete: Provider["complete"]): Provider =>
  withDescriptors(forwarded(inner, PROVIDER_DATA, PROVIDER_METHODS), { complete }) as Provider;

/** The tool with another `run`. */
export function toolWith(inner: Tool, run: Tool["run"]): Tool {
  const { describedBy } = inner;
  return withDescriptors(forwarded(inner, TOOL_DATA, TOOL_METHODS), {
    run,
    // Gives another tool, which has to be watched, too.
    ...(describedBy && { describedBy: (convert: Parameters<typeof describedBy>[0]) => toolWith(describedBy.call(inner, convert), run) }),
  }) as Tool;
}

/** Fields as getters, because some change later and some throw until then; methods bound, because a class may have private fields. */
function forwarded<T extends object>(inner: T, data: readonly (keyof T)[], methods: readonly (keyof T)[]): object {
  const copy = {};
  for (const key of data) if (key in inner) Object.defineProperty(copy, key, { enumerable: true, get: () => inner[key] });
  for (const key of methods) {
    const method = inner[key];
    if (typeof method === "function") Object.defineProperty(copy, key, { enumerable: true, value: method.bind(inner) });
  }
  return copy;
}

const withDescriptors = (copy: object, more: object): object => Object.defineProperties(copy, Object.getOwnPropertyDescriptors(more));
