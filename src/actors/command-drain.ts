// Command drain: applies the session commands that stand before everything else in the queue (I-19, I-30). Loaded when a
// session has one.
//
//   K1. Each is a commit of its own that also completes its claim: what died before it is applied by the next drain, what died
//       after it is done.
//   K2. All under one lease, which is held on for the turn behind them (T-4).

import { doubtAfter, errorText, runtimeErrorOfStore } from "../domain/error-mapping.ts";
import type { RuntimeErrorCode } from "../domain/error-codes.ts";
import { LashError, runtimeError } from "../domain/errors.ts";
import { sha256Hex } from "../domain/sha256.ts";
import type { LeaseFence } from "../stores/contract.ts";
import { type QueuedBatch, type SessionCommand, type WorkClaim, workRowsOf } from "../stores/ingress-contract.ts";
import type { Held } from "./durable/contract.ts";
import { queueTopic } from "./input-lane.ts";
import type { Resident } from "./resident.ts";
import type { SessionParts } from "./session/parts.ts";
import { adopt } from "./session/turn-ended.ts";
import { holdSession } from "./session-lease.ts";
import { changeCommit, resetTo, settingsCommit, withPluginState, type SessionChange } from "./session-change.ts";
import { settingsOf } from "./session-settings.ts";

/**
 * @throws LashError `session_execution_busy` - nothing was done. `session_command_claim`, `session_command_refresh`,
 *   `session_command_refresh_tools` - that step failed; the command stays queued.
 */
export async function drainCommands(session: SessionParts): Promise<void> {
  const { ports, stated: { wiring: { sessionId } }, claims: lease } = session;
  const { queue, turns } = ports.persistence;
  const held = holdSession(ports, await lease.claimAlone());
  lease.hold(held.fence);
  try {
    // Accepted and left since somebody looked: it ends on the history that it began with, before anything moves that (OP-7).
    if ((await turns.inFlight(sessionId)).length > 0) return;
    for (;;) {
      await held.ensureLive();
      const claim = await queue.claimCommand({ fence: held.fence, claimToken: ports.newId() });
      if (!claim) return;
      await apply(session, held, claim);
    }
  } catch (failure) {
    // S-63: whether it was committed is unknown, so the lease is left to expire.
    if (doubtAfter(failure) === "unknown") lease.hold(undefined);
    throw runtimeErrorOfStore(failure);
  } finally {
    // Whoever it is held on for keeps it from here on.
    await held.letGo("leave");
  }
}

/**
 * For a session that can run no turn now, because it has no provider or another one than is recorded: commands need none.
 *
 * @param problem - thrown where anything else waits, or a turn is in flight; then nothing was done.
 * @throws LashError `unknown_turn` - the commands were applied, and no turn follows.
 */
export async function drainCommandsAlone(problem: unknown, session: SessionParts): Promise<void> {
  const { ports: { persistence: { inputs, queue, turns } }, stated: { wiring: { sessionId } }, claims: lease } = session;
  const work = await queue.listPending(sessionId);
  const waiting = await inputs.listPending(sessionId);
  // Nothing is no reason to go on: whoever named an ended turn would not be told of it.
  const isCommand = ({ items }: QueuedBatch): boolean => items.every(({ payload }) => payload.type === "session_command");
  if (work.length === 0 || !work.every(isCommand) || waiting.length > 0 || (await turns.inFlight(sessionId)).length > 0) throw problem;
  await drainCommands(session).finally(() => lease.release());
  throw runtimeError("unknown_turn", "nothing but session commands waited");
}

async function apply(session: SessionParts, held: Held<LeaseFence>, claim: WorkClaim): Promise<void> {
  const { ports, stated: { wiring }, residence } = session;
  const { sessionId } = wiring;
  const { sessions } = ports.persistence;
  const [batch] = claim.batches;
  const command = commandIn(claim);
  if (!batch || !command) throw runtimeError("session_command_claim", `a claim of session ${sessionId} is not one command that stands alone`, { details: { sessionId, claimId: claim.claimId } });
  const step = stepsOf(sessionId, batch);
  const resident = await step("session_command_refresh", async () => residence.refresh(await sessions.headRevision(sessionId)));
  const carriedOut = await carryOut(session, command, batch, resident, step);
  // Plugins follow the head that this commit builds on, which another runtime may have moved since their last turn here.
  const change = withPluginState(carriedOut, wiring.plugins?.capture(resident.plugins, "session"));
  await held.ensureLive();
  const commit = { ...changeCommit(sessionId, resident, held.fence, change), releaseLease: false, completedWork: [workRowsOf(claim)] };
  adopt(session, await sessions.commit(commit), commit);
  ports.changes.notify(queueTopic(sessionId));
}

function commandIn({ batches }: WorkClaim): SessionCommand | undefined {
  const [batch] = batches;
  const [item] = batch?.items ?? [];
  const isAlone = batches.length === 1 && batch?.slotPolicy === "exclusive" && batch.items.length === 1;
  return isAlone && item?.payload.type === "session_command" ? item.payload.command : undefined;
}

type Step = <T>(code: RuntimeErrorCode, body: () => Promise<T>) => Promise<T>;

/** S-55: the sources of tools are asked again, and the commit says what came of it, if that is news. */
async function carryOut({ ports, stated: { wiring }, lane }: SessionParts, { kind }: SessionCommand, batch: QueuedBatch, resident: Resident, step: Step): Promise<SessionChange> {
  if (kind === "refresh_tool_catalog") {
    await step("session_command_refresh_tools", () => orAborted(wiring.tools.refresh(), lane.abandoned));
    return settingsCommit(settingsOf(wiring, resident), resident);
  }
  // Named after the command: submitted again under its key when it was done, it finds its frame and does nothing more.
  const frameId = `${wiring.sessionId}:frame:reset:${sha256Hex(batch.sourceKey ?? batch.batchId)}`;
  return resetTo(resident, frameId, ports.clock.now()) ?? {};
}

function orAborted<T>(asked: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  return Promise.race([asked, promise]).finally(() => signal.removeEventListener("abort", onAbort));
}

/** A step that fails says which, and which command: a host may take that back with `cancelQueuedWork`. */
const stepsOf =
  (sessionId: string, { batchId }: QueuedBatch): Step =>
  async (code, body) => {
    try {
      return await body();
    } catch (error) {
      if (LashError.is(error) && (error.isCode("session_execution_lease_expired") || error.isCode("lash_closed"))) throw error;
      const details = { sessionId, batchId, ...(LashError.is(error) && { causeCode: error.code }) };
      throw runtimeError(code, `session command ${batchId} failed and stays queued: ${errorText(error)}`, { details, cause: error });
    }
  };
