// The end of the main job's output: answer, tools, effects, bytes, verdict.

import { existsSync, statSync } from "node:fs";
// An app writes `from "lash-runtime"`.
import type { TokenUsage } from "../../src/index.ts";
import { storePath } from "./agent.ts";
import type { RunEvidence } from "./executioner.ts";
import { bold, bytes, dim, green, red } from "./paint.ts";
import type { Report, Source } from "./reports.ts";
import type { Check } from "./verdict.ts";
import type { SideEffect } from "./witness.ts";

export interface SummaryOptions extends RunEvidence {
  readonly usage: TokenUsage;
  readonly checks: readonly Check[];
  readonly home: string;
  /** Seen by the server, where it is ours. */
  readonly modelCalls: number | undefined;
}

export function summary(options: SummaryOptions): string {
  const { ended, witness, reports, usage, checks, modelCalls } = options;
  const answer = ended?.errors.length ? `${ended.text} (${ended.errors.join("; ")})` : ended?.text;
  return [
    "",
    `  answer   ${answer ?? "none"}`,
    "",
    ...toolTable(witness),
    `  effects  ${countEffects(reports, "run")} settled by the process that ran them, ${countEffects(reports, "journal")} answered from the journal of a killed one`,
    `  model    ${modelCalls === undefined ? "" : `${modelCalls} calls at the server, `}${usage.inputTokens} + ${usage.outputTokens} tokens counted`,
    `  written  ${written(options)}`,
    "",
    ...checks.flatMap(checkLines),
    "",
    checks.every(({ problems }) => problems.length === 0)
      ? `  ${green(bold("Nothing lost, nothing done twice."))}`
      : `  ${red(bold("Something was lost or done twice."))}`,
  ].join("\n");
}

function toolTable(witness: readonly SideEffect[]): readonly string[] {
  const count = (tool: string, what: SideEffect["what"]): number => witness.filter((effect) => effect.tool === tool && effect.what === what).length;
  const rows = [...new Set(witness.map(({ tool }) => tool))].map((tool) => {
    const counts = { began: count(tool, "began"), finished: count(tool, "finished"), probed: count(tool, "probed"), booked: tool === "book" ? count(tool, "did") : 0 };
    const times = `${counts.began}`.padStart(5) + `${counts.finished}`.padStart(10);
    return `  ${tool.padEnd(9)}${times}   ${dim(explain(counts))}`;
  });
  return rows.length === 0 ? [] : [`  ${dim("tool     began  finished")}`, ...rows, ""];
}

function explain({ began, finished, probed, booked }: { readonly began: number; readonly finished: number; readonly probed: number; readonly booked: number }): string {
  if (booked > 1) return "did its work again, although it was done";
  if (finished > 1) return "ran again, although it had finished";
  if (probed > 0) return "cut off after the booking: it asked, and took what it found as its outcome";
  if (began > finished) return "cut off: it only looks, so it was run again";
  return "ran once: what it had found out was on the disk";
}

/** Model calls and tool calls. A turn's other effects do nothing to the world. */
function countEffects(reports: readonly Report[], source: Source): number {
  return reports.filter((report) => (report.type === "model_settled" || report.type === "tool_settled") && report.source === source).length;
}

function written({ writtenBytes, home, processes }: SummaryOptions): string {
  const path = storePath(home);
  const size = [path, `${path}-wal`].reduce((sum, file) => sum + (existsSync(file) ? statSync(file).size : 0), 0);
  const kept = `the store is ${bytes(size)}`;
  // File systems in memory report nothing written.
  return writtenBytes ? `${bytes(writtenBytes)} by ${processes} processes, files of side effects included; ${kept}` : kept;
}

function checkLines({ claim, problems, unchecked }: Check): readonly string[] {
  if (unchecked !== undefined) return [`  ${dim("–")} ${claim} ${dim(`(not checked: ${unchecked})`)}`];
  if (problems.length === 0) return [`  ${green("✓")} ${claim}`];
  return [`  ${red("✗")} ${claim}`, ...problems.map((problem) => `      ${red(problem)}`)];
}
