// The trace as a file: whole lines, whoever writes, and what a killed process leaves behind.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { memoryTrace, traceSink, type TraceRecord } from "../../src/trace/index.ts";
import { jsonlTrace, readTrace } from "../../src/trace/node.ts";
import { testLash } from "../support/lash.ts";
import { pairsOf } from "../support/trace-pairs.ts";

const folder = mkdtempSync(join(tmpdir(), "lash-trace-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const newPath = (): string => join(folder, "new", `${files++}`, "trace.jsonl");
const line = (id: string): TraceRecord => ({ schema_version: 2, id, timestamp: "1970-01-01T00:00:00.000Z", context: {}, type: "custom", name: "n", payload: {} });
const idsOf = async (path: string) => (await readTrace(path)).records.map(({ id }) => id);

test("TR-6 the directory is made, a record is a line that only its owner reads, and what is read is what was told", async () => {
  const path = newPath();
  const sink = memoryTrace();
  const file = jsonlTrace(path);
  const { lash } = testLash({ trace: { sink: traceSink({ append: (record) => (sink.append(record), file.append(record)), flush: () => file.flush?.() }) }, script: ["\u2028 line \u2029 ends \ud800 alone"] });
  await lash.flushTrace();
  expect(existsSync(path)).toBe(false);
  await (await lash.openSession("s")).run("go");
  await lash.flushTrace();
  expect(readFileSync(path, "utf8").split(/[\n\u2028\u2029]/)).toHaveLength(sink.records.length + 1);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(await readTrace(path)).toEqual({ records: sink.records, torn: [] });
  await lash.close();
});

test("TR-6 lines of several runtimes on one file never interleave, also across flushes, and each runtime's own are whole", async () => {
  const path = newPath();
  const runtimes = Array.from({ length: 3 }, (_, n) => testLash({ engine: memoryEngine(), trace: { sink: jsonlTrace(path), context: { run_id: `${n}` } }, script: () => "x".repeat(9_000) }));
  await Promise.all(
    runtimes.map(async ({ lash }) => {
      const session = await lash.openSession("s");
      for (let turn = 0; turn < 5; turn++) {
        await session.run("go");
        await lash.flushTrace();
      }
      await lash.close();
    }),
  );
  const { records, torn } = await readTrace(path);
  expect(torn).toEqual([]);
  for (const run of ["0", "1", "2"]) {
    const own = (records as unknown as readonly TraceRecord[]).filter(({ context }) => context.run_id === run);
    expect(own.filter(({ type }) => type === "turn_completed")).toHaveLength(5);
    expect(pairsOf(own)).toEqual({ open: [], wrong: [] });
  }
});

test("TR-6 a process that is killed while it writes has lost no record that it told, and tears at most its last line; who goes on leaves that line alone", async () => {
  const path = newPath();
  const program = `
    import { jsonlTrace } from ${JSON.stringify(join(import.meta.dirname, "../../src/trace/node.ts"))};
    import { writeSync } from "node:fs";
    const sink = jsonlTrace(${JSON.stringify(path)});
    for (let id = 1; ; id++) {
      sink.append({ type: "custom", id, text: "x".repeat(5000) });
      if (id % 20 === 0) writeSync(1, id + "\\n");
    }`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: ["ignore", "pipe", "inherit"] });
  let told = 0;
  child.stdout.on("data", (data: Buffer) => {
    told = Number(data.toString().trim().split("\n").at(-1));
    if (told >= 60) child.kill("SIGKILL");
  });
  await once(child, "close");
  // The system tears seldom: this makes sure of it.
  truncateSync(path, statSync(path).size - 100);
  jsonlTrace(path).append(line("next"));
  const { records, torn } = await readTrace(path);
  expect(torn).toHaveLength(1);
  expect(records.at(-1)).toMatchObject({ id: "next" });
  expect(records.length).toBeGreaterThanOrEqual(told);
  expect(records.slice(0, -1).map(({ id }) => id)).toEqual(records.slice(0, -1).map((_, index) => index + 1));
});

test("TR-10 what a reader does not know it keeps as it is; what is no record it names by line", async () => {
  const path = join(folder, "foreign.jsonl");
  writeFileSync(path, `{"schema_version":3,"type":"later","x":[1]}\n\n[1]\n{"type":"custom"\n{"type":"custom"}`);
  expect(await readTrace(path)).toEqual({ records: [{ schema_version: 3, type: "later", x: [1] }, { type: "custom" }], torn: [3, 4] });
});

test("a file that was moved away is followed by a new one after a flush; a torn end is not joined, whoever tore it", async () => {
  const path = newPath();
  const sink = jsonlTrace(path);
  sink.append(line("1"));
  await sink.flush?.();
  appendFileSync(path, '{"torn');
  sink.append(line("2"));
  await Promise.all([sink.flush?.(), sink.flush?.()]);
  expect([await idsOf(path), (await readTrace(path)).torn]).toEqual([["1", "2"], [2]]);
  rmSync(path);
  jsonlTrace(path).append(line("3"));
  expect(await idsOf(path)).toEqual(["3"]);
});

test("TR-1 a file that cannot be written changes no turn and is logged once", async () => {
  const blocked = join(folder, "blocked");
  writeFileSync(blocked, "a file where a directory should be");
  const { lash, logged } = testLash({ trace: { sink: jsonlTrace(join(blocked, "trace.jsonl")) } });
  expect(await (await lash.openSession("s")).run("go")).toMatchObject({ text: "done" });
  await lash.close();
  expect(logged).toMatchObject([{ level: "warn", event: "trace.sink_failed" }]);
  expect(() => jsonlTrace("")).toThrow(expect.objectContaining({ code: "invalid_argument", details: { field: "path" } }));
});
