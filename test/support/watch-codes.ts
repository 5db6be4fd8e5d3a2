// Runs before every test file of the node project: it notes which codes of src/domain/error-codes.ts the runtime gives to an error, a
// turn issue or a failed tool call while the file runs, and holds them against codes-seen.json once the file is through.
// An error counts where code of src raised it, not a test; issues and failures count where a turn's result shows them.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeEach, vi, type RunnerTask, type RunnerTestFile } from "vitest";
import type * as ErrorsModule from "../../src/domain/errors.ts";
import type * as ResultModule from "../../src/turn-result.ts";
import { codesSeenIn, CODES_CACHE, DOCUMENTED_CODES, RESERVED_CODES } from "./codes-seen.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

const watch = vi.hoisted(() => {
  const seen = new Set<string>();
  const later = queueMicrotask;
  /** The first place outside the values of src/domain decides who raised it. */
  const isRaisedBySource = (stack: string): boolean => {
    const place = stack.split("\n").find((line) => /\.tsx?:\d/.test(line) && !/\/src\/domain\/|\/support\/watch-codes/.test(line));
    return place !== undefined && /\/src\/(?!testing\/)/.test(place);
  };
  return {
    seen,
    /** Its code is set after this constructor of its base has returned. */
    noteLater: (error: { readonly code?: string; readonly stack?: string }) =>
      later(() => {
        if (error.code !== undefined && !seen.has(error.code) && isRaisedBySource(error.stack ?? "")) seen.add(error.code);
      }),
    note: (code: string | undefined) => void (code !== undefined && seen.add(code)),
  };
});

vi.mock("../../src/domain/errors.ts", async (original) => {
  const errors = await original<typeof ErrorsModule>();
  const watched = function (this: unknown, ...args: [string?, ErrorOptions?]): object {
    const error: Error = Reflect.construct(Error, args, new.target ?? Error);
    watch.noteLater(error);
    return error;
  };
  // `super()` asks the prototype of the class at each call.
  Object.setPrototypeOf(errors.LashError, watched);
  return errors;
});

vi.mock("../../src/turn-result.ts", async (original) => {
  const results = await original<typeof ResultModule>();
  return {
    ...results,
    turnResultOf: (...args: Parameters<typeof results.turnResultOf>) => {
      const result = results.turnResultOf(...args);
      for (const { code } of result.errors) watch.note(code);
      for (const { output } of result.toolCalls) if (output?.outcome.status === "failure") watch.note(output.outcome.payload.code);
      return result;
    },
  };
});

let file: RunnerTestFile | undefined;
beforeEach(({ task }) => {
  file = task.file;
});

const isWhole = (task: RunnerTask): boolean => ("tasks" in task ? task.tasks.every(isWhole) : task.result?.state === "pass");

afterAll(() => {
  if (file === undefined || !isWhole(file)) return;
  const name = relative(root, file.filepath);
  const cache = join(root, CODES_CACHE, `${name.replaceAll("/", "+")}.json`);
  mkdirSync(dirname(cache), { recursive: true });
  const seen = [...watch.seen].filter((code) => DOCUMENTED_CODES.has(code) || RESERVED_CODES.has(code)).toSorted();
  writeFileSync(cache, JSON.stringify({ file: name, seen }));
  const reserved = seen.filter((code) => RESERVED_CODES.has(code));
  if (reserved.length > 0) throw new Error(`${reserved.join(", ")}: raised, but src/domain/error-codes.ts has it as reserved; move it to ERROR_CODES and write its line in docs/errors.md`);
  const gone = codesSeenIn(name, readFileSync(join(root, "test/support/codes-seen.json"), "utf8")).filter((code) => !watch.seen.has(code));
  if (gone.length > 0) throw new Error(`${name} is to raise ${gone.join(", ")}, says test/support/codes-seen.json, and does not any more; after a whole \`npm test\` say \`npx node scripts/codes-seen.ts\``);
});
