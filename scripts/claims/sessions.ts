// Sessions, what is stored of them, who may drive their turns, and what hosts are told.

import { claimsOf } from "./claim.ts";

const MEANS = "src/domain/turn-means.ts";
const TURN_ERROR = "src/domain/turn-error.ts";
const PROMPT = "src/domain/prompt.ts";

export const SESSIONS = [
  ...claimsOf("test/runtime/facts.test.ts", [
    { id: "S-24", title: "is refused with the key of its row, and not read in part", source: "src/stores/persistence/policy-row.ts", find: "export const policyRow = z.strictObject({", replace: "export const policyRow = z.object({" },
    { id: "E-13", title: "one batch per answer of the model, and in it an effect of its own for each call and each attempt", source: "src/actors/turn/tools/plan.ts", find: "`${call.key}:attempt:${attempt}`;", replace: "`${call.key}:attempt:${attempt > 0 ? 1 : attempt}`;" },
    { id: "FA-21", title: "a blank turn id is refused before anything is durable", source: "src/turn-options.ts", find: 'id.trim() === ""', replace: 'id === " nothing "' },
  ]),
  ...claimsOf("test/runtime/durable-region.test.ts", [
    { id: "OP-7", title: "in a turn: whoever opens the session finishes what was left, unasked", source: "src/actors/session-runtime.ts", find: 'this.actors.durable !== "idle" || ', replace: "" },
    { id: "OP-7", title: "idle: opening looks for nothing that somebody left", source: "src/actors/session-runtime.ts", find: 'this.actors.durable !== "idle"', replace: "true" },
    { id: "OP-8", title: "parked: nobody drove it, so no attempt was lost", source: "src/stores/persistence/turn-takeover.ts", find: "abandoned && !isParked", replace: "abandoned" },
    { id: "S-82", title: "being deleted: opening goes on with the deletion and says that the id is used up", source: "src/stores/persistence/session-directory.ts", find: 'if (deletionIn(tx.get(turnControlKey(sessionId))) !== undefined) return "deleting";', replace: "" },
    { id: "S-82", title: "being deleted: recover goes on with the deletion, and not with the turn", source: "src/recovery.ts", find: "of deleting) {", replace: "of deleting.slice(1)) {" },
    { id: "S-84", title: "a session that was deleted under its turn is not brought back by reading it again", source: "src/machines/session.machine.ts", find: 'or([stateIn({ durable: "deleting" }), stateIn({ durable: "retired" })])', replace: '() => or.length < 0' },
  ]),
  ...claimsOf("test/runtime/session-commands.test.ts", [
    { id: "I-47", title: "a command whose session cannot be read again says so, with what the store said, and stays queued until it can", source: "src/actors/command-drain.ts", find: 'await step("session_command_refresh", async () => residence.refresh(await sessions.headRevision(sessionId)));', replace: "await refresh(await sessions.headRevision(sessionId));" },
  ]),
  ...claimsOf("test/runtime/who-may-drive.test.ts", [
    { id: "ME-22", title: "the refusal writes nothing at all: the store holds the same rows before and after", source: MEANS, find: "return missing.length > 0 ? { kind: \"tools\"", replace: "return missing.length > 1e9 ? { kind: \"tools\"" },
    { id: "ME-22", title: "a killed process's turn is left alone by a process that lacks its tool, and finished at once by one that has it", source: MEANS, find: "return missing.length > 0 ? { kind: \"tools\"", replace: "return missing.length > 1e9 ? { kind: \"tools\"" },
  ]),
  ...claimsOf("test/runtime/pinned-protocol.test.ts", [
    { id: "ME-23", title: "a turn in flight is left alone under another protocol, counts no recovery there, and goes on under its own", source: MEANS, find: 'fact: "protocol", expected, actual }', replace: 'fact: "protocol" }' },
  ]),
  ...claimsOf("test/runtime/turn-errors.test.ts", [
    { id: "ME-25", title: "a store that refuses the acceptance: the same call may be made again, and says it once", source: "src/domain/error-traits.ts", find: "return !accepted && !isHopeless;", replace: "return accepted && !isHopeless;" },
    { id: "ME-24", title: "is taken up by its open session after a pause that doubles, and the tools' own policies hold, with `interrupted` true", source: "src/actors/stand-in.ts", find: "pause = Math.min(pause * 2, LAST_PAUSE_MS)", replace: "pause = FIRST_PAUSE_MS" },
    { id: "ME-25", title: "a store that refuses a later write: the turn is asked for by its id", source: TURN_ERROR, find: "const details = { ...error.details, sessionId, turnId, accepted };", replace: "const details = { ...error.details, sessionId, turnId, accepted: false };" },
  ]),
  ...claimsOf("test/runtime/compaction.test.ts", [
    { id: "PP-56", title: "asks the session's model once, without tools or images, for notes on the whole conversation", source: "src/compaction.ts", find: 'return "[image]";', replace: 'return "";' },
    { id: "PP-56", title: "asks the session's model once, without tools or images, for notes on the whole conversation", source: "src/compaction.ts", find: "requestId: `${sessionId}:rolling-history-compaction${", replace: "requestId: `${sessionId}:compaction${" },
    { id: "PP-55", title: "an empty answer changes nothing, and a failed call rejects with the provider's failure", source: "src/compaction.ts", find: "notes = response.fullText.trim();", replace: 'notes = response.fullText.trim() || "nothing";' },
  ]),
  ...claimsOf("test/runtime/compaction.test.ts", [
    { id: "ME-16", title: "usage of all of them is booked", source: "src/compaction.ts", find: "usage = addUsage(usage, response.usage);", replace: "usage = response.usage;" },
  ]),
  ...claimsOf("test/domain/prompt.test.ts", [
    { id: "PP-43", title: "layers", source: PROMPT, find: "return layers.slice(Math.max(from, 0))", replace: "return layers.slice(0)" },
    { id: "PP-44", title: "contributions", source: PROMPT, find: "a.priority - b.priority ||", replace: "b.priority - a.priority ||" },
    { id: "PT-15", title: "a gate opens when one of its tools is there", source: PROMPT, find: "gate === undefined || gate.tools.some((tool) => tools.has(tool))", replace: "gate === undefined || gate.tools.every((tool) => !tools.has(tool))" },
  ]),
  ...claimsOf("test/tools/registry.test.ts", [
    { id: "S-72", title: "a state of generation 3 restores on a registry that was just built, where applying it is a mismatch", source: "src/tools/registry/registry.ts", find: "if (parsed.generation !== generation) {", replace: "if (parsed.generation < 0) {" },
    { id: "PT-40", title: "a refresh drops what is gone, adds what is new, takes new manifests and keeps membership by id", source: "src/tools/registry/registry.ts", find: "if (!offered.has(id)) kept.delete(id);", replace: "if (!offered.has(id)) kept.has(id);" },
    { id: "PT-40", title: "a source that comes while the others are asked is not lost, and one that goes does not come back", source: "src/tools/registry/registry.ts", find: "    const { sources: before, entries, generation } = this.#content;\n    // Asked once more", replace: "    const { entries, generation } = this.#content;\n    const before = asked.map(([id]) => this.#content.sources.find((each) => each.id === id)).filter((each) => each !== undefined);\n    // Asked once more" },
  ]),
  ...claimsOf("test/observe/live-replay.test.ts", [
    { id: "O-18", title: "a position of 64 bits that no buffer ever had is ahead of every tail, without rounding", source: "src/domain/session-cursor.ts", find: "return Number.isSafeInteger(Number(digits)) ? Number(digits) : Infinity;", replace: "return 0;" },
    { id: "O-22", title: "sessions in which nothing happens any more are trimmed by what happens in others", source: "src/observe/in-memory-replay.ts", find: "for (const buffer of this.#buffers.values()) buffer.trim(now);", replace: "" },
    { id: "O-25", title: "one that waits is woken by what comes, by leaving and by the end of its session, which it hears of once", source: "src/observe/in-memory-replay.ts", find: "this.#buffers.get(sessionId)?.retire(true);", replace: "" },
    { id: "OP-16", title: "a life copied from elsewhere is left for one of its own by the first event that has no place", source: "src/observe/in-memory-replay.ts", find: "return buffer && !buffer.isCopy ? buffer : this.#begin(sessionId);", replace: "return buffer ?? this.#begin(sessionId);" },
  ]),
  ...claimsOf("test/domain/error-mapping.test.ts", [
    { id: "ER-4", title: "any error while claiming the lease is store_commit_failed", source: "src/domain/error-mapping.ts", find: 'runtimeError("store_commit_failed", errorText(error), { details: detailsWithCause(error), cause: error });\n\n', replace: 'runtimeError("session_execution_lease_lost", errorText(error), { details: detailsWithCause(error), cause: error });\n\n' },
    { id: "ER-21", title: "ER-21 answers as the error that stopped it does, and keeps it", source: "src/domain/error-mapping.ts", find: 'return new LashError("trace", inner.code, message, { details: inner.details, cause: inner });', replace: 'return new LashError("trace", inner.code, message, { details: inner.details });' },
    { id: "ER-22", title: "ER-21 ER-22 has its own code over an error without one, and no typed signal", source: "src/domain/error-traits.ts", find: '  "session_id_retired",\n', replace: '  "session_id_retired",\n  "trace_flush",\n' },
  ]),
  ...claimsOf("test/domain/wiring-errors.test.ts", [
    { id: "ER-23", title: "ER-23 %s", source: "src/domain/wiring-errors.ts", find: ': drop its other handles, and finish or cancel its turns`', replace: '`' },
    { id: "ER-23", title: "ER-23 %s", source: "src/domain/wiring-errors.ts", find: "{ details: { sessionId, operation } }", replace: "{ details: { sessionId } }" },
  ]),
  ...claimsOf("test/domain/errors-doc.test.ts", [
    { id: "ER-2", title: "lists every code of family %s that can be raised once, and no others", source: "src/domain/error-codes.ts", find: '    "lash_closed",\n', replace: '    "lash_closed",\n    "undocumented",\n' },
  ]),
  ...claimsOf("test/runtime/waits-restart.test.ts", [
    { id: "E-27", title: "the deadline counts on after a restart: only what remains of it is waited", source: "src/actors/wait-desk.ts", find: "this.#clock.setTimer(dueAtMs - this.#clock.now(), onStop)", replace: "this.#clock.setTimer(dueAtMs, onStop)" },
  ]),
  ...claimsOf("test/runtime/tool-failures.test.ts", [
    { id: "T-53", title: "a failure that is safe to retry is retried with doubling, capped delays", source: "src/machines/tool-attempt/tool-attempt.machine.ts", find: "(maxDelayMs > 0 ? Math.min(doubled, maxDelayMs) : doubled)", replace: "doubled" },
  ]),
  ...claimsOf("test/runtime/sessions.test.ts", [
    { id: "S-71", title: "an orphan or an unknown id is refused and nothing moves", source: "src/actors/session-change.ts", find: "if (!history.slice(messageCount).some((message) => message.id === at)) {", replace: "if (at === \"\") {" },
  ]),
];
