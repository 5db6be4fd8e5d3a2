// The host process: finishes what an earlier process left behind, asks the agent one question, reports what happens. It
// does not know whether it is the first: the turn has an id, and asking again for a turn that ended gives its result.

import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
// An app writes `from "lash-runtime"`.
import { LashError, type TurnActivity, type TurnResult } from "../../src/index.ts";
import { createAgent } from "./agent.ts";
import { endpointOf } from "./model.ts";
import { reporter, type Report, type TimedReport } from "./reports.ts";

const [home = "", sessionId = "", turnId = "", question = "", effects] = process.argv.slice(2);
const endpoint = endpointOf(process.env);
if (!endpoint || home === "") throw new Error("host.ts is started by main.ts");

const send = (report: Report): void => {
  const timed: TimedReport = { ...report, atMs: Date.now() };
  process.stdout.write(`${JSON.stringify(timed)}\n`);
};

await using lash = createAgent({
  home,
  endpoint,
  pace: 1,
  inspect: reporter(send),
  ...(effects === "inline" && { effects }),
});
const { outcome, text, errors } = (await recovered()) ?? (await asked());
send({
  type: "ended",
  outcome: outcome.kind === "stopped" ? `stopped: ${outcome.stop}` : outcome.kind,
  text,
  errors: errors.map(({ message }) => message),
  writtenBytes: writtenBytes(),
});

async function recovered(): Promise<TurnResult | undefined> {
  const turns = await lash.recover({ onActivity });
  const turn = turns.find((one) => one.turnId === turnId);
  if (turn && "error" in turn) throw turn.error;
  return turn && "result" in turn ? turn.result : undefined;
}

/** An owner that may be alive is waited out; on Linux a dead one is recognised at once, and `recover` took over already. */
async function asked(): Promise<TurnResult> {
  const session = await lash.openSession(sessionId);
  for (;;) {
    try {
      return await session.run(question, { turnId, onActivity });
    } catch (error) {
      if (!LashError.is(error) || !error.isCode("session_execution_busy")) throw error;
      await sleep(200);
    }
  }
}

function onActivity(activity: TurnActivity): void {
  if (activity.type === "tool_call_completed") send({ type: "tool_recorded", tool: activity.name });
}

/** Bytes this process made the file system write; null where the system does not say. */
function writtenBytes(): number | null {
  try {
    const line = /^write_bytes: (\d+)$/m.exec(readFileSync("/proc/self/io", "utf8"));
    return line ? Number(line[1]) : null;
  } catch {
    return null;
  }
}
