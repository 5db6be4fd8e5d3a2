// The timeline: one row per thing that happened, from the reports of the host processes and from the witness.

import { bold, cyan, dim, green, red, shortArgs, wrap, yellow } from "./paint.ts";
import type { TimedReport } from "./reports.ts";
import type { SideEffect } from "./witness.ts";

const TEXT_WIDTH = 66;
/** Rows come from two sources; they are held back this long so that they can be put in order. */
const HOLD_MS = 200;

export class Timeline {
  readonly #print: (line: string) => void;
  readonly #startMs = Date.now();
  #held: { readonly atMs: number; readonly show: () => void }[] = [];
  /** States passed since the last row; they share one, at the time of the first. */
  #states: string[] = [];
  #statesAtMs = 0;

  constructor(print: (line: string) => void = console.log) {
    this.#print = print;
  }

  processStarted(number: number, pid: number): void {
    const title = ` process ${number}, pid ${pid} `;
    this.#print(`\n${dim("──")}${bold(title)}${dim("─".repeat(Math.max(0, 98 - title.length)))}`);
  }

  reported(report: TimedReport): void {
    this.#hold(report.atMs, () => this.#showReport(report));
  }

  happened({ tool, what, note, atMs }: SideEffect): void {
    this.#hold(atMs, () => this.#row(atMs, "world", `${tool.padEnd(8)}  ${WORDS[what]}${note}`));
  }

  killed(during: string, atMs: number): void {
    this.#hold(atMs, () => {
      this.#flushStates();
      this.#print(`${this.#time(atMs)}  ${red(bold("SIGKILL"))}   ${red(`in the middle of ${during}`)}`);
    });
  }

  /** Shows what has been held back long enough; with no argument, everything. */
  show(nowMs = Number.POSITIVE_INFINITY): void {
    const due = this.#held.filter(({ atMs }) => atMs <= nowMs - HOLD_MS).sort((a, b) => a.atMs - b.atMs);
    this.#held = this.#held.filter(({ atMs }) => atMs > nowMs - HOLD_MS);
    for (const row of due) row.show();
    if (nowMs === Number.POSITIVE_INFINITY) this.#flushStates();
  }

  #hold(atMs: number, show: () => void): void {
    this.#held.push({ atMs, show });
  }

  #showReport(report: TimedReport): void {
    const { atMs } = report;
    switch (report.type) {
      case "state":
        if (this.#states.length === 0) this.#statesAtMs = atMs;
        this.#states.push(report.value);
        return;
      case "model_settled": {
        const calls = report.calls.map(({ tool, args }) => `${tool}(${shortArgs(args)})`).join(", ");
        const said = report.said === "" ? "" : `“${report.said}”`;
        return this.#row(atMs, "model", [said, calls && `→ ${calls}`].filter(Boolean).join(" "), report.source);
      }
      case "tool_settled":
        return this.#row(atMs, "tool", `${report.tool.padEnd(8)}  ${report.status}`, report.source);
      case "model_failed":
        return this.#row(atMs, "model", `failed: ${report.message}`);
      case "tool_recorded":
        return;
      case "ended":
        return this.#row(atMs, "ended", report.outcome);
    }
  }

  #row(atMs: number, kind: string, text: string, source = ""): void {
    this.#flushStates();
    const [first = "", ...more] = kind === "world" || kind === "tool" ? [text] : wrap(text, TEXT_WIDTH);
    const tone = kind === "world" ? yellow : kind === "ended" ? green : String;
    const mark = source === "journal" ? cyan("from the journal") : dim(source);
    this.#print(`${this.#time(atMs)}  ${dim(kind.padEnd(8))}  ${tone(mark === "" ? first : first.padEnd(TEXT_WIDTH))}${mark && `  ${mark}`}`);
    for (const line of more) this.#print(`${" ".repeat(21)}${tone(line)}`);
  }

  #flushStates(): void {
    if (this.#states.length === 0) return;
    const [first = "", ...more] = wrap(this.#states.join(" › "), TEXT_WIDTH + 18);
    this.#states = [];
    this.#print(`${this.#time(this.#statesAtMs)}  ${dim("states")}    ${first}`);
    for (const line of more) this.#print(`${" ".repeat(21)}${line}`);
  }

  #time(atMs: number): string {
    return dim(`${Math.max(0, atMs - this.#startMs)} ms`.padStart(9));
  }
}

const WORDS = { began: "begins", did: "", finished: "finished", probed: "was cut off, so it asks first: " } as const;
