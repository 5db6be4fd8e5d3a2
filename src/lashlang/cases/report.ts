// Runs case files and says how it went.
import { parseCases } from "./case-file.ts";
import { type CaseResult, type RunCaseOptions, runCase } from "./run-case.ts";

export interface CasesReport {
  readonly passed: number;
  readonly failed: readonly CaseResult[];
}

/**
 * Runs the cases of one file, in order.
 * @throws SyntaxError when `text` is no case file.
 */
export async function runCases(text: string, options: RunCaseOptions = {}): Promise<CasesReport> {
  const failed: CaseResult[] = [];
  const cases = parseCases(text);
  for (const subject of cases) {
    const result = await runCase(subject, options);
    if (!result.passed) failed.push(result);
  }
  return { passed: cases.length - failed.length, failed };
}

/** Each failing id with what was expected and what came, then the count on the last line. */
export function reportText({ passed, failed }: CasesReport): string {
  const lines = failed.flatMap(({ id, problems }) => [id, ...problems.map((problem) => `  ${problem}`)]);
  return [...lines, `${passed} passed, ${failed.length} failed`].join("\n");
}
