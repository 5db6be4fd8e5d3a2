// A lash for tests: scripted model, clock that stands still, quiet logger that remembers.

import { createLash, type Lash, type LashOptions, type LogRecord, type Session, type TurnActivity } from "../../src/index.ts";
import type { AttachmentHome } from "../../src/stores/attachment-home.ts";
import { attachmentsIn } from "../../src/stores/persistence/attachments-in-home.ts";
import { isKilled } from "./mortal.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { type Liveness, opaqueLiveness } from "../../src/stores/store.ts";
import type { Engine } from "../../src/stores/engine.ts";
import { manualClock, scriptedProvider, type ManualClock, type ProviderScript, type ScriptedProvider, type ScriptedProviderOptions } from "../../src/testing/index.ts";

export interface TestLash {
  readonly lash: Lash;
  readonly clock: ManualClock;
  readonly provider: ScriptedProvider;
  readonly engine: Engine;
  readonly logged: readonly LogRecord[];
}

export interface TestLashOptions extends Omit<LashOptions, "store" | "provider" | "providerOptions" | "clock" | "logger"> {
  readonly script?: ProviderScript;
  readonly engine?: Engine;
  readonly attachments?: AttachmentHome | undefined;
  readonly clock?: ManualClock;
  /** Default: knows which processes a test has killed (mortal.ts). */
  readonly liveness?: Liveness;
  readonly providerOptions?: ScriptedProviderOptions;
}

/** Finds out which processes a test has killed, and nothing of others. */
export const witness: Liveness = { ...opaqueLiveness, isDead: (owner) => Promise.resolve(isKilled(owner)) };

/** Journaled effects on a memory engine unless told otherwise. Closing the lash leaves the engine open. */
export function testLash({ script = ["done"], engine = memoryEngine(), attachments, clock = manualClock(1_000), liveness = witness, providerOptions = {}, ...options }: TestLashOptions = {}): TestLash {
  const provider = scriptedProvider(script, providerOptions);
  const logged: LogRecord[] = [];
  const lash = createLash({
    effects: "journaled",
    ...options,
    store: { engine: staysOpen(engine), liveness, ...(attachments && { attachments: attachmentsIn(attachments) }) },
    provider,
    clock,
    logger: (record) => logged.push(record),
  });
  return { lash, clock, provider, engine, logged };
}

/** The same engine, which a lash that closes does not take along. */
export const staysOpen = (engine: Engine): Engine => ({
  name: engine.name,
  durable: engine.durable,
  read: (body) => engine.read(body),
  write: (body) => engine.write(body),
  close: () => Promise.resolve(),
});

/** `Role: Kind content | Kind content` per committed message. */
export const transcriptOf = (session: Session): readonly string[] =>
  session.observe().readView.messages.map(({ role, parts }) => `${role}: ${parts.map((part) => `${part.kind} ${part.content}`).join(" | ")}`);

export async function activitiesOf(turn: AsyncIterable<TurnActivity>): Promise<readonly TurnActivity[]> {
  const seen: TurnActivity[] = [];
  for await (const activity of turn) seen.push(activity);
  return seen;
}
