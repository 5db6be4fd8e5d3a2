// The contract of stores, traces, and the language.

import { claimsOf } from "./claim.ts";

const LEASES = "src/testing/persistence/lease-cases.ts";
const REGIONS = "src/testing/persistence/region-cases.ts";
const QUEUE = "src/testing/persistence/queue-cases.ts";
const RULES = "src/stores/persistence/lease-rules.ts";
const CLAIMS = "src/stores/persistence/claim-rows.ts";

export const STORES_AND_LANGUAGE = [
  ...claimsOf("test/stores/active-path.test.ts", [
    { id: "S-36", title: "is what the whole graph has as its path, however it has branched, whatever is hidden, and from any leaf", source: "src/stores/persistence/active-path.ts", find: 'revisionsOf(tx, sessionId, wanted ?? "")', replace: "[next - 1]" },
    { id: "S-36", title: "a session that opens with active_path_only does not read what it has left behind", source: "src/actors/load-resident.ts", find: 'residency === "keep_all" ? full : { kind: "active_path", later: true }', replace: "residency ? full : full" },
  ]),
  ...claimsOf("test/stores/persistence.test.ts", [
    { id: "P-24", title: "a lease is re-entered by its incarnation, busy for everybody else, and extended by renewal", titleIn: LEASES, source: RULES, find: "lease !== undefined && isSameOwner(lease.owner, claim.owner);", replace: "lease !== undefined && lease.owner.ownerId === claim.owner.ownerId;" },
    { id: "C-11a", title: "re-entry never shortens a lease", titleIn: LEASES, source: RULES, find: "Math.max(lease.ttlMs, claim.ttlMs)", replace: "claim.ttlMs" },
    { id: "C-11b", title: "a stale fence can neither renew nor release; release and claim raise the fencing number", titleIn: LEASES, source: RULES, find: "fencingToken: lane.fencing + 1,", replace: "fencingToken: lane.fencing + (lane.fencing === 0 ? 1 : 0)," },
    { id: "P-27", title: "a time to live of 0 is expired at once", titleIn: LEASES, source: RULES, find: "if (isOwn && lease.expiresAtMs > now) {", replace: "if (isOwn && lease.expiresAtMs >= now) {" },
    { id: "P-25", title: "a lease whose holder is proved dead is taken over by compare and set", titleIn: LEASES, source: RULES, find: "if (deadHolder !== undefined && isHeldBy(lease, deadHolder)) return true;", replace: "if (deadHolder !== undefined) return true;" },
    { id: "OP-1r", title: "what is read with the region is of the same moment", titleIn: REGIONS, source: "src/stores/persistence/sessions.ts", find: "...(read && { read })", replace: "" },
    { id: "S-82c", title: "a long session is deleted in several writes: after the first one nobody finds it, and its id is retired", titleIn: REGIONS, source: "src/stores/persistence/session-deletion.ts", find: "ROWS_AT_ONCE);", replace: "ROWS_AT_ONCE * 2);" },
    { id: "I-14", title: "only batches without live claim can be cancelled or are pending; abandon and lease release free them", titleIn: QUEUE, source: CLAIMS, find: "claim !== undefined && claim.generation === lease?.fencingToken;", replace: "claim !== undefined;" },
    { id: "I-10", title: "unready work is skipped, sessions are isolated, a successor claims again and its predecessor never does", titleIn: QUEUE, source: CLAIMS, find: "row.claim === undefined || row.claim.generation !== generation;", replace: "row.claim === undefined;" },
    { id: "I-11", title: "work for after the commit waits for idle and holds up what is behind it, until it is claimed", titleIn: QUEUE, source: CLAIMS, find: "rows: rows.map((row) => ({ ...row, fencing: row.fencing + 1, claim }))", replace: "rows: rows.map((row) => ({ ...row, claim }))" },
  ]),
  ...claimsOf("test/stores/sqlite/log.test.ts", [
    { id: "ME-27", title: "a new file, its log and its index may be read and written by their owner alone; a file that is there keeps its rights", source: "src/stores/sqlite/open-database.ts", find: 'openSync(path, "wx", 0o600)', replace: 'openSync(path, "wx", 0o644)' },
  ]),
  ...claimsOf("test/stores/sqlite/log-state.test.ts", [
    { id: "ME-27", title: "goes on saying that it needs its log when another process opens, writes and closes in the middle of a checkpoint", source: "src/stores/sqlite/log-state.ts", find: "SET whole = min(1, whole + ?),", replace: "SET whole = 1 + 0 * ?," },
  ]),
  ...claimsOf("test/stores/sqlite/liveness.test.ts", [
    { id: "ME-28", title: "an owner of %s is never dead for sure", source: "src/stores/sqlite/process-liveness.ts", find: "if (here.hostId !== liveness.hostId || here.bootId !== liveness.bootId) return false;", replace: "if (here.bootId !== liveness.bootId) return false;" },
    { id: "ME-28", title: "where %s, a process proves nothing and nobody proves its death", source: "src/stores/sqlite/process-liveness.ts", find: 'if (table.link("/proc/self") !== String(table.pid)) return NONE;', replace: "" },
  ]),
  ...claimsOf("test/trace/turn.test.ts", [
    { id: "TR-5", title: "the context of a record is layered: host, session, turn, iteration, call; the inner one wins, metadata merges", source: "src/trace/context.ts", find: "metadata: { ...outer.metadata, ...inner.metadata }", replace: "metadata: { ...inner.metadata }" },
    { id: "ER-21", title: "a flush that fails is `trace_flush` with its cause", source: "src/domain/error-mapping.ts", find: 'message, { cause: inner });', replace: "message);" },
  ]),
  ...claimsOf("test/runtime/bad-input.test.ts", [
    { id: "S-57", title: "%s is refused with the field's name", source: "src/lash-options.ts", find: " || ttlMs < 3 * renewMs)", replace: ")" },
  ]),
  ...claimsOf("test/lashlang/identity.test.ts", [
    { id: "LL-81", title: "%s do not matter", source: "src/lashlang/identity/semantic-form.ts", find: "return numbers.get(slot);", replace: "return variables[slot];" },
    { id: "LL-82", title: "names of session variables are no choice of the program", source: "src/lashlang/identity/semantic-form.ts", find: "if (namedSlots.includes(slot)) return variables[slot];", replace: "" },
  ]),
];
