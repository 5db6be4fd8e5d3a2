// Runs a program of the repository as a child process.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));

export interface Ran {
  readonly code: number | null;
  readonly output: string;
}

export interface Running {
  readonly pid: number;
  /** Resolves with everything said so far once it contains `text`; rejects when the program ends without it. */
  said(text: string): Promise<string>;
  type(line: string): void;
  /** Ends its standard input, as a closed terminal or the end of a pipe does. */
  hangUp(): void;
  kill(signal: NodeJS.Signals): void;
  readonly ended: Promise<Ran>;
}

export function start(file: string, args: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Running {
  const { AGENT_BASE_URL: _url, FORCE_COLOR: _color, ...inherited } = process.env;
  const child = spawn(process.execPath, [file, ...args], { cwd: root, env: { ...inherited, ...env }, stdio: ["pipe", "pipe", "pipe"] });
  let output = "";
  const waiting = new Set<{ readonly text: string; readonly resolve: (output: string) => void; readonly reject: (error: Error) => void }>();
  const take = (chunk: Buffer): void => {
    output += chunk.toString();
    for (const one of waiting) {
      if (!output.includes(one.text)) continue;
      waiting.delete(one);
      one.resolve(output);
    }
  };
  child.stdout.on("data", take);
  child.stderr.on("data", take);
  const ended = new Promise<Ran>((resolve) => {
    child.once("close", (code) => {
      for (const { text, reject } of waiting) reject(new Error(`it ended with code ${code} before it said ${JSON.stringify(text)}:\n${output}`));
      resolve({ code, output });
    });
  });
  return {
    pid: child.pid ?? 0,
    said: (text) =>
      output.includes(text) ? Promise.resolve(output) : new Promise((resolve, reject) => waiting.add({ text, resolve, reject })),
    type: (line) => void child.stdin.write(`${line}\n`),
    hangUp: () => void child.stdin.end(),
    kill: (signal) => void child.kill(signal),
    ended,
  };
}

export function run(file: string, args: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  const running = start(file, args, env);
  running.hangUp();
  return running.ended;
}
