// The agent: its model, tools and store, wired. Both programs of this folder run this one.

import { join } from "node:path";
// An app writes `from "lash-runtime"` and `from "lash-runtime/sqlite"`.
import { createLash, type Lash, type LashOptions } from "../../src/index.ts";
import { sqlite } from "../../src/stores/sqlite/store.ts";
import { providerOf, type Endpoint } from "./model.ts";
import { tripTools } from "./tools.ts";
import { Witness } from "./witness.ts";

const PROMPT = `You are a travel agent. For a trip, ask for the forecast and for rooms in one go, then book the cheapest room
without asking back. Answer in one or two sentences.`;

export interface AgentOptions extends Pick<LashOptions, "inspect" | "logger" | "effects"> {
  /** Folder of the store and of the file of side effects. */
  readonly home: string;
  readonly endpoint: Endpoint;
  readonly pace: number;
}

export const storePath = (home: string): string => join(home, "agent.db");
export const witnessOf = (home: string): Witness => new Witness(join(home, "side-effects.jsonl"));

export function createAgent({ home, endpoint, pace, ...rest }: AgentOptions): Lash {
  return createLash({
    provider: providerOf(endpoint),
    model: { id: endpoint.model },
    store: sqlite(storePath(home)),
    tools: tripTools({ witness: witnessOf(home), pace }),
    prompt: PROMPT,
    // Where the death of a process cannot be proved, its lease has to run out before another may go on: make that short.
    lease: { ttlMs: 3000 },
    ...rest,
  });
}
