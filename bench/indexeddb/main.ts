// The IndexedDB engine in Chromium, on a profile on disk (the default profile of a driven browser is in memory).
//   node bench/indexeddb/main.ts [transactions]

import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { chromium } from "playwright";
import { findChromium } from "../../scripts/chromium.mjs";
import type { Result } from "./page.ts";

const transactions = Number(process.argv[2] ?? 2000);
const found = await findChromium();
if (found === undefined) throw new Error("no Chromium found: install one, or set CHROMIUM_PATH");

const bundle = await build({ entryPoints: [join(import.meta.dirname, "page.ts")], bundle: true, format: "esm", write: false });
const html = `<script type="module">${bundle.outputFiles[0]?.text.replaceAll("</script", "<\\/script") ?? ""}</script>`;
const server = createServer((_, response) => response.setHeader("content-type", "text/html").end(html)).listen(0, "127.0.0.1");
await once(server, "listening");
const profile = mkdtempSync(join(tmpdir(), "lash-bench-profile-"));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: found.executablePath,
  env: { ...(process.env as Record<string, string>), ...found.env },
});
try {
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const results = await page.evaluate((count) => (globalThis as unknown as { bench: (count: number) => Promise<Result[]> }).bench(count), transactions);
  for (const { side, p50, p95, mean, transactions: count } of results) {
    console.log(`${side.padEnd(28)} p50 ${p50.toFixed(2)} ms   p95 ${p95.toFixed(2)} ms   mean ${mean.toFixed(2)} ms   ${count} transactions`);
  }
} finally {
  await context.close();
  server.close();
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
}
