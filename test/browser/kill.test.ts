// SIGKILL of the whole browser. scripts/kill-browser.ts does the same as often as you like.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { findChromium } from "../../scripts/chromium.mjs";
import { killBrowserAgainAndAgain } from "./support/browser-kills.ts";

const KILLS = 20;
const found = await findChromium();
const isMissing = found === undefined && !process.env["REQUIRE_BROWSER"];
const profile = mkdtempSync(join(tmpdir(), "lash-killed-"));
afterAll(() => rmSync(profile, { recursive: true, force: true, maxRetries: 5 }));

test.skipIf(isMissing)(`a browser that is killed ${KILLS} times in mid-turn leaves every turn whole, and no finished tool runs twice (E-45, OP-3)`, { timeout: 120_000 }, async () => {
  const report = await killBrowserAgainAndAgain(profile, KILLS, (round) => round * 23);
  expect(report.violations).toEqual([]);
  expect(report.turns).toBeGreaterThan(1);
});
