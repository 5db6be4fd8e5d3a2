// What the SQLite tests share: a folder per test file, child processes, a host whose time and disk the test controls.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { afterAll } from "vitest";
import type { Engine, Key, Value } from "../../../src/stores/engine.ts";
import { nodeHost, SqliteEngine, type SqliteHost } from "../../../src/stores/sqlite/sqlite-engine.ts";

/** @returns a maker of paths in a folder that is removed when the test file is done. */
export function temporaryFolder(): (name: string) => string {
  const folder = mkdtempSync(join(tmpdir(), "lash-sqlite-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  return (name) => join(folder, name);
}

export const engineWith = (path: string, host: Partial<SqliteHost>, busyTimeoutMs = 15_000): SqliteEngine =>
  new SqliteEngine({ path, absolutePath: resolve(path), busyTimeoutMs, maxBytes: Number.POSITIVE_INFINITY, missingLog: "refuse" }, { ...nodeHost, ...host });

export interface Child {
  readonly process: ChildProcessByStdio<Writable, Readable, null>;
  /** Lines said so far. */
  readonly lines: readonly string[];
  /** Resolves when `count` lines were said. */
  said(count: number): Promise<void>;
  /** Resolves when the process is gone and everything it said has arrived. */
  readonly gone: Promise<unknown>;
}

export function startChild(...args: readonly string[]): Child {
  const child = spawn(process.execPath, [join(import.meta.dirname, "child.ts"), ...args], { stdio: ["pipe", "pipe", "inherit"] });
  const lines: string[] = [];
  const waiting: { count: number; resolve: () => void }[] = [];
  const reader = createInterface(child.stdout).on("line", (line) => {
    lines.push(line);
    for (const each of waiting) if (lines.length >= each.count) each.resolve();
  });
  const gone = Promise.all([
    new Promise((resolve) => child.once("close", resolve)),
    new Promise((resolve) => reader.once("close", resolve)),
  ]);
  const said = async (count: number): Promise<void> => {
    await Promise.race([new Promise<void>((resolve) => (lines.length >= count ? resolve() : waiting.push({ count, resolve }))), gone]);
    if (lines.length < count) throw new Error(`the child is gone after ${lines.length} lines`);
  };
  return { process: child, lines, said, gone };
}

export const put = (engine: Engine, key: Key, value: Value): Promise<void> => engine.write(async (tx) => tx.set(key, value));
export const fetchValue = (engine: Engine, key: Key): Promise<Value | undefined> => engine.read((tx) => tx.get(key));
