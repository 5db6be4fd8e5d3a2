import type { Kill } from "./kill.ts";

/** One thing that does not hold, in one run. */
export interface Violation {
  readonly message: string;
  /** What was done to the run; null for the undisturbed one. `crashSweep({ ..., only: kill })` does it again. */
  readonly kill: Kill | null;
  /** The same in words. */
  readonly at: string;
  /** What was thrown, if something was. */
  readonly cause?: unknown;
}

/** What a sweep found. `String(report)` is for people. */
export interface SweepReport {
  /** Runs that were disturbed. */
  readonly runs: number;
  /** Writes of the undisturbed run. */
  readonly writes: number;
  /** Its effect boundaries, in order. */
  readonly effects: readonly string[];
  readonly violations: readonly Violation[];
  /** @throws Error with the whole report - there are violations. */
  throwIfViolated(): void;
  toString(): string;
}

/** More are counted, not listed. */
const LISTED = 20;

export function reportOf(facts: Pick<SweepReport, "runs" | "writes" | "effects" | "violations">): SweepReport {
  const { runs, writes, effects, violations } = facts;
  const toString = (): string => {
    const lines = violations.slice(0, LISTED).map(({ message, at, kill }, index) => {
      const again = kill ? `\n     to see it again: crashSweep({ ..., only: { kind: "${kill.kind}", n: ${kill.n} } })` : "";
      return `  ${index + 1}. ${message}\n     ${at}${again}`;
    });
    if (violations.length > LISTED) lines.push(`  .. and ${violations.length - LISTED} more`);
    return [`crashSweep: ${runs} runs (${writes} writes, ${effects.length} effect boundaries), ${violations.length} violations`, ...lines].join("\n");
  };
  return {
    ...facts,
    throwIfViolated() {
      if (violations.length > 0) throw new Error(toString(), { cause: violations[0]?.cause });
    },
    toString,
  };
}
