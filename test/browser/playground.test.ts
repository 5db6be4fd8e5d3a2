// The playground, driven as a person would: by what can be seen and clicked.

import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Locator, type Page } from "playwright";
import { build, preview, type PreviewServer } from "vite";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findChromium } from "../../scripts/chromium.mjs";

const found = await findChromium();
const isMissing = found === undefined && !process.env["REQUIRE_BROWSER"];
let server: PreviewServer;
let browser: Browser;
const problems = new WeakMap<BrowserContext, string[]>();

beforeAll(async () => {
  if (isMissing) return;
  // Built, as it would be put on a site: it loads faster than its hundreds of modules.
  const shared = { configFile: fileURLToPath(new URL("../../examples/playground/vite.config.ts", import.meta.url)), logLevel: "error" } as const;
  const outDir = fileURLToPath(new URL("../../node_modules/.cache/playground", import.meta.url));
  await build({ ...shared, build: { outDir } });
  server = await preview({ ...shared, build: { outDir }, preview: { port: 0, open: false } });
  browser = await chromium.launch({ executablePath: found?.executablePath ?? "chromium", env: { ...(process.env as Record<string, string>), ...found?.env } });
}, 60_000);

afterAll(async () => {
  await browser?.close();
  await server?.close();
});

async function openPlayground(options: BrowserContextOptions = {}, pace = 3): Promise<Page> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(30_000);
  const page = await context.newPage();
  problems.set(context, []);
  context.on("weberror", (error) => problems.get(context)?.push(error.error().message));
  await page.goto(`${server.resolvedUrls?.local[0] ?? ""}?pace=${pace}`);
  await statusOf(page, "ready");
  return page;
}

/** Nothing in any of its tabs may have failed. */
async function leave(page: Page): Promise<void> {
  const context = page.context();
  await context.close();
  expect(problems.get(context)).toEqual([]);
}

const statusOf = (page: Page, text: string): Promise<void> => page.getByRole("status").filter({ hasText: text }).waitFor();
/** A row of the story, such as `trains` that `runs again`. */
const row = (page: Page, what: string, badge: string | RegExp): Locator => page.locator("#story li").filter({ hasText: what }).filter({ has: page.getByText(badge, { exact: true }) }).last();
const agent = (page: Page): Locator => page.getByRole("article", { name: "Agent" }).last();

// At once, as most of the time is spent on tools that take theirs.
describe.skipIf(isMissing).concurrent("playground", { timeout: 90_000 }, () => {
  test("an agent that is crashed in mid-tool goes on: the finished tool comes from the journal, the other one runs again", async () => {
    // Tools slow enough to be caught running on a machine that has more to do.
    const page = await openPlayground({}, 1);
    await page.getByRole("button", { name: "Plan my day in Oslo" }).click();
    await row(page, "weather", "ran").waitFor();
    await row(page, "trains", "running").waitFor();
    await page.getByRole("button", { name: "Crash it" }).click();
    await statusOf(page, "crashed");
    await row(page, "weather", "from the journal").waitFor();
    await row(page, "trains", /^(?:runs|ran) again$/).waitFor();
    await page.getByLabel("State chart of the turn").getByText("runningTools").first().waitFor();

    // Now in the middle of the tool that must not run twice.
    await row(page, "book_table", "running").waitFor();
    await page.keyboard.press("Alt+KeyK");
    await row(page, "book_table", "reported").waitFor();
    await page.getByText("Turn committed").waitFor();
    await agent(page).getByText("I have not tried twice").waitFor();
    expect(await page.locator("#story li").filter({ hasText: "weather" }).filter({ hasText: "ran" }).count()).toBe(1);
    await leave(page);
  });

  test("a second tab watches, is refused politely, and finishes the turn when the first is closed", async () => {
    // Slow enough to open a second tab meanwhile.
    const first = await openPlayground({}, 1);
    await first.getByRole("button", { name: "A day trip to Kyoto" }).click();
    await row(first, "trains", "running").waitFor();
    const [second] = await Promise.all([first.context().waitForEvent("page"), first.getByRole("button", { name: "Second tab" }).click()]);
    await statusOf(second, "another tab runs the turn");
    await second.getByText("A day trip to Kyoto").waitFor();
    await second.getByLabel("Message").fill("and tomorrow?");
    await second.keyboard.press("Enter");
    await second.getByRole("alert").filter({ hasText: "Your text stays here" }).waitFor();
    expect(await second.getByLabel("Message").inputValue()).toBe("and tomorrow?");
    await first.close();
    await second.getByText("Took over from another tab").waitFor();
    await statusOf(second, "this tab runs the turn");
    await agent(second).getByText("Your day in Kyoto").waitFor();
    await second.getByText("Turn committed").waitFor();
    await leave(second);
  });

  test("a turn can be stopped, its question edited and asked again, on a phone, in the dark, by keyboard", async () => {
    const page = await openPlayground({ viewport: { width: 390, height: 844 }, colorScheme: "dark", hasTouch: true });
    await page.getByLabel("Message").fill("Plan my day in Oslo");
    await page.keyboard.press("Enter");
    await agent(page).getByText("running").first().waitFor();
    await page.getByRole("button", { name: "Stop" }).tap();
    await page.getByRole("button", { name: "Send" }).waitFor();
    await page.getByRole("button", { name: "Edit" }).tap();
    await page.getByLabel("Edit the question").fill("hello");
    await page.keyboard.press("Enter");
    await agent(page).getByText("I am a small script").waitFor();
    await page.getByRole("button", { name: "Regenerate" }).waitFor();
    expect(await page.getByRole("article").count()).toBe(2);
    await page.getByRole("button", { name: "What ran" }).tap();
    await page.getByText("Turn committed").last().waitFor();
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(overflow).toBe(0);
    await page.reload();
    await agent(page).getByText("I am a small script").waitFor();
    await leave(page);
  });
});
