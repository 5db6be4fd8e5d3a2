// Writes test/support/codes-seen.json from what the last runs of the test files saw: a code stays with its file while that file still
// raises it. `--check` writes nothing: it fails when a code of docs/errors.md is seen by no test (part of `npm run lint`; that each file
// still raises what the list says, the file itself checks when it runs).

import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CODES_CACHE, DOCUMENTED_CODES, UNSEEN_CODES } from "../test/support/codes-seen.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const listed = join(root, "test/support/codes-seen.json");
const list: Record<string, string> = JSON.parse(readFileSync(listed, "utf8"));

if (process.argv.includes("--check")) {
  const problems = [
    ...[...DOCUMENTED_CODES].filter((code) => !(code in list) && !(code in UNSEEN_CODES)).map((code) => `${code}: no test makes the runtime raise it; write one, or say in UNSEEN_CODES why not, or move it to RESERVED_ERROR_CODES`),
    ...Object.keys(UNSEEN_CODES).filter((code) => code in list).map((code) => `${code}: seen by ${list[code]}, so UNSEEN_CODES need not explain it`),
    ...[...Object.keys(list), ...Object.keys(UNSEEN_CODES)].filter((code) => !DOCUMENTED_CODES.has(code)).map((code) => `${code}: listed, and no code of ERROR_CODES`),
    ...Object.entries(list).filter(([, file]) => !existsSync(join(root, file))).map(([code, file]) => `${code}: ${file} does not exist`),
  ];
  if (problems.length > 0) {
    console.error(problems.join("\n"));
    process.exitCode = 1;
  } else console.log(`${DOCUMENTED_CODES.size} error codes: ${Object.keys(list).length} raised in a test, ${Object.keys(UNSEEN_CODES).length} explained in test/support/codes-seen.ts`);
} else {
  const seen = new Map<string, Set<string>>();
  for (const cache of globSync(`${CODES_CACHE}/*.json`, { cwd: root })) {
    const entry: { readonly file: string; readonly seen: readonly string[] } = JSON.parse(readFileSync(join(root, cache), "utf8"));
    if (existsSync(join(root, entry.file))) seen.set(entry.file, new Set(entry.seen));
  }
  const fileOf = (code: string): string | undefined => {
    const now = list[code];
    // A file that did not run keeps what it has.
    if (now !== undefined && existsSync(join(root, now)) && (seen.get(now)?.has(code) ?? true)) return now;
    return [...seen].filter(([, codes]) => codes.has(code)).map(([file]) => file).toSorted()[0];
  };
  const entries = [...DOCUMENTED_CODES].flatMap((code) => {
    const file = fileOf(code);
    return file === undefined ? [] : [[code, file] as const];
  });
  writeFileSync(listed, `${JSON.stringify(Object.fromEntries(entries), null, 2)}\n`);
  console.log(`${entries.length} of ${DOCUMENTED_CODES.size} codes are raised in a test; not: ${[...DOCUMENTED_CODES].filter((code) => !fileOf(code)).join(", ") || "none"}`);
}
