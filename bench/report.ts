// Report: measured values beside their budgets, for people and for machines.

import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";

export interface Finding {
  readonly section: string;
  readonly what: string;
  readonly value: number;
  readonly unit: "ms" | "us" | "B" | "kB" | "MB" | "x" | "tx" | "/s";
  /** Most or least that the budget allows; `exactly` where it allows nothing else. */
  readonly budget?: { readonly atMost: number } | { readonly atLeast: number } | { readonly exactly: number };
  readonly note?: string;
}

const DIGITS: Readonly<Record<Finding["unit"], number>> = { ms: 3, us: 2, B: 0, kB: 1, MB: 1, x: 2, tx: 1, "/s": 0 };

export class Report {
  readonly #findings: Finding[] = [];

  /** Prints the finding at once, so that a long run shows where it is. */
  add(finding: Finding): void {
    if (this.#findings.at(-1)?.section !== finding.section) console.log(`\n${finding.section}`);
    this.#findings.push(finding);
    const value = `${finding.value.toFixed(DIGITS[finding.unit])} ${finding.unit}`;
    console.log(`  ${finding.what.padEnd(62)}${value.padStart(12)}  ${verdictText(finding)}${finding.note === undefined ? "" : `  (${finding.note})`}`);
  }

  /** @returns the path of the JSON file with all findings, for machines. */
  save(folder: string): string {
    mkdirSync(folder, { recursive: true });
    const at = new Date().toISOString();
    const path = join(folder, `${at.replaceAll(":", "-")}.json`);
    const machine = { node: process.version, platform: process.platform, arch: process.arch, cpu: cpus()[0]?.model ?? "", cpus: cpus().length };
    const findings = this.#findings.map((finding) => ({ ...finding, ...(finding.budget && { isMet: isMet(finding) }) }));
    writeFileSync(path, `${JSON.stringify({ at, machine, findings }, null, 1)}\n`);
    return path;
  }

  summary(): string {
    const judged = this.#findings.filter(({ budget }) => budget !== undefined);
    const missed = judged.filter((finding) => !isMet(finding));
    const list = missed.map(({ section, what }) => `\n  missed: ${section}: ${what}`).join("");
    return `${judged.length - missed.length} of ${judged.length} budgets met${list}`;
  }
}

function isMet({ value, budget }: Finding): boolean {
  if (budget === undefined) return true;
  if ("exactly" in budget) return value === budget.exactly;
  return "atMost" in budget ? value <= budget.atMost : value >= budget.atLeast;
}

function verdictText(finding: Finding): string {
  const { budget } = finding;
  if (budget === undefined) return "";
  const limit = "exactly" in budget ? `exactly ${budget.exactly}` : "atMost" in budget ? `at most ${budget.atMost}` : `at least ${budget.atLeast}`;
  return `${isMet(finding) ? "met" : "MISSED"}: ${limit}`;
}
