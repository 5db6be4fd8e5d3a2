// Fails when a core requirement is neither named by the title of a test nor explained in docs/coverage.md, and when an
// explanation is out of date: for an id that a test names, for one that does not exist, or pointing to no proof.

import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { requirementIds } from "../test/support/requirements.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const read = (file: string): string => readFileSync(join(root, file), "utf8");

/** What follows `test(`, `describe.each(...)(` and the like, and the titles of the conformance cases. */
const TITLE = /(?:\b(?:test|it|describe)(?:\.\w+)*(?:<[^(]*>)?\(|\)\(|\btitle:)\s*("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`)/g;
const CASE = /\bid: "(C-\d+[a-z]?)"/g;
const ID = /\b[A-Z]{1,2}-\d+[a-z]?\b/g;
/** `| T-4, T-7 | why |` */
const ROW = /^\| ((?:[A-Z]{1,2}-\d+[a-z]?(?:, )?)+) \| (.+) \|$/gm;

const known = new Set(requirementIds());
const named = new Set<string>();
const cases = new Set<string>();
for (const file of globSync(["test/**/*.test.ts", "src/testing/**/*-cases.ts", "src/testing/**/*-cases/*.ts"], { cwd: root })) {
  const text = read(file);
  for (const [, title = ""] of text.matchAll(TITLE)) for (const [id] of title.matchAll(ID)) named.add(id);
  for (const [, id = ""] of text.matchAll(CASE)) cases.add(id);
}

const problems: string[] = [];
const explained = new Set<string>();
for (const [, ids = "", why = ""] of read("docs/coverage.md").matchAll(ROW)) {
  for (const id of ids.split(", ")) {
    if (!known.has(id)) problems.push(`docs/coverage.md explains ${id}, which is no core requirement`);
    else if (named.has(id)) problems.push(`docs/coverage.md explains ${id}, but a test names it by now`);
    if (explained.has(id)) problems.push(`docs/coverage.md explains ${id} twice`);
    explained.add(id);
  }
  if (!why.startsWith("Proved as ")) continue;
  for (const [id] of why.matchAll(ID)) if (!cases.has(id) && !named.has(id)) problems.push(`docs/coverage.md points to ${id}, which no test names`);
}
for (const id of known) if (!named.has(id) && !explained.has(id)) problems.push(`${id} is in no test's title, and docs/coverage.md does not say why`);

if (problems.length > 0) {
  console.error(problems.join("\n"));
  process.exitCode = 1;
} else {
  const proved = [...known].filter((id) => named.has(id)).length;
  console.log(`${known.size} core requirements: ${proved} named by tests, ${explained.size} explained in docs/coverage.md`);
}
