// Starts a whole browser on a profile on disk, kills it in mid-tool, again and again, and looks at what is left.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { findChromium } from "../../../scripts/chromium.mjs";
import { startSite, type Site } from "./site.ts";
import { cutTornLogs } from "./torn-log.ts";

export interface KillReport {
  readonly turns: number;
  /** How often a tool was in the middle of its work when the browser was killed. */
  readonly interruptions: number;
  /** What must not be; empty when all holds. */
  readonly violations: readonly string[];
}

/** @param pause - milliseconds to wait before the kill of a round, counted from the first tool call of its page. */
export async function killBrowserAgainAndAgain(profile: string, rounds: number, pause: (round: number) => number): Promise<KillReport> {
  const found = await findChromium();
  const site = await startSite();
  const start = (query: string): (() => Promise<void>) => {
    const args = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", `--user-data-dir=${profile}`, `${site.origin}/?${query}`];
    // A process group of its own, so that all of it dies at once and without warning.
    const browser = spawn(found?.executablePath ?? "chromium", args, { detached: true, stdio: "ignore", env: { ...process.env, ...found?.env } });
    return async () => {
      const gone = once(browser, "exit");
      process.kill(-(browser.pid ?? 0), "SIGKILL");
      await gone;
    };
  };
  try {
    for (let round = 0; round < rounds; round++) {
      const kill = start(`tab=round-${round}&work`);
      await site.until(() => site.witnessed.some(({ tab, at }) => tab === `round-${round}` && at === "begin"));
      await new Promise((resolve) => setTimeout(resolve, pause(round)));
      await kill();
      cutTornLogs(profile);
    }
    const kill = start("tab=last&check");
    await site.until(() => site.posted("/ended").length > 0);
    await kill();
    return judge(site);
  } finally {
    site.close();
  }
}

function judge(site: Site): KillReport {
  const [ended] = site.posted("/ended") as readonly { readonly turns: readonly string[]; readonly messages: number }[];
  const { turns, messages } = ended ?? { turns: [], messages: 0 };
  const violations: string[] = [];
  for (const [index, text] of turns.entries()) if (text !== "done") violations.push(`turn-${index} ended as ${text}`);
  // Question, calls, results, answer.
  if (messages !== 4 * turns.length) violations.push(`${turns.length} turns left ${messages} messages`);
  let interruptions = 0;
  for (let index = 0; index < turns.length; index++) {
    for (const tool of ["quick", "slow"]) {
      const starts = site.witnessed.filter((entry) => entry.turnId === `turn-${index}` && entry.tool === tool && entry.at === "begin");
      // `quick` changes the world: it is never run twice. `slow` only looks: again, but only after an interruption.
      if (tool === "quick" && starts.length > 1) violations.push(`turn-${index}: quick ran ${starts.length} times`);
      if (starts.slice(1).some(({ interrupted }) => !interrupted)) violations.push(`turn-${index}: ${tool} ran again without being told so`);
      interruptions += Math.max(0, starts.length - 1);
    }
  }
  return { turns: turns.length, interruptions, violations };
}
