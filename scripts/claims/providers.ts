// Requests on their way to a provider, and what comes back from it.

import { claimsOf } from "./claim.ts";

const CLASSIFY = "src/providers/classify.ts";
const PREPARE = "src/providers/prepare/prepare-request.ts";
const RETRY = "src/providers/retry.ts";
const FOREIGN = "src/providers/prepare/foreign-blocks.ts";

export const PROVIDERS = [
  ...claimsOf("test/runtime/facts.test.ts", [
    { id: "PP-14", title: "a provider that says nothing of itself is asked four times, 2, 4 and 8 s apart, and each attempt has 300 s", source: "src/providers/options.ts", find: "baseDelayMs: 2_000,", replace: "baseDelayMs: 1_000," },
    { id: "PP-14", title: "a provider that says nothing of itself is asked four times, 2, 4 and 8 s apart, and each attempt has 300 s", source: "src/providers/options.ts", find: "requestTimeoutMs: 300_000,", replace: "requestTimeoutMs: 400_000," },
    { id: "PP-14", title: "a provider that says nothing of itself is asked four times, 2, 4 and 8 s apart, and each attempt has 300 s", source: "src/providers/options.ts", find: "chunkTimeoutMs: 120_000,", replace: "chunkTimeoutMs: 130_000," },
    { id: "T-49", title: "every wait between two attempts of a model call says how long, which attempt, and why", source: RETRY, find: "waitSeconds: plan.delayMs / 1000,", replace: "waitSeconds: plan.delayMs," },
  ]),
  ...claimsOf("test/providers/classify.test.ts", [
    { id: "ER-12", title: "classification by status", source: CLASSIFY, find: "408, 409, 425, 429,", replace: "408, 425, 429," },
    { id: "ER-13", title: "classification by text", source: CLASSIFY, find: " && !mentions(text, RATE_LIMITING)", replace: "" },
    { id: "PP-19", title: "Retry-After", source: CLASSIFY, find: "return Number(value) * 1000;", replace: "return Number(value);" },
  ]),
  ...claimsOf("test/providers/retry.test.ts", [
    { id: "ER-14", title: "throttle courtesy", source: RETRY, find: "const MIN_THROTTLE_CHARGE_MS = 1_000;", replace: "const MIN_THROTTLE_CHARGE_MS = 0;" },
    { id: "OP-21", title: "gives up after the last attempt and lists every call it made", source: RETRY, find: "if (plan === null) throw new ProviderError(failure, { cause, attempts, partial: said() });", replace: "if (plan === null) throw new ProviderError(failure, { cause, attempts: [], partial: said() });" },
    { id: "PP-11", title: "an unknown variant is refused without a call", source: RETRY, find: "checkVariant(request.modelVariant, provider.variants);", replace: "" },
  ]),
  ...claimsOf("test/providers/prepare.test.ts", [
    { id: "ME-2", title: "goes back to the model that gave it as it came, down to the request object", source: PREPARE, find: "request: isSame ? request :", replace: "request: isSame ? { ...request } :" },
    { id: "ME-4", title: "is sent again within a round of calls, until the user says more, where the model wants it so", source: "src/providers/prepare/conversation.ts", find: 'this.#receiver.wire.replayReasoning === "sinceLastUser" && hasUnsigned(named.message)', replace: 'this.#receiver.wire.replayReasoning === "always" && hasUnsigned(named.message)' },
    { id: "ME-14", title: "what is sent has none of the faults that receivers refuse", source: PREPARE, find: 'return this.#wire.firstMessage === "user" ? fromUser(turns) : turns;', replace: "return turns.length < 0 ? fromUser(turns) : turns;" },
    { id: "ME-3", title: "goes to another model without what is bound to its origin, and with what was done", source: FOREIGN, find: "      const { responseMeta: _bound, ...text } = block;\n      return textToSend(text, receiver);", replace: "      return textToSend(block, receiver);" },
    { id: "ME-3", title: "nothing that was said or done is lost for another model", source: FOREIGN, find: "return textBlock(providerReturned(tool, readableResult(block.content), block.isError === true));", replace: "return undefined;" },
    { id: "ME-2", title: "goes back to the model that gave it as it came, down to the request object", source: PREPARE, find: "this.#isOwn = (origin) => origin !== undefined && isSame(origin, own);", replace: "this.#isOwn = (origin) => origin !== undefined && !isSame(origin, own);" },
  ]),
  ...claimsOf("test/runtime/last-pass.test.ts", [
    { id: "ME-14", title: "ids that a provider repeats are told apart on the wire, the same way after a restart; what is stored has its ids", source: "src/providers/prepare/call-ids.ts", find: "let id = round === 1 ? base : numberedId(base, round, this.#rule);\n    for (; this.#used.has(id); id = numberedId(base, round, this.#rule)) round += 1;", replace: "const id = base;" },
    { id: "ME-14", title: "a model is shown names that it takes; whoever watches, hooks or reads is told ours", source: "src/providers/prepare/legal-name.ts", find: "const base = isLegalName(name, rule) ? name : mended(name, rule);", replace: "const base = name.length > 0 ? name : mended(name, rule);" },
    { id: "ME-14", title: "text that is half a character is whole on the wire, wherever it comes from, and stored as it was", source: "src/providers/prepare/unicode.ts", find: "(text.isWellFormed() ? text : text.toWellFormed())", replace: "(text.isWellFormed() ? text : text)" },
  ]),
  ...claimsOf("test/providers/liveness.test.ts", [
    { id: "ME-13", title: "are signs of life: one request, however long the model thinks", source: "src/providers/ai-sdk/live-fetch.ts", find: "        listener();\n", replace: "" },
  ]),
  ...claimsOf("test/providers/fallback.test.ts", [
    { id: "ME-21", title: "the next one answers; what the first had shown is taken back, and all attempts are told", source: "src/providers/fallback-chain.ts", find: "if (!next || !failure.retryable || call.signal.aborted)", replace: "if (!next || failure.retryable || call.signal.aborted)" },
  ]),
  ...claimsOf("test/runtime/reported-usage.test.ts", [
    { id: "PP-5", title: "as tokens has answered all the same: that number is not counted, and a warning says so", source: "src/domain/usage.ts", find: 'typeof value === "number" && value >= 0 && value <= MOST_TOKENS', replace: 'typeof value === "number"' },
    { id: "PP-5", title: "an answer that a plugin gives in place of the provider's is held to the same", source: "src/plugins/stream-hooks.ts", find: "return { ...response, usage: countedUsage(response.usage) };", replace: "return response;" },
    { id: "PP-5", title: "questions of tools and what a compactor says are held to the same", source: "src/actors/compaction.ts", find: "...(made.usage && { usage: countedUsage(made.usage) })", replace: "" },
    { id: "PP-5", title: "what is said while it speaks is held to the same", source: "src/providers/accumulate.ts", find: "    return countedUsage(reported);", replace: "    return reported;" },
    { id: "PP-5", title: "shares of a token are rounded, and a provider that reports nothing at all has reported nothing", source: "src/domain/usage.ts", find: "Math.round(value)", replace: "value" },
  ]),
  ...claimsOf("test/providers/wire.test.ts", [
    { id: "ME-14", title: "wire data that is malformed is refused by field", source: "src/providers/wire.ts", find: "if (value !== undefined && !rule[0](value)) return { field: `wire.${field}`, expected: rule[1] };", replace: "" },
  ]),
];
