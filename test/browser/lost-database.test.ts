// A database that the browser throws away: the app is told (C3 of idb-connection.ts), and begins with an empty one.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { findChromium } from "../../scripts/chromium.mjs";
import { startSite } from "./support/site.ts";

const found = await findChromium();
const isMissing = found === undefined && !process.env["REQUIRE_BROWSER"];
const profile = mkdtempSync(join(tmpdir(), "lash-lost-"));
afterAll(() => rmSync(profile, { recursive: true, force: true, maxRetries: 5 }));

/** What a torn log looks like to the opening after next: something in its middle that is no record. */
function damageLogs(): void {
  const folder = join(profile, "Default", "IndexedDB");
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    if (!name.endsWith(".log")) continue;
    const log = readFileSync(join(folder, name));
    writeFileSync(join(folder, name), log.fill(0xff, Math.floor(log.length / 4), Math.floor(log.length / 2)));
  }
}

test.skipIf(isMissing)("an app whose database Chromium throws away for corruption is told once, and works on", { timeout: 60_000 }, async () => {
  const site = await startSite();
  const visit = async (tab: string): Promise<void> => {
    const args = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", `--user-data-dir=${profile}`, `${site.origin}/?tab=${tab}&check`];
    const browser = spawn(found?.executablePath ?? "chromium", args, { stdio: "ignore", env: { ...process.env, ...found?.env } });
    const ended = site.posted("/ended").length;
    await site.until(() => site.posted("/ended").length > ended);
    // Asked to end, it writes down what it has kept back.
    browser.kill("SIGTERM");
    await once(browser, "exit");
  };
  try {
    await visit("first");
    await visit("again");
    expect(site.posted("/lost")).toEqual([]);
    damageLogs();
    await visit("damaged");
    await visit("after");
    expect(site.posted("/lost")).toEqual([{ tab: "damaged" }]);
  } finally {
    site.close();
  }
});
