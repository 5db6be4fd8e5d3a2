// Compaction: a session goes on in a new frame that starts with what a compactor made of the one before (S-20, PP-55).

import type { Compaction, CompactionRequest, Compactor } from "../domain/compaction.ts";
import { copyJson } from "../domain/copy-json.ts";
import { runtimeError } from "../domain/errors.ts";
import { invalidArgument } from "../domain/invalid-argument.ts";
import { readDraft } from "../domain/message-draft.ts";
import { countedUsage } from "../domain/usage.ts";
import type { Provider } from "../providers/contract.ts";
import type { RuntimePorts, SessionWiring } from "./ports.ts";
import type { Resident } from "./resident.ts";
import { openFrame, type SessionChange } from "./session-change.ts";
import { settingsOf } from "./session-settings.ts";

export interface CompactOptions {
  /** What to keep or to leave out, in words for the compactor. */
  readonly instructions?: string;
  /** Aborting it gives the compaction up. */
  readonly signal?: AbortSignal;
}

/** The part of a session's runtime that is needed. */
interface Compacted {
  readonly resident: Resident;
  readonly provider: Provider;
  readonly wiring: SessionWiring;
  readonly ports: Pick<RuntimePorts, "clock" | "newId" | "trace">;
  readonly changes: { commit(change: (resident: Resident) => SessionChange): Promise<void> };
}

/** @returns false when there was nothing to make shorter; then nothing changed. */
export async function compactSession(session: Compacted, compactor: Compactor, { instructions = "", signal = new AbortController().signal }: CompactOptions): Promise<boolean> {
  const { resident: seen, provider: own, wiring, ports } = session;
  const { sessionId } = wiring;
  if (seen.messageCount === 0) return false;
  const provider = ports.trace?.watchProvider(own, sessionId, "compaction") ?? own;
  const { model } = settingsOf(wiring, seen).policy;
  const made = await shorten(compactor, { sessionId, messages: seen.history.slice(seen.messageCount), provider, model, instructions, signal, clock: ports.clock });
  if (!made) return false;
  const frameId = `${sessionId}:frame:compaction:${ports.newId()}`;
  const createdAt = new Date(ports.clock.now()).toISOString();
  await session.changes.commit((resident) => {
    // What went on since is not in the summary.
    if (resident.headRevision !== seen.headRevision) {
      throw runtimeError("session_execution_busy", "the conversation went on while it was compacted; nothing was changed, try again", { details: { sessionId } });
    }
    return openFrame(resident, { frameId, reason: "compaction", createdAt, ...made });
  });
  return true;
}

/** @returns undefined where there is nothing to gain. @throws LashError `invalid_argument` - what was made is none; and whatever `compactor` throws. */
export async function shorten(compactor: Compactor, request: CompactionRequest): Promise<Compaction | undefined> {
  const made = await compactor(request);
  request.signal.throwIfAborted();
  if (made === null) return undefined;
  if (!Array.isArray(made?.messages)) refuse();
  if (made.messages.length === 0) return undefined;
  const messages = made.messages.map((message) => readDraft(copyJson(message)) ?? refuse());
  return { ...made, messages, ...(made.usage && { usage: countedUsage(made.usage) }) };
}

const refuse = (): never => {
  throw invalidArgument("compactor", "a function that gives null or { messages: [{ role: \"User\" | \"Assistant\" | \"System\", text }] }");
};
