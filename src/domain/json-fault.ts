// Where a text stops being JSON. Engines word their errors differently and some name no position.
//
// Nothing here recurses, and each character is looked at once.

/** The first thing that is wrong: an index into the text, and what is there. */
export interface JsonFault {
  readonly position: number;
  readonly problem: string;
}

const SPACES = " \t\n\r";
const ESCAPES = '"\\/bfnrt';
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /true|false|null/y;
const HEX = /[0-9a-fA-F]{4}/y;

/** @returns undefined for JSON. */
export function jsonFault(text: string): JsonFault | undefined {
  return new Scan(text).fault();
}

/** What may stand next. */
type Wanted = "value" | "value or ]" | "key" | "key or }" | "colon" | "comma or end" | "end of text";

class Scan {
  readonly #text: string;
  #at = 0;
  readonly #open: ("[" | "{")[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  fault(): JsonFault | undefined {
    let wanted: Wanted = "value";
    for (;;) {
      this.#skipSpaces();
      if (this.#at >= this.#text.length) return wanted === "end of text" ? undefined : this.#isCutOff();
      const next = this.#next(wanted);
      if (typeof next !== "string") return next;
      wanted = next;
    }
  }

  #next(wanted: Wanted): Wanted | JsonFault {
    const char = this.#text.charAt(this.#at);
    switch (wanted) {
      case "value":
      case "value or ]":
        return char === "]" && wanted === "value or ]" ? this.#close() : this.#value(char);
      case "key":
      case "key or }":
        if (char === "}" && wanted === "key or }") return this.#close();
        return char === '"' ? (this.#string() ?? "colon") : this.#unexpected("a field name in double quotes");
      case "colon":
        return char === ":" ? this.#take("value") : this.#unexpected("a colon");
      case "comma or end": {
        const container = this.#open.at(-1);
        if (char === ",") return this.#take(container === "{" ? "key" : "value");
        return char === (container === "{" ? "}" : "]") ? this.#close() : this.#unexpected(container === "{" ? "a comma or }" : "a comma or ]");
      }
      case "end of text":
        return { position: this.#at, problem: `${this.#shown()} stands behind the end of the JSON text` };
    }
  }

  #value(char: string): Wanted | JsonFault {
    if (char === "{" || char === "[") {
      this.#open.push(char);
      return this.#take(char === "{" ? "key or }" : "value or ]");
    }
    if (char === '"') return this.#string() ?? this.#after();
    const pattern = char === "-" || (char >= "0" && char <= "9") ? NUMBER : WORD;
    const length = this.#matches(pattern);
    if (length === 0) return this.#isBeginning() ? this.#isCutOff() : this.#unexpected("a value");
    this.#at += length;
    return this.#after();
  }

  /** @returns what is wrong with the string that begins here. */
  #string(): JsonFault | undefined {
    for (this.#at += 1; this.#at < this.#text.length; this.#at += 1) {
      const char = this.#text.charAt(this.#at);
      if (char === '"') {
        this.#at += 1;
        return undefined;
      }
      if (char < " ") return { position: this.#at, problem: "a control character stands in a string; it has to be escaped" };
      if (char !== "\\") continue;
      this.#at += 1;
      const escape = this.#text.charAt(this.#at);
      if (escape === "u") {
        this.#at += 1;
        if (this.#matches(HEX) === 0) return this.#at + 4 > this.#text.length ? this.#isCutOff() : this.#unexpected("four hexadecimal digits");
        this.#at += 3;
      } else if (escape !== "" && !ESCAPES.includes(escape)) return this.#unexpected("an escape sequence of JSON");
    }
    return this.#isCutOff("within a string");
  }

  #after(): Wanted {
    return this.#open.length > 0 ? "comma or end" : "end of text";
  }

  #take(next: Wanted): Wanted {
    this.#at += 1;
    return next;
  }

  #close(): Wanted {
    this.#open.pop();
    this.#at += 1;
    return this.#after();
  }

  #skipSpaces(): void {
    while (this.#at < this.#text.length && SPACES.includes(this.#text.charAt(this.#at))) this.#at += 1;
  }

  #matches(pattern: RegExp): number {
    pattern.lastIndex = this.#at;
    return pattern.exec(this.#text)?.[0].length ?? 0;
  }

  /** Of a word or number that the text ends in. */
  #isBeginning(): boolean {
    const rest = this.#text.slice(this.#at, this.#at + 5);
    return this.#at + rest.length === this.#text.length && (rest === "-" || ["true", "false", "null"].some((word) => word.startsWith(rest)));
  }

  #isCutOff(where = "before it is complete"): JsonFault {
    return { position: this.#text.length, problem: `the text ends ${where}` };
  }

  #unexpected(wanted: string): JsonFault {
    return { position: this.#at, problem: `${this.#shown()} stands where ${wanted} has to be` };
  }

  #shown(): string {
    const point = this.#text.codePointAt(this.#at);
    return point === undefined ? "nothing" : JSON.stringify(String.fromCodePoint(point));
  }
}
