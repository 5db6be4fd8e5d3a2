import { mkdtempSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { playwright } from "@vitest/browser-playwright";
import { defineConfig } from "vitest/config";
import { findChromium } from "./scripts/chromium.mjs";
import { chunkOf } from "./scripts/chunks.ts";
import { entries } from "./scripts/entries.ts";

if (Number(process.versions.node.split(".")[0]) < 22) {
  throw new Error("run this through npm (npm test, npm run build): npm brings the Node 24 of this repository");
}

const chromium = process.env["VITEST"] ? await findChromium() : undefined;
if (process.env["VITEST"] && !chromium && process.env["REQUIRE_BROWSER"]) {
  throw new Error("no Chromium found: install one, or set CHROMIUM_PATH");
}

interface BrowserProject {
  readonly name: string;
  readonly include: string[];
  /** Folder of a profile on disk; without one a context keeps IndexedDB in memory. */
  readonly profile?: string;
}

const browserProject = (found: NonNullable<typeof chromium>, { name, include, profile }: BrowserProject) => ({
  test: {
    name,
    include,
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      provider: playwright({
        ...(profile !== undefined && { persistentContext: profile }),
        launchOptions: {
          executablePath: found.executablePath,
          env: { ...(process.env as Record<string, string>), ...found.env },
        },
      }),
      instances: [{ browser: "chromium" as const }],
    },
  },
});

const browserProjects = (found: NonNullable<typeof chromium>) => [
  browserProject(found, { name: "browser", include: ["test/**/*.web.test.ts"] }),
  // The stores once more, with IndexedDB on a disk.
  browserProject(found, {
    name: "browser-disk",
    include: ["test/stores/*.web.test.ts"],
    profile: mkdtempSync(join(tmpdir(), "lash-browser-")),
  }),
];

/** What `npm run test:quick` leaves out: deaths by the dozen, sweeps over every write, fuzzing, whole programs and browsers. */
const LONG = [
  "test/**/*{crash,kill,fuzz}*.test.ts",
  "test/{browser,examples}/**",
  "test/{,built-}package.test.ts",
  "test/cli/backup.test.ts",
  "test/durable/mailbox.test.ts",
  "test/inspect/viewer.test.ts",
  "test/providers/round-trip*.test.ts",
  "test/runtime/{cancel-durable,cost,failed-writes,images,running-input,waits-restart}.test.ts",
  "test/stores/{persistence,released-format}.test.ts",
  "test/stores/indexeddb/profile.test.ts",
];

/**
 * What the built package imports instead of bringing it along: everything that is not its own, but for the zod that checks rows and
 * options. Of that it brings the part it uses: `zod/mini` by itself loads 93 modules, which took a quarter of the package's loading.
 */
const isExternal = (id: string): boolean => !/^([./]|\w:)/.test(id) && !id.startsWith("src/") && !/^zod(\/|$)/.test(id);

const ZOD_NOTICE = "/*! Contains parts of zod, https://zod.dev, Copyright (c) 2025 Colin McDonnell, under the MIT license that this package has, too. */";

export default defineConfig(({ mode }) => ({
  build: {
    lib: { entry: entries, formats: ["es"] },
    minify: false,
    sourcemap: true,
    target: "es2023",
    rolldownOptions: {
      external: isExternal,
      output: {
        codeSplitting: { groups: [{ name: chunkOf(import.meta.dirname), debugName: "main entry" }] },
        // Said in the declarations, too.
        comments: { jsdoc: false },
        banner: ({ moduleIds }) => (moduleIds.some((id) => id.includes("/node_modules/zod/")) ? ZOD_NOTICE : ""),
      },
    },
  },
  test: {
    // Many tests wait for a disk, a process or a browser: one more than there are cores keeps the cores at work.
    maxWorkers: availableParallelism() + 1,
    projects: [
      {
        test: {
          name: "node",
          include: ["test/**/*.test.ts"],
          exclude: ["test/**/*.web.test.ts", "test/browser-missing.test.ts", ...(mode === "quick" ? LONG : [])],
          pool: "forks",
          setupFiles: ["test/support/watch-codes.ts"],
          // Machines that run the suite are shared; a slow minute is no failure.
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      ...(chromium ? browserProjects(chromium) : [{ test: { name: "browser", include: ["test/browser-missing.test.ts"] } }]),
    ],
  },
}));
