import { gzipSync } from "node:zlib";
import { buildSync } from "esbuild";
import { expect, test } from "vitest";

function bundle(entry: string): { bytes: number; text: string } {
  const { outputFiles } = buildSync({
    entryPoints: [`src/lashlang/${entry}`],
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    platform: "browser", // an import of a Node built-in fails the build
    target: "es2023",
    logLevel: "silent",
  });
  const contents = outputFiles[0]?.contents ?? new Uint8Array();
  return { bytes: gzipSync(contents, { level: 9 }).length, text: new TextDecoder().decode(contents) };
}

// Ceilings: index.ts stays below 40 kB, 1 kB being 1000 bytes; the others just above today's sizes: what grows, grows on purpose.
test.each([
  ["index.ts", 40_000],
  ["durable.ts", 42_500],
  ["tools.ts", 16_000],
])("%s bundles for the browser, min+gzip, below %i bytes", (entry, ceiling) => {
  expect(bundle(entry).bytes).toBeLessThan(ceiling);
});

test.each(["index.ts", "durable.ts"])("%s bundles to what evaluates no text and reads no Node globals", (entry) => {
  expect(bundle(entry).text).not.toMatch(/\beval\(|new Function|\bBuffer\b|\bprocess\.|\brequire\(/);
});
