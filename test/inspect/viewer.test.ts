// Drives the built viewer page in a real browser: from disk with a recording, and live from the server.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium, type Browser, type Page } from "playwright";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { buildViewer } from "../../scripts/build-viewer.ts";
import { findChromium } from "../../scripts/chromium.mjs";
import { inspectServer } from "../../src/inspect/node.ts";
import { recorder } from "../../src/inspect/recorder.ts";
import { fakeRuntime } from "./machines/system.ts";

const found = await findChromium();
const folder = mkdtempSync(join(tmpdir(), "viewer-"));
const recording = join(folder, "run.jsonl");

describe.skipIf(!found)("the viewer", () => {
  let browser: Browser;
  let page: Page;
  let complaints: string[];

  beforeAll(async () => {
    await buildViewer(folder);
    const tape = recorder({ schedule: () => undefined });
    const runtime = fakeRuntime(tape);
    runtime.start("chat-42", "t1", { replayedUpTo: 3, rounds: 1 });
    runtime.start("chat-7", "t1");
    // Eight answers lead to the tools: seven of the pipeline, one of the model.
    for (let step = 0; step < 8; step += 1) runtime.advance();
    expect(runtime.turn("chat-42", "t1")?.getSnapshot().value).toEqual({ running: "runningTools" });
    writeFileSync(recording, tape.toFile());
    browser = await chromium.launch({ executablePath: found?.executablePath ?? "", env: { ...(process.env as Record<string, string>), ...found?.env } });
  }, 60_000);

  afterAll(async () => {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const open = async (url: string): Promise<void> => {
    page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    complaints = [];
    page.on("console", (message) => {
      if (message.type() === "error") complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("request", (request) => {
      if (!request.url().startsWith(new URL(url).origin === "null" ? "file:" : new URL(url).origin) && !request.url().startsWith("data:")) complaints.push(`request ${request.url()}`);
    });
    await page.goto(url);
  };
  const openRecording = async (): Promise<void> => {
    await open(pathToFileURL(join(folder, "viewer.html")).href);
    await page.setInputFiles("#file", recording);
    await page.locator(".state.active").first().waitFor();
  };
  const lit = (kind: "active" | "visited"): Promise<string[]> => page.locator(`.state.${kind}`).evaluateAll((states) => states.map((state) => state.getAttribute("data-path") ?? ""));

  afterEach(async () => {
    expect(complaints).toEqual([]);
    await page.close();
  });

  test("lights the active states of the selected turn, and faintly those it went through", async () => {
    await openRecording();
    expect(await page.locator("#selected-name").textContent()).toBe("turn:chat-42:t1");
    expect((await lit("active")).sort()).toEqual(["running", "running.runningTools"]);
    expect((await lit("visited")).sort()).toEqual(["beforeTurn", "claimingLane", "drainingCommands", "normalizing", "preparedCheckpoint", "preparingContext", "refreshingHead", "running.callingModel", "running.preparingIteration"]);
    expect(await page.locator(".edge.taken .label").allTextContents()).toEqual([expect.stringContaining("effect.settled [wantsTools]")]);
  });

  test("lists actors by session with their states, and filters them", async () => {
    await openRecording();
    const rows = page.locator(".tree-row:not([hidden])");
    expect((await rows.allTextContents()).filter((text) => text.startsWith("chat-"))).toEqual(["chat-423", "chat-73"]);
    await page.keyboard.press("/");
    await page.keyboard.type("chat-7");
    expect(await rows.locator(".tree-name").allTextContents()).toEqual(["chat-7", "session", "effects t1", "turn t1"]);
    await rows.filter({ hasText: "session" }).click();
    await page.waitForFunction(() => document.querySelector("#selected-name")?.textContent === "session:chat-7");
    await page.locator('.state.active[data-path="lease.held"]').waitFor();
    expect((await lit("active")).sort()).toEqual(["lease", "lease.held", "residency", "residency.running"]);
  });

  test("shows the messages between the actors, and the effects with where each of them is", async () => {
    await openRecording();
    const messages = await page.locator(".row .message-text").allTextContents();
    expect(messages.some((text) => text.startsWith("effect.requested #9"))).toBe(true);
    expect(messages.some((text) => text.startsWith("effect.settled #8"))).toBe(true);
    const effects = await page.locator(".effect").evaluateAll((rows) => rows.map((row) => `${row.querySelector(".effect-kind")?.textContent ?? ""}: ${row.querySelector(".badge")?.textContent ?? ""}`));
    expect(effects).toEqual(["claim_lane: from journal", "drain_commands: from journal", "refresh_head: from journal", "prepare_context: settled", "before_turn: settled", "checkpoint: settled", "sync_environment: settled", "llm_call: settled", "tool_batch: requested"]);
  });

  test("steps back in time by key and by slider, and returns", async () => {
    await openRecording();
    await page.keyboard.press("Home");
    await page.waitForFunction(() => document.querySelectorAll(".state.active").length === 0);
    const slider = page.locator("#time");
    await slider.evaluate((input: HTMLInputElement) => {
      input.value = String(Math.floor(Number(input.max) / 2));
      input.dispatchEvent(new Event("input"));
    });
    await page.locator(".state.active").first().waitFor();
    expect(await lit("active")).not.toContain("running.runningTools");
    await page.keyboard.press("End");
    await page.locator('.state.active[data-path="running.runningTools"]').waitFor();
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("ArrowLeft");
    await page.waitForFunction(() => document.querySelector("#where")?.textContent?.includes("later"));
  });

  test("holds no secret and renders foreign text as text", async () => {
    const tape = recorder({ schedule: () => undefined });
    fakeRuntime(tape).start('<img src=x onerror="alert(1)">', "t1");
    const hostile = join(folder, "hostile.jsonl");
    writeFileSync(hostile, tape.toFile());
    await open(pathToFileURL(join(folder, "viewer.html")).href);
    await page.setInputFiles("#file", hostile);
    await page.locator(".state.active").first().waitFor();
    expect(await page.locator("img").count()).toBe(0);
    expect(await page.locator("#context").textContent()).toContain("apiKey[redacted]");
    expect(await page.content()).not.toContain("sk-live");
  });

  test("says so when a file is no recording, and keeps what it shows", async () => {
    await openRecording();
    const broken = join(folder, "notes.txt");
    writeFileSync(broken, "hello\nworld\n");
    await page.setInputFiles("#file", broken);
    await page.waitForFunction(() => document.querySelector("#problem")?.textContent === "notes.txt is no recording");
    expect(await page.locator(".state.active").count()).toBe(2);
  });

  test("follows a live runtime under the strict policy of the server", async () => {
    const server = await inspectServer({ viewerFolder: join(folder, "viewer"), flushEveryMs: 5 });
    try {
      const runtime = fakeRuntime(server);
      runtime.start("chat-42", "t1");
      await open(server.url);
      await page.locator('.state.active[data-path="claimingLane"]').waitFor();
      runtime.advance();
      await page.locator('.state.active[data-path="drainingCommands"]').waitFor();
      expect(await lit("visited")).toEqual(["claimingLane"]);
      await page.keyboard.press("Space");
      await page.waitForFunction(() => document.querySelector("#pause")?.textContent === "Go live");
      runtime.advance();
      await page.waitForFunction(() => document.querySelector("#where")?.textContent?.includes("later"));
      expect(await lit("active")).toEqual(["drainingCommands"]);
      await page.keyboard.press("Space");
      await page.locator('.state.active[data-path="refreshingHead"]').waitFor();
    } finally {
      await server.close();
    }
  });
}, 30_000);

test.skipIf(found)("VIEWER SUITE NOT RUN: no Chromium found", () => undefined);
