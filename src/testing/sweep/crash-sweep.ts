// crashSweep: a user's scenario, once undisturbed and then once for every place at which it can be disturbed.
//
//   CS1. The first run only loads code, so that the second one, which is counted, and all others do the same.
//   CS2. What is checked is what a new process finds, which took no part in the run.

import { errorText } from "../../domain/error-mapping.ts";
import { LashError } from "../../domain/errors.ts";
import { invalidArgument, refuseUnknown } from "../../domain/invalid-argument.ts";
import type { Message } from "../../domain/messages.ts";
import type { Lash } from "../../lash.ts";
import { drive, QUICK, SLOW } from "./drive.ts";
import { KILL_KINDS, killsIn, type Kill, type KillKind, placeOf } from "./kill.ts";
import type { ToolRun } from "./process.ts";
import { reportOf, type SweepReport, type Violation } from "./report.ts";
import { type Left, RULES, type SessionLeft, type SweepRule } from "./rules.ts";
import { type Ran, runOnce, type SweepScenario } from "./run-once.ts";

/** What a run came to. */
export interface SweepFacts<Result, World> {
  /** What the job gave in the end. */
  readonly result: Result;
  /** Committed messages of the session that was opened first. */
  readonly history: readonly Message[];
  /** Committed messages of all sessions, by id. */
  readonly histories: Readonly<Record<string, readonly Message[]>>;
  /** Every start of a tool, in order, in all processes of the run. */
  readonly toolRuns: readonly ToolRun[];
  /** Calls that reached a provider, in all processes of the run. */
  readonly modelCalls: number;
  readonly world: World;
}

/** What a check is asked about. */
export interface SweepRun<Result, World> extends SweepFacts<Result, World> {
  /** What was done to the run; null in the undisturbed one. */
  readonly kill: Kill | null;
  /** Of a new process, which finds what is stored: to ask plugins, or to look at settings. Closed after the check. */
  readonly lash: Lash;
  /** The undisturbed run, to compare with. */
  readonly undisturbed: SweepFacts<Result, World>;
}

/** What a check does not like, if anything. */
export type SweepFaults = string | readonly string[] | undefined | void;

export interface CrashSweep<Result, World> extends SweepScenario<Result, World> {
  /** What has to hold of the scenario: throws, or gives what does not hold. Asked about the undisturbed run, too. */
  check?(run: SweepRun<Result, World>): SweepFaults | Promise<SweepFaults>;
  /** Default: all. */
  readonly kinds?: readonly KillKind[];
  /** Only these runs, to see a violation again. */
  readonly only?: Kill | readonly Kill[];
  /** Rules that do not apply to this scenario. Default: all apply. */
  readonly without?: readonly SweepRule[];
}

const OPTIONS = ["make", "job", "resume", "check", "world", "engine", "kinds", "only", "without"];

/**
 * Proves that a scenario survives: runs it once to count its writes and its effects, then once for every way to disturb each of them.
 * All runs are in this process, on virtual time, and do the same each time; a turn with one tool call takes well under a second.
 *
 * The rules that hold for any scenario (`SweepRule`) are checked in every run, and then `check` is asked.
 *
 * @returns what does not hold, and in which run; `report.throwIfViolated()` makes that a failure of the test.
 * @throws LashError `invalid_argument` - options that cannot be.
 * @throws whatever the undisturbed run throws: a job that fails by itself proves nothing.
 */
export async function crashSweep<Result, World = undefined>(options: CrashSweep<Result, World>): Promise<SweepReport> {
  checkSweep(options);
  await (await runOnce(options, null, SLOW)).closeDisk();
  const undisturbed = await runOnce(options, null, QUICK);
  if ("failure" in undisturbed.outcome) {
    await undisturbed.closeDisk();
    throw undisturbed.outcome.failure;
  }
  const { marks } = undisturbed;
  const model = await found(options, undisturbed, undefined, null);
  const violations = model.faults.map((fault): Violation => ({ ...fault, kill: null, at: "in the undisturbed run" }));
  const kills = options.only ? [options.only].flat() : killsIn(marks, options.kinds ?? KILL_KINDS);
  for (const kill of kills) {
    const run = await runOnce(options, kill, QUICK);
    const faults = (await found(options, run, model, kill)).faults;
    violations.push(...faults.map((fault): Violation => ({ ...fault, kill, at: placeOf(kill, marks) })));
  }
  return reportOf({
    runs: kills.length,
    writes: marks.filter(({ type }) => type === "write").length,
    effects: marks.flatMap((mark) => (mark.type === "effect" ? [mark.name] : [])),
    violations,
  });
}

