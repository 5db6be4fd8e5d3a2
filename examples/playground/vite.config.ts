// npm run playground
import { join } from "node:path";
import { defineConfig } from "vite";

export default defineConfig({
  root: import.meta.dirname,
  server: { port: 5180, open: process.env["CI"] === undefined && process.stdout.isTTY },
  // elkjs looks for this package in order to use a worker on Node; in the page it must not.
  resolve: { alias: { "web-worker": join(import.meta.dirname, "no-worker.ts") } },
  build: {
    outDir: join(import.meta.dirname, "..", "..", "dist", "playground"),
    emptyOutDir: true,
    target: "es2023",
    rolldownOptions: { input: { index: join(import.meta.dirname, "index.html"), agent: join(import.meta.dirname, "agent.html") } },
  },
});
