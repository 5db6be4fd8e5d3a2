// Leases: each transition of their chart, and what a claim must prove.

import { claimsOf } from "./claim.ts";

const CHART = "src/machines/lease/lease.machine.ts";
const RECORD = "actions: [{ type: \"recordRenewal\", params: ({ event }) => ({ untilMs: event.untilMs }) }, \"armTimer\"] },";
const CASES = "src/testing/persistence/lease-cases.ts";

/** The transition that is deleted, and the test at the public API that misses it. */
const without = (id: string, title: string, find: string, replace = "") => ({ id, title, source: CHART, find, replace });

export const LEASES = [
  ...claimsOf("test/runtime/leases.test.ts", [
    without("S-63", "a lease that was given back is taken at once", '"lease.release": "releasing",'),
    without("S-63", "a lease that was given back is taken at once", 'on: { "release.settled": "released" },'),
    without("S-63", "leaves its lease to run out where nobody can say what became of it", '"lease.leave": "left",'),
    without("S-57", "keeps its lease for as long as it runs, and has no timer once it is over", '"lease.freed": "freed",'),
    without("S-57", "keeps its lease for as long as it runs, and has no timer once it is over", '"timer.due": { target: "renewing", actions: "requestRenewal" },'),
    without("S-57", "keeps its lease for as long as it runs, and has no timer once it is over", `"renewal.granted": { target: "held", ${RECORD}`),
    without("S-60", "renews before a write that finds too little left", 'target: "renewing",\n              actions: ["cancelTimer", "requestRenewal"],'),
    without("S-60", "hears at its next renewal that somebody else has taken over", '"renewal.refused": "#lease.lost",'),
    without("S-60", "loses its lease where the store cannot be asked until it is over", '{ guard: { type: "isOver", params: ({ event }) => ({ atMs: event.atMs }) }, target: "#lease.lost" },'),
    without("S-60", "asks again after a renewal that failed", '{ target: "held", actions: "armTimer" },'),
    without("S-60", "a renewal that finds it gone before that is known is no loss", '"end.coming": "ending",'),
    without("S-60", "a renewal that was asked before it and comes behind it is no loss", '"end.coming": "endingRenewing",'),
    without("T-73", "may take longer than the lease", '"timer.due": { target: "endingRenewing", actions: "requestRenewal" },'),
    without("T-73", "may take longer than the lease", `"renewal.granted": { target: "ending", ${RECORD}`),
    without("T-73", "may take longer than the lease", '"renewal.failed": { target: "ending", actions: "armTimer" },'),
    without("T-57", "a loss afterwards is a loss again", '"end.refused": "held",'),
    without("T-57", "a renewal that was asked before it and is refused behind it is a loss", '"end.refused": "renewing",'),
    without("T-57", "a renewal that was refused before that was known is a loss as soon as it is known", '"renewal.refused": "endingGone",'),
    without("T-57", "a renewal that was refused before that was known is a loss as soon as it is known", 'on: { "end.refused": "#lease.lost" },'),
    { id: "SC-2", title: "takes over no live lease, whoever's it is", source: "src/stores/persistence/lease-rules.ts", find: "if (lease !== undefined && !isOwn && !isGivenUp(lease, claim))", replace: "if (lease !== undefined && lease.expiresAtMs > now && !isOwn && !isGivenUp(lease, claim))" },
    { id: "SC-2", title: "takes over no live lease, whoever's it is", source: "src/actors/durable/lease-watch.ts", find: "before?.sign === sign ? before.sinceMs : nowMs", replace: "before ? before.sinceMs : nowMs" },
    { id: "SC-2", title: "after one TTL and not before", source: "src/actors/stand-in.ts", find: "if (isElsewhere) this.#begin();", replace: "if (isElsewhere) this.standBy();" },
    { id: "SC-2", title: "finds the session busy until its runtime has seen the holder silent for one TTL", source: "src/actors/session-lease.ts", find: "  ttlMs,\n});", replace: "  ttlMs: ttlMs / 2,\n});" },
    { id: "OP-7", title: "recover() watches a lease that seems to be over for one TTL", source: "src/recovery.ts", find: 'if (outcome === "silent") silent.push(found);', replace: 'if (outcome === "silent") return;' },
  ]),
  ...claimsOf("test/stores/persistence.test.ts", [
    { id: "C-12b", title: "not after a sign of life, and by one of two racers", titleIn: CASES, source: "src/stores/persistence/lease-rules.ts", find: " && lease.expiresAtMs === silentHolder.expiresAtMs", replace: "" },
    { id: "C-11g", title: "also where the wall clock of its holder stands still or goes back", titleIn: CASES, source: "src/stores/persistence/lease-rules.ts", find: "Math.max(lease.expiresAtMs + 1, now + ttlMs)", replace: "now + ttlMs" },
    { id: "C-12c", title: "a lease says for how long its holder may be silent", titleIn: CASES, source: "src/stores/persistence/lease-rules.ts", find: "...(ttlMs !== DEFAULT_TTL_MS && { ttlMs })", replace: "" },
  ]),
];
