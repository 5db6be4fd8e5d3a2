// What the store holds, read by a process that ran nothing of it.

// An app writes `from "lash-runtime"` and `from "lash-runtime/sqlite"`.
import { createLash, type Message, type TokenUsage } from "../../src/index.ts";
import { sqlite } from "../../src/stores/sqlite/store.ts";
import { storePath } from "./agent.ts";

export interface Stored {
  readonly messages: readonly Message[];
  readonly usage: TokenUsage;
  readonly turnsInFlight: number;
}

export async function readBack(home: string, sessionId: string): Promise<Stored> {
  // Without a provider a session can be read and not run, so a turn in flight would be found and stay there.
  await using lash = createLash({ store: sqlite(storePath(home)) });
  const left = await lash.recover();
  const session = await lash.openSession(sessionId);
  const { messages, usage } = session.observe().readView;
  return { messages, usage, turnsInFlight: left.length };
}
