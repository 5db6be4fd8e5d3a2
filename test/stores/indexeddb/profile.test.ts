import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { chromium } from "playwright";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findChromium } from "../../../scripts/chromium.mjs";
import { cutTornLogs } from "../../browser/support/torn-log.ts";
import type { PageApi } from "./page.ts";

// A browser with a profile on disk, as users have it: the other browser tests run in memory.
const found = await findChromium();
const isMissing = found === undefined && !process.env["REQUIRE_BROWSER"];

const folder = mkdtempSync(join(tmpdir(), "lash-profile-"));
const posts: { path: string; body: string }[] = [];
const server = createServer((request, response) => {
  let body = "";
  request.on("data", (chunk: Buffer) => (body += chunk.toString()));
  request.on("end", () => {
    if (request.method === "POST") posts.push({ path: request.url ?? "", body });
    server.emit("post");
    response.setHeader("content-type", "text/html").end(request.method === "POST" ? "" : `<script type="module">${script}</script>`);
  });
});
let script = "";
let origin = "";

beforeAll(async () => {
  const bundle = await build({ entryPoints: [join(import.meta.dirname, "page.ts")], bundle: true, format: "esm", write: false });
  script = bundle.outputFiles[0]?.text.replaceAll("</script", "<\\/script") ?? "";
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.close();
  server.closeAllConnections();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

/** Resolves when `enough` posts satisfy; a page that reports an error fails the test. */
async function posted(enough: (all: typeof posts) => boolean): Promise<void> {
  while (!enough(posts)) {
    await once(server, "post");
    const failure = posts.find((post) => post.path === "/error");
    if (failure !== undefined) throw new Error(`the page failed: ${failure.body}`);
  }
}

/** Starts the whole browser in a process group of its own; `kill` ends all of it at once and without warning. */
function startBrowser(profile: string, hash: string): { kill: () => Promise<void> } {
  const args = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", `--user-data-dir=${profile}`, `${origin}/${hash}`];
  const browser = spawn(found?.executablePath ?? "chromium", args, { detached: true, stdio: "ignore", env: { ...process.env, ...found?.env } });
  return {
    async kill() {
      const gone = once(browser, "exit");
      process.kill(-(browser.pid ?? 0), "SIGKILL");
      await gone;
    },
  };
}

test.skipIf(isMissing)("a browser that is killed 5 times while it writes loses no acknowledged write, keeps no half of one, and opens again", { timeout: 120_000 }, async () => {
  const profile = join(folder, "killed");
  const acknowledged = new Set<number>();
  let next = 0;
  for (let round = 0; round < 5; round++) {
    posts.length = 0;
    const writer = startBrowser(profile, `#write-${next}`);
    await posted((all) => all.length >= 20 + round * 15);
    await writer.kill();
    // Chromium appends to what the kill tore, and may throw the database away later (leveldb issue 1287); see docs/testing.md.
    cutTornLogs(profile);
    for (const { path } of posts) acknowledged.add(Number(path.slice("/ack/".length)));
    posts.length = 0;
    const reader = startBrowser(profile, "#check");
    await posted((all) => all.length > 0);
    await reader.kill();
    cutTornLogs(profile);
    const state = JSON.parse(posts[0]?.body ?? "") as { count: number; rows: number[] };
    const kept = new Set(state.rows);
    expect([...acknowledged].filter((i) => !kept.has(i))).toEqual([]);
    expect(state.count).toBe(state.rows.length);
    next = Math.max(...state.rows) + 1;
  }
  expect(acknowledged.size).toBeGreaterThanOrEqual(5 * 20);
});

test.skipIf(isMissing)("a write beyond the quota is store_full; the old state is intact, and writes go on once there is room", { timeout: 60_000 }, async () => {
  const context = await chromium.launchPersistentContext(join(folder, "quota"), {
    executablePath: found?.executablePath ?? "chromium",
    env: { ...(process.env as Record<string, string>), ...found?.env },
  });
  try {
    const page = await context.newPage();
    await page.goto(origin);
    const session = await context.newCDPSession(page);
    const outcomes: unknown[] = [];
    // From the start: the browser looks at the quota rarely as long as much of it was left.
    for (const [quotaSize, megabytes] of [[3_000_000, 0], [3_000_000, 5], [50_000_000, 6]] as const) {
      await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize });
      outcomes.push(
        await page.evaluate(async (megabytes) => {
          const { store } = globalThis as unknown as { store: PageApi };
          const engine = store.indexedDbEngine("quota");
          const code = await engine
            .write(async (tx) => {
              const bytes = new Uint8Array(1_000_000 * megabytes + 1000);
              for (let at = 0; at < bytes.length; at += 65_000) crypto.getRandomValues(bytes.subarray(at, at + 65_000));
              tx.set(["size"], megabytes);
              tx.set(["bytes"], bytes);
            })
            .then(() => "written", (error: { code?: unknown }) => error.code);
          const size = await engine.read((tx) => tx.get(["size"]));
          await engine.close();
          return { code, size };
        }, megabytes),
      );
    }
    expect(outcomes).toEqual([
      { code: "written", size: 0 },
      { code: "store_full", size: 0 },
      { code: "written", size: 6 },
    ]);
  } finally {
    await context.close();
  }
});
