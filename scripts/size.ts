// What an app in a browser downloads for the runtime: main entry and IndexedDB store in one bundle, everything included,
// minified and gzipped (design.md section 9). Building it also proves that the path needs nothing of Node.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
/** What design.md section 9 wants, in bytes. */
const BUDGET = 45_000;
/** What it costs today: the check fails when it grows. To be lowered with every cut, down to the budget. */
const CEILING = 99_500;

const ENTRY = `export * from "./src/index.ts"; export * from "./src/stores/indexeddb/store.ts";`;

export interface BrowserSize {
  readonly gzipped: number;
  readonly minified: number;
  /** Minified bytes by package, or by folder of this one; largest first. */
  readonly parts: readonly (readonly [name: string, bytes: number])[];
}

/** @throws the bundler's errors, for example when something imports a Node built-in. */
export async function browserSize(): Promise<BrowserSize> {
  const { outputFiles, metafile } = await build({
    stdin: { contents: ENTRY, resolveDir: root, loader: "ts" },
    bundle: true,
    write: false,
    metafile: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2023",
    legalComments: "none",
    define: { "process.env.NODE_ENV": '"production"' },
  });
  const code = outputFiles[0]?.contents ?? new Uint8Array();
  const parts = new Map<string, number>();
  for (const { inputs } of Object.values(metafile.outputs)) {
    for (const [file, { bytesInOutput }] of Object.entries(inputs)) {
      const name = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? dirname(file);
      parts.set(name, (parts.get(name) ?? 0) + bytesInOutput);
    }
  }
  return { gzipped: gzipSync(code, { level: 9 }).length, minified: code.length, parts: [...parts].sort(([, a], [, b]) => b - a) };
}

if (import.meta.main) {
  const { gzipped, minified, parts } = await browserSize();
  for (const [name, bytes] of parts.slice(0, 14)) console.log(`${kilobytes(bytes).padStart(9)}  ${name}`);
  console.log(`main entry and IndexedDB store: ${kilobytes(gzipped)} gzipped, ${kilobytes(minified)} minified`);
  if (gzipped > BUDGET) console.log(`over the budget of ${kilobytes(BUDGET)} by ${kilobytes(gzipped - BUDGET)}`);
  if (gzipped > CEILING) {
    console.error(`it has grown beyond ${kilobytes(CEILING)}`);
    process.exitCode = 1;
  }
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} kB`;
}
