// Real tabs of a real Chromium on one database: whoever drives may be closed, crash or freeze at any moment.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type BrowserContext, type Page } from "playwright";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findChromium } from "../../scripts/chromium.mjs";
import type { TabApi } from "./support/page.ts";
import { startSite, type Site } from "./support/site.ts";

const found = await findChromium();
const isMissing = found === undefined && !process.env["REQUIRE_BROWSER"];
const folder = mkdtempSync(join(tmpdir(), "lash-tabs-"));
let site: Site;
let context: BrowserContext;

beforeAll(async () => {
  if (isMissing) return;
  site = await startSite();
  context = await chromium.launchPersistentContext(folder, { executablePath: found?.executablePath ?? "chromium", env: { ...(process.env as Record<string, string>), ...found?.env } });
}, 60_000);

afterAll(async () => {
  await context?.close();
  site?.close();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

interface Tab {
  readonly name: string;
  readonly page: Page;
  run(text: string, turnId: string): Promise<string>;
  messages(): Promise<number>;
  seen(): Promise<readonly string[]>;
}

type Scope = { readonly tab: TabApi };

async function openTab(database: string, name: string): Promise<Tab> {
  const page = await context.newPage();
  await page.goto(`${site.origin}/?tab=${name}`);
  await page.waitForFunction(() => "tab" in globalThis);
  await page.evaluate((database) => (globalThis as unknown as Scope).tab.open(database, "chat"), database);
  return {
    name,
    page,
    run: (text, turnId) => page.evaluate(([text, turnId]) => (globalThis as unknown as Scope).tab.run(text, turnId), [text, turnId] as const),
    messages: () => page.evaluate(() => (globalThis as unknown as Scope).tab.messages()),
    seen: () => page.evaluate(() => (globalThis as unknown as Scope).tab.seen()),
  };
}

let databases = 0;
const fresh = (): string => `tabs-${databases++}`;

const begins = (turnId: string, tool: string) => site.witnessed.filter((entry) => entry.turnId === turnId && entry.tool === tool && entry.at === "begin");

const tookOver = (name: string): boolean => site.posted("/took-over").some((body) => (body as { tab: string }).tab === name);

const ENDS: Readonly<Record<string, (tab: Tab) => Promise<unknown>>> = {
  "is closed": ({ page }) => page.close(),
  "goes to another page": ({ page }) => page.goto("about:blank"),
  crashes: async ({ page }) => {
    const cdp = await context.newCDPSession(page);
    void cdp.send("Page.crash").catch(() => undefined);
    await page.waitForEvent("crash");
  },
};

describe.skipIf(isMissing)("tabs", { timeout: 60_000 }, () => {
  test.each(Object.keys(ENDS))("when the tab that drives %s, one that watches takes over long before the lease ends and finishes the turn (design 7.13, OP-14)", async (how) => {
    const database = fresh();
    const turnId = `end-${databases}`;
    const [first, second, third] = [await openTab(database, `a${databases}`), await openTab(database, `b${databases}`), await openTab(database, `c${databases}`)];
    const driving = startMidTool(turnId, first);
    await driving.inTool;
    expect(await second.run("mine", "busy")).toBe("session_execution_busy");
    await ENDS[how]?.(first);
    await site.until(() => tookOver(second.name) || tookOver(third.name));
    await site.until(() => begins(turnId, "slow").length === 2);
    site.open("slow");
    for (const tab of [second, third]) await expect.poll(() => tab.messages(), { timeout: 30_000 }).toBe(4);
    expect(await second.run("go", turnId)).toBe("done");
    expect(begins(turnId, "quick").map(({ interrupted }) => interrupted)).toEqual([false]);
    expect(begins(turnId, "slow").map(({ interrupted }) => interrupted)).toEqual([false, true]);
    expect([tookOver(second.name), tookOver(third.name)].filter(Boolean)).toHaveLength(1);
    for (const tab of [second, third]) await tab.page.close();
  });

  // Chromium freezes only hidden tabs, and headless ones are never hidden: the event is real, the pause is not. So this tab even
  // goes on working while another one has taken over, which its fence has to survive.
  test("a tab that is about to be frozen lets go at once; what it still does changes nothing (S-60)", async () => {
    const database = fresh();
    const turnId = `frozen-${databases}`;
    const [first, second] = [await openTab(database, `a${databases}`), await openTab(database, `b${databases}`)];
    const driving = startMidTool(turnId, first);
    await driving.inTool;
    await first.page.evaluate(() => document.dispatchEvent(new Event("freeze")));
    await site.until(() => tookOver(second.name));
    await site.until(() => begins(turnId, "slow").length === 2);
    site.open("slow");
    await expect.poll(() => second.messages(), { timeout: 30_000 }).toBe(4);
    await first.page.evaluate(() => document.dispatchEvent(new Event("resume")));
    // Its own attempt ends without a trace: the recorded result stands, or it learns that it lost the lane.
    expect(["done", "session_execution_lease_lost"]).toContain(await driving.result);
    expect(await first.run("go", turnId)).toBe("done");
    expect(begins(turnId, "quick")).toHaveLength(1);
    expect(await first.run("again", `${turnId}-next`)).toBe("done");
    await expect.poll(() => second.messages()).toBe(8);
    for (const tab of [first, second]) await tab.page.close();
  });

  test("tabs that end one after another hand the turn on, and the last one ends it (E-45)", async () => {
    const database = fresh();
    const turnId = `chain-${databases}`;
    const tabs = [await openTab(database, "chain-a"), await openTab(database, "chain-b"), await openTab(database, "chain-c")];
    const [first] = tabs;
    if (!first) throw new Error("no tab");
    await startMidTool(turnId, first).inTool;
    await first.page.close();
    await site.until(() => begins(turnId, "slow").length === 2);
    const heir = tabs.find(({ name }) => tookOver(name));
    await heir?.page.close();
    await site.until(() => begins(turnId, "slow").length === 3);
    site.open("slow");
    const last = tabs.find((tab) => tab !== first && tab !== heir);
    await expect.poll(() => last?.messages(), { timeout: 30_000 }).toBe(4);
    expect(begins(turnId, "quick")).toHaveLength(1);
    await last?.page.close();
  });

  test("a page whose policy allows no eval and nothing inline runs a turn, and nothing runs into that policy", async () => {
    const tab = await openTab(fresh(), "strict");
    site.shut("slow");
    site.open("slow");
    expect(await tab.run("go", "strict")).toBe("done");
    expect(await tab.page.evaluate(() => (globalThis as unknown as Scope).tab.violations())).toEqual([]);
    expect(await tab.page.evaluate(() => (globalThis as unknown as Scope).tab.canEvaluate())).toBe(false);
    expect(await tab.page.evaluate(() => (globalThis as unknown as Scope).tab.violations())).toEqual(["script-src eval"]);
    await tab.page.close();
  });

  test("a turn that nobody watched is finished by the next tab that opens (OP-7)", async () => {
    const database = fresh();
    const turnId = `alone-${databases}`;
    const first = await openTab(database, "alone-a");
    await startMidTool(turnId, first).inTool;
    await first.page.close();
    const second = await openTab(database, "alone-b");
    await site.until(() => begins(turnId, "slow").length === 2);
    site.open("slow");
    await expect.poll(() => second.messages(), { timeout: 30_000 }).toBe(4);
    expect(begins(turnId, "quick")).toHaveLength(1);
    await second.page.close();
  });
});

/** Starts a turn and says when it is in mid-tool: `quick` is recorded, `slow` runs and does not end. */
function startMidTool(turnId: string, driver: Tab): { readonly inTool: Promise<void>; readonly result: Promise<string> } {
  site.shut("slow");
  const result = driver.run("go", turnId).catch(() => "its tab is gone");
  const inTool = async (): Promise<void> => {
    await site.until(() => begins(turnId, "slow").length === 1);
    await expect.poll(() => driver.seen()).toContain("tool_call_completed here");
  };
  return { inTool: inTool(), result };
}
