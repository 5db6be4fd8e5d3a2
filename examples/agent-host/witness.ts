// The witness: a file of side effects. Tools write to it what they really do, and nothing in the runtime knows of it, so
// it can contradict the runtime. Appending is one system call, which a SIGKILL cannot take back.

import { appendFileSync, existsSync, readFileSync } from "node:fs";

export interface SideEffect {
  readonly atMs: number;
  readonly pid: number;
  readonly tool: string;
  /** The runtime's name for this very call; the same in every process. */
  readonly key: string;
  /** `did` is the effect on the world: for a booking, the booking itself. `probed`: only looked whether it was there. */
  readonly what: "began" | "did" | "finished" | "probed";
  readonly note: string;
}

export class Witness {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  write(what: SideEffect["what"], { tool, key, note = "" }: { readonly tool: string; readonly key: string; readonly note?: string }): void {
    const effect: SideEffect = { atMs: Date.now(), pid: process.pid, tool, key, what, note };
    appendFileSync(this.#path, `${JSON.stringify(effect)}\n`);
  }

  read(): readonly SideEffect[] {
    if (!existsSync(this.#path)) return [];
    // A process may be in the middle of a line: what follows the last line break is not there yet.
    return readFileSync(this.#path, "utf8").split("\n").slice(0, -1).map((line) => JSON.parse(line) as SideEffect);
  }
}
