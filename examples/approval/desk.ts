// The desk: where questions wait for a person. Stands for whatever an app would use: a mail, a ticket, a row in a table.

import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface Question {
  readonly asks: string;
  /** Whoever has it may answer, so only the one who is asked gets it. */
  readonly key: string;
}

export class Desk {
  readonly #file: string;

  constructor(home: string) {
    this.#file = join(home, "desk.jsonl");
  }

  put(question: Question): void {
    appendFileSync(this.#file, `${JSON.stringify(question)}\n`, { mode: 0o600 });
  }

  get questions(): readonly Question[] {
    if (!existsSync(this.#file)) return [];
    // What follows the last line break is empty, or a question that is being written at this moment.
    return readFileSync(this.#file, "utf8").split("\n").slice(0, -1).map((line) => JSON.parse(line) as Question);
  }
}
