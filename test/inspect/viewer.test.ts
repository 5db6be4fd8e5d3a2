// Drives the built viewer page in a real browser: from disk with a recording, and live from the server.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
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

describe.skipIf(!found)("the viewer (not run only where no Chromium is found)", () => {
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
    writeFileSync(recording, tape.toFile());
    browser = await chromium.launch({ executablePath: found?.executablePath ?? "", env: { ...(process.env as Record<string, string>), ...found?.env } });
  }, 60_000);

  afterAll(async () => {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const open = async (url: string): Promise<void> => {
    page = await (await browser.newContext({ viewport: { width: 1440, height: 900 } })).newPage();
    page.setDefaultTimeout(12_000);
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
    await page.context().close();
    if (complaints.length > 0) throw new Error(`the page complained: ${complaints.join("; ")}`);
  });

  test("lights the active states of the selected turn, and faintly those it went through", async () => {
    await openRecording();
    expect(await page.locator("#selected-name").textContent()).toBe("turn:chat-42:t1");
    expect((await lit("active")).sort()).toEqual(["running", "running.runningTools"]);
    expect((await lit("visited")).sort()).toEqual(["beforeTurn", "claimingLane", "drainingCommands", "normalizing", "preparedCheckpoint", "preparingContext", "refreshingHead", "running.callingModel", "running.preparingIteration"]);
    expect(await page.locator(".edge.taken .label").allTextContents()).toEqual(["effect.settled", "[wantsTools]"]);
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

  test("plays a recording on from where it stands, and stops at its end", async () => {
    await openRecording();
    for (let back = 0; back < 3; back += 1) await page.keyboard.press("ArrowLeft");
    await page.waitForFunction(() => document.querySelector("#where")?.textContent?.includes("later"));
    await page.keyboard.press("Space");
    await page.waitForFunction(() => document.querySelector("#pause")?.textContent === "Play" && !document.querySelector("#where")?.textContent?.includes("later"));
    expect(await lit("active")).toContain("running.runningTools");
  });

  test("shows the actor whose lane is pressed", async () => {
    await openRecording();
    await page.locator(".lane", { hasText: "session" }).click();
    await page.locator('.state.active[data-path="lease.held"]').waitFor();
    expect(await page.locator("#selected-name").textContent()).toBe("session:chat-42");
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

  test("follows an app in another tab, and one whose page holds it in a frame", async () => {
    const app = await build({
      stdin: {
        contents: `import { createActor, createMachine } from "xstate";
          import { viewerChannel } from "./src/inspect/viewer-channel.ts";
          const machine = createMachine({ id: "lamp", initial: "off", states: { off: { on: { "lamp.flip": "on" } }, on: {} } });
          const frame = document.querySelector("iframe");
          globalThis.lamp = createActor(machine, { id: "lamp:hall:" + (frame ? "framed" : "tab"), inspect: viewerChannel({ flushEveryMs: 0, ...(frame ? { name: "unheard", window: frame.contentWindow } : {}) }) }).start();`,
        resolveDir: process.cwd(),
      },
      bundle: true, write: false, format: "iife", platform: "browser",
    });
    const script = `<script>${app.outputFiles[0]?.text ?? ""}</script>`;
    const pages: Readonly<Record<string, string>> = {
      "/viewer.html": readFileSync(join(folder, "viewer.html"), "utf8"),
      "/tab.html": script,
      "/framed.html": `<iframe src="/viewer.html" width="1300" height="800"></iframe>${script}`,
    };
    const server = createServer((request, response) => response.writeHead(200, { "Content-Type": "text/html" }).end(pages[request.url ?? ""] ?? ""));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      await open(`${origin}/viewer.html`);
      const tab = await page.context().newPage();
      await tab.goto(`${origin}/tab.html`);
      await page.locator('.state.active[data-path="off"]').waitFor();
      await tab.evaluate("lamp.send({ type: 'lamp.flip' })");
      await page.locator('.state.active[data-path="on"]').waitFor();
      expect(await page.locator("#selected-name").textContent()).toBe("lamp:hall:tab");
      await tab.goto(`${origin}/framed.html`);
      const inner = tab.frameLocator("iframe");
      await inner.locator('.state.active[data-path="off"]').waitFor();
      await tab.evaluate("lamp.send({ type: 'lamp.flip' })");
      await inner.locator('.state.active[data-path="on"]').waitFor();
      expect(await inner.locator("#selected-name").textContent()).toBe("lamp:hall:framed");
    } finally {
      server.closeAllConnections();
      server.close();
    }
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
