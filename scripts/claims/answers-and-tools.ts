// What is stored of answers, what tools are told and tell, and how turns end early.

import { claimsOf } from "./claim.ts";

const ARGUMENTS = "src/actors/turn/tools/arguments.ts";
const MOVES = "src/machines/turn.moves.ts";
const SHOWN = "src/domain/shown-result.ts";
const TELL = "src/domain/tell-value.ts";
const VIEW = "src/actors/prompt-view.ts";

export const ANSWERS_AND_TOOLS = [
  ...claimsOf("test/runtime/tool-truth.test.ts", [
    { id: "ME-7", title: "an object behind a byte order mark, or with a field twice, is read as parsers do", source: ARGUMENTS, find: "text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text", replace: "text" },
    { id: "ME-7", title: "the position counts from the first character of the text itself", source: ARGUMENTS, find: "`${fault.problem}, at position ${fault.position}`", replace: "`${fault.problem}, at position ${fault.position + 1}`" },
    { id: "ME-7", title: "a whole batch that is cut off runs none of its calls", source: ARGUMENTS, find: 'return { value: {}, refused: refused(fault ? `${fault.problem}, at position ${fault.position}` : "they cannot be parsed") };', replace: "return { value: fault ? {} : {} };" },
  ]),
  ...claimsOf("test/domain/tell-value.test.ts", [
    { id: "ME-8", title: "whatever it is, it is told: nothing is thrown, and what comes out is JSON within the limits", source: TELL, find: 'return this.#said(digitsOf(value), "bigint");', replace: "return value as never;" },
    { id: "ME-8", title: "JSON within the limits is told as it is, and nothing of it counts as converted", source: TELL, find: "return this.#plain(value);\n      case \"undefined\"", replace: "return this.#said(String(value), \"number\");\n      case \"undefined\"" },
  ]),
  ...claimsOf("test/runtime/tool-results.test.ts", [
    { id: "ME-9", title: "a result of more than 64 KiB is shown in part", source: SHOWN, find: "if (part.shownBytes === undefined) return part.content;", replace: "if (part.shownBytes !== -1) return part.content;" },
    { id: "ME-9", title: "counts UTF-8 bytes of the text that is sent, values as JSON", source: "src/actors/turn/tools/result.ts", find: "content.length * 3 <= most || utf8Length(content) <= most", replace: "content.length <= most" },
  ]),
  ...claimsOf("test/runtime/early-ends.test.ts", [
    { id: "ME-10", title: "64 where nobody says anything, and the error names the option", source: MOVES, find: "raise \\`maxTurns\\`, or lift it with null`", replace: "that is all`" },
    { id: "ME-10", title: "the call that uses the budget up is finished with its tools, and none follows; cached tokens count", source: MOVES, find: "const spent = totalTokens(usage);", replace: "const spent = usage.inputTokens + usage.outputTokens;" },
    { id: "ME-10", title: "a model that is still at it is stopped, and what it had said is kept", source: MOVES, find: "export function stopExpired(protocol: ProtocolDriver, context: TurnContext, event: TurnEvent, enqueue: Enqueue): void {\n  enqueue.assign({ ...withWhatWasDone(protocol, context, event, enqueue), afterCheckpoint: null });", replace: "export function stopExpired(_protocol: ProtocolDriver, _context: TurnContext, _event: TurnEvent, enqueue: Enqueue): void {\n  enqueue.assign({ afterCheckpoint: null });" },
  ]),
  ...claimsOf("test/runtime/cancel.test.ts", [
    { id: "ME-11", title: "a cancel in the middle of a stream keeps what was said, as cut off", source: MOVES, find: "if (said.length === 0) return [];", replace: "if (said.length >= 0) return [];" },
    { id: "T-63", title: "a cancel during the wait between two attempts ends the turn at once", source: "src/providers/retry.ts", find: "call.clock.sleep(plan.delayMs, call.signal)", replace: "call.clock.sleep(plan.delayMs)" },
  ]),
  ...claimsOf("test/runtime/shown-to-model.test.ts", [
    { id: "T-37", title: "a system message is a runtime note in its place; outputs and errors in it are marked as such", source: VIEW, find: "`Runtime note:\\n${", replace: "`${" },
    { id: "T-37", title: "a system message is a runtime note in its place; outputs and errors in it are marked as such", source: VIEW, find: "return `<error>${textOf(part)}</error>`", replace: "return textOf(part)" },
    { id: "T-37", title: "an event of an earlier turn is told as a user's message that says what it is", source: VIEW, find: "`Runtime event:\\n${", replace: "`${" },
    { id: "T-39", title: "a cleared part says so, a deleted one shows its breadcrumb, a summarized one its summary; nothing of what they held is sent", source: VIEW, find: 'if (pruneState === "Cleared") return "[content cleared]";', replace: 'if (pruneState === "Cleared") return part.content;' },
    { id: "T-39", title: "a pruned image is a note and no bytes are asked for; so is an image in an answer", source: VIEW, find: "if (!part.attachment || part.pruneState !== undefined) return { type: \"text\", text: \"[Image attached]\" };", replace: "if (!part.attachment) return { type: \"text\", text: \"[Image attached]\" };" },
    { id: "T-39", title: "a pruned image is a note and no bytes are asked for; so is an image in an answer", source: VIEW, find: "    case \"Image\":\n      return { type: \"text\", text: \"[Image attached]\" };", replace: "    case \"Image\":\n      return undefined;" },
  ]),
  ...claimsOf("test/runtime/outcomes.test.ts", [
    { id: "T-25", title: "raw provider text over 4,000 characters keeps its head and tail", source: "src/providers/failure.ts", find: "raw.slice(0, RAW_LIMIT / 2) + raw.slice(-RAW_LIMIT / 2)", replace: "raw.slice(0, RAW_LIMIT)" },
    { id: "T-47", title: "a retryable failure is tried four times by default, another is not tried again", source: "src/providers/options.ts", find: "maxAttempts: 4,", replace: "maxAttempts: 3," },
  ]),
  ...claimsOf("test/runtime/asks.test.ts", [
    { id: "ME-17", title: "that does not fit is asked for again, twice, with the problem named", source: MOVES, find: "const MOST_OUTPUT_ASKS = 2;", replace: "const MOST_OUTPUT_ASKS = 1;" },
    { id: "ME-17", title: "that never fits ends the turn, names what is wrong, and leaves the session usable", source: MOVES, find: "schema of \\`output\\`: ${output.problem}`", replace: "schema of \\`output\\``" },
  ]),
  ...claimsOf("test/runtime/early-ends.test.ts", [
    { id: "ME-12", title: "is asked to go on at once with all it said, and people read one answer", source: "src/protocols/standard.ts", find: 'if (reply.terminalReason === "pause") return', replace: 'if (reply.terminalReason === "output_limit") return' },
    { id: "ME-12", title: "does not take input between, and counts against the limit", source: MOVES, find: "if (maxTurns !== null && iteration + 1 >= runOffset + maxTurns) {", replace: "if (maxTurns !== null && iteration + 1 >= runOffset + maxTurns + 1) {" },
  ]),
  ...claimsOf("test/runtime/live-inputs.test.ts", [
    { id: "ME-20", title: "watchers are told what it writes, under the name and the id of the call, and then of the call", source: "src/actors/live-inputs.ts", find: 'return this.#show({ type: "tool_input_ended", callId }, row.id);', replace: "return undefined;" },
    { id: "ME-20", title: "what an attempt had written is taken back with the attempt", source: "src/actors/live-inputs.ts", find: "return ids;", replace: "return ids.slice(ids.length);" },
  ]),
  ...claimsOf("test/runtime/whole-answers.test.ts", [
    { id: "ME-1", title: "the message says who was asked, what answered and how it ended", source: "src/domain/answer-parts.ts", find: "...(responseId !== undefined && { responseId }),", replace: "" },
    { id: "ME-6", title: "newlines between texts are told in their place, and texts that follow each other are one", source: "src/actors/live-text.ts", find: "void this.#show(id, missing);", replace: "" },
    { id: "ME-5", title: "results of a batch that failed say so to the provider", source: "src/actors/turn/tools/result.ts", find: '...(output.outcome.status !== "success" && { isError: true }),', replace: "" },
    { id: "ME-19", title: "a call that the provider runs is shown as its own and never run here, though a tool has its name", source: "src/domain/messages.ts", find: 'kind === "ToolCall" && providerExecuted !== true', replace: 'kind === "ToolCall" && (providerExecuted === true || providerExecuted !== true)' },
  ]),
  ...claimsOf("test/runtime/refused-media.test.ts", [
    { id: "ME-15", title: "ends its turn with the issue; the next one shows a note in its place, also after a restart", source: "src/actors/committer.ts", find: "if (!isRefused) return suspects;", replace: "if (isRefused || !isRefused) return suspects;" },
  ]),
  ...claimsOf("test/runtime/files.test.ts", [
    { id: "ME-18", title: "is refused before anything is durable, by every way in, with what it takes", source: "src/actors/taken-media.ts", find: "if (mime !== undefined && !takesMedia(taken.media, mime))", replace: "if (mime === undefined && !takesMedia(taken.media, mime ?? \"\"))" },
  ]),
  ...claimsOf("test/tools/tool-schema.test.ts", [
    { id: "ME-21", title: "zod 3 is refused by tool(), naming the tool and the ways out", source: "src/tools/input-schema.ts", find: 'if (input["~standard"].vendor === "zod") throw schemaMissing(name, input);', replace: "" },
  ]),
  ...claimsOf("test/runtime/waits.test.ts", [
    { id: "E-22", title: "waits that are revoked in the store fail their calls, which says so to the model, and the turn goes on", source: "src/actors/wait-desk.ts", find: 'if (found.state === "revoked") return "revoked";', replace: "" },
  ]),
  ...claimsOf("test/runtime/secrets.test.ts", [
    { id: "ME-26", title: "leaves none of them in store, trace, recording, log, activities, results and thrown errors", source: "src/domain/secrets/named.ts", find: "if (to > from && !isRedacted(text, from)) spans.add(from, to);", replace: "" },
  ]),
];