type Fault = Pick<Violation, "message" | "cause">;

/** What a new process finds of a run, and what is wrong with it. */
interface Found<Result, World> {
  readonly facts?: SweepFacts<Result, World>;
  readonly left?: Left;
  readonly faults: readonly Fault[];
}

/** @param model - the undisturbed run; undefined where this is it. */
async function found<Result, World>(options: CrashSweep<Result, World>, run: Ran<Result, World>, model: Found<Result, World> | undefined, kill: Kill | null): Promise<Found<Result, World>> {
  const { outcome, seen, world, time } = run;
  try {
    if (kill && !run.isStruck) return { faults: [{ message: "the run did not come this far: it does not do the same every time, so that nothing is proved of this place" }] };
    if ("failure" in outcome) return { faults: [{ message: `the job fails: ${errorText(outcome.failure)}`, cause: outcome.failure }] };
    const { lash } = await run.start();
    const left = await drive(leftIn(lash, run), time);
    const histories = Object.fromEntries(Object.entries(left.sessions).map(([id, { history }]) => [id, history]));
    const [first = ""] = seen.sessionIds;
    const facts: SweepFacts<Result, World> = {
      result: outcome.result, history: histories[first] ?? [], histories, toolRuns: seen.toolRuns, modelCalls: seen.modelCalls, world,
    };
    const faults: Fault[] = [...brokenRules(options.without ?? [], left, model?.left ?? left), ...(await checked(options, { ...facts, kill, lash, undisturbed: model?.facts ?? facts }, run))];
    await drive(lash.close(), time);
    return { facts, left, faults };
  } catch (error) {
    return { faults: [{ message: `what is left cannot be read: ${errorText(error)}`, cause: error }] };
  } finally {
    await run.closeDisk();
  }
}

async function leftIn<Result, World>(lash: Lash, { seen }: Ran<Result, World>): Promise<Left> {
  const toolRuns = [...seen.toolRuns];
  const inFlight = (await lash.recover()).map((turn) => `${turn.turnId} of session ${turn.sessionId}${"error" in turn ? ` (${turn.error.code})` : ""}`);
  const sessions: Record<string, SessionLeft> = {};
  for (const id of seen.sessionIds) {
    try {
      const { messages, turnIndex } = (await lash.openSession(id)).observe().readView;
      sessions[id] = { history: messages, turns: turnIndex };
    } catch (error) {
      // Deleted by the job.
      if (!LashError.is(error) || !error.isCode("session_id_retired")) throw error;
    }
  }
  return { sessions, inFlight, toolRuns };
}

function brokenRules(without: readonly SweepRule[], left: Left, undisturbed: Left): readonly Fault[] {
  const rules = Object.entries(RULES).filter(([rule]) => !without.includes(rule as SweepRule));
  return rules.flatMap(([, faultsOf]) => faultsOf(left, undisturbed)).map((message) => ({ message }));
}

async function checked<Result, World>({ check }: CrashSweep<Result, World>, asked: SweepRun<Result, World>, { time }: Ran<Result, World>): Promise<readonly Fault[]> {
  try {
    const faults = (await drive(Promise.resolve(check?.(asked)), time)) ?? [];
    return [faults].flat().map((message) => ({ message }));
  } catch (error) {
    return [{ message: `the check fails: ${errorText(error)}`, cause: error }];
  }
}

function checkSweep<Result, World>(options: CrashSweep<Result, World>): void {
  refuseUnknown(options, OPTIONS, "crashSweep options");
  for (const field of ["make", "job"] as const) if (typeof options[field] !== "function") throw invalidArgument(field, "a function");
  const kinds = [...(options.kinds ?? []), ...(options.only ? [options.only].flat() : []).map(({ kind }) => kind)];
  for (const kind of kinds) if (!KILL_KINDS.includes(kind)) throw invalidArgument("kind", `one of ${KILL_KINDS.join(", ")}`);
  for (const rule of options.without ?? []) if (!Object.hasOwn(RULES, rule)) throw invalidArgument("without", `made of ${Object.keys(RULES).join(", ")}`);
}
