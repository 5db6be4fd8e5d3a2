// The memory turn beside other runtimes in memory. They live in a package of their own, because nobody needs them to work on
// this one: `npm ci --prefix bench/peers`.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { memory } from "../src/index.ts";
import { interleave, ratio, timed, timing } from "./measure.ts";
import type { Report } from "./report.ts";
import { Host } from "./workload.ts";

const SECTION = "Turn in memory beside peers (turns 1 to 10 of a conversation)";
const TURNS = 10;
const ROUNDS = { warmUp: 200, measured: 60 };

/** Somebody who can hold a conversation; see peers/. */
export interface Peer {
  readonly name: string;
  /** Begins a new conversation; the function runs its next turn. */
  start(): Promise<() => Promise<unknown>>;
}

/** What peers/index.ts exports. */
export interface PeerPackage {
  readonly pi: Peer;
  readonly langGraph: Peer;
  readonly xstate: Peer;
}

const FOLDER = join(import.meta.dirname, "peers");

export async function peers(report: Report): Promise<void> {
  if (!existsSync(join(FOLDER, "node_modules"))) {
    console.log(`\n${SECTION}\n  not installed; run: npm ci --prefix bench/peers`);
    return;
  }
  const { pi, langGraph, xstate } = (await import(pathToFileURL(join(FOLDER, "index.ts")).href)) as PeerPackage;
  const host = new Host({ store: memory() });
  let sessions = 0;
  const ours: Peer = {
    name: "lash-runtime, memory store",
    async start() {
      const id = `conversation-${sessions++}`;
      await host.open(id);
      return () => host.turn(id);
    },
  };
  const block = (peer: Peer) => async () => timed(TURNS, await peer.start());
  const blocks = await interleave({ ours: block(ours), pi: block(pi), xstate: block(xstate), langGraph: block(langGraph) }, ROUNDS);
  await host.close();
  for (const [peer, times] of [[ours, blocks.ours], [pi, blocks.pi], [xstate, blocks.xstate], [langGraph, blocks.langGraph]] as const) {
    const { p50, p95 } = timing(times);
    report.add({ section: SECTION, what: `${peer.name}, p50`, value: p50, unit: "ms", note: `p95 ${p95.toFixed(3)} ms` });
  }
  report.add({ section: SECTION, what: `against ${pi.name}`, value: ratio(blocks.ours, blocks.pi), unit: "x", budget: { atMost: 6 } });
  report.add({ section: SECTION, what: `against ${langGraph.name}`, value: ratio(blocks.ours, blocks.langGraph), unit: "x", budget: { atMost: 0.125 } });
  report.add({ section: SECTION, what: `against ${xstate.name}`, value: ratio(blocks.ours, blocks.xstate), unit: "x" });
}
