// Redaction: how long the built-in rules take for ten megabytes of an error, whatever is in it. Nobody sends so much in good faith:
// the budget says that a provider's error cannot hold up a process.
import { builtInRedactor } from "../src/domain/redactor.ts";
import { VENDORS } from "../src/domain/secrets/vendors.ts";
import { SECRET_SHAPES } from "../test/support/secret-shapes.ts";
import type { Report } from "./report.ts";

const LENGTH = 10_000_000;
const ROUNDS = 5;
const SECTION = "Redaction (10 MB of text, processor time)";
const BUDGET_MS = 1_000;

const filled = (part: string): string => part.repeat(Math.ceil(LENGTH / part.length)).slice(0, LENGTH);

/** Numbers that look like chance and are the same in every run. */
function chance(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state >>> 8;
  };
}

function drawn(alphabet: string, length: number): string {
  const next = chance();
  return Array.from({ length }, () => alphabet.charAt(next() % alphabet.length)).join("");
}

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const PROSE = "The request was refused, because the model that you asked for is not there. See the documentation at https://example.com/docs/errors?page=2, or write to help@example.com. ";
const NAMES = "password token secret authorization cookie bearer basic credential signature api_key session-key pwd auth ";

export const TEXTS: Readonly<Record<string, string>> = {
  prose: filled(PROSE),
  JSON: filled('{"role":"user","content":[{"type":"text","text":"lorem ipsum dolor sit amet"}],"max_tokens":4096,"id":"msg_01XFDUDYJgAACzvnptvVoYEL"},\n'),
  "JSON within JSON": filled(JSON.stringify(JSON.stringify({ error: { message: 'no "model" of that name', request: { role: "user", id: 17 } } }))),
  "stack traces": filled("Error: connect ECONNREFUSED 127.0.0.1:5432\n    at run (/srv/app/node_modules/client/dist/index.js:120:17)\n"),
  base64: filled(drawn(BASE64, 100_003)),
  "base64 in lines": filled(drawn(BASE64, 76 * 1_000).replace(/.{76}/g, "$&\n")),
  hexadecimal: filled(drawn("0123456789abcdef", 100_003)),
  unicode: filled("Der Schlüssel für 你好世界 と ключ 🔑 wurde naïvement refusé — “quoted” … "),
  "all kinds of secrets": filled(SECRET_SHAPES.map(({ text }) => text).join("\n")),
  "short pairs": filled("pwd=a1b2c3 "),
  "pairs in JSON": filled('{"password":"hunter2","token":"a1b2c3d4"},'),
  "keys of vendors": filled(`${"sk-"}abcdefghijklmnop1234 ${"ghp_"}abcdefghijklmnop1234 ${"AKIA"}IOSFODNN7EXAMPLE `),
  "web tokens": filled("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N "),
  "accounts in URLs": filled("postgres://bob:hunter2@db:5432/x "),
  "prefixes of vendors alone": filled(`${VENDORS.map(({ prefix }) => prefix).join(" ")} `),
  "prefixes of vendors, cut short": filled(VENDORS.map(({ prefix }) => `${prefix}abc1`).join(" ")),
  "names alone": filled(NAMES),
  "names with a sign": filled(NAMES.replaceAll(" ", ": ")),
  "names in quotes": filled(NAMES.replace(/\S+/g, '"$&",')),
  ...Object.fromEntries(["a", "A", "0", "=", "-", ":", "@", "\\", '"', " ", "/", "."].map((character) => [`only ${JSON.stringify(character)}`, filled(character)])),
  ...Object.fromEntries(
    ["a-", "a.", "a@", "a ", "://", "://a:b", "eyJ-", "eyJaaaaaaaaaaa.", "12345678:a-", "aaaaaaaaaaaaaaaaaaaa.bbbbbb.", "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "password ", "password='", '"password":"\\', 'token=["a",', "--token ", " -u ", "?key=a,", "<password>", "api key is ", '\\\\\\"token\\\\\\":', "authorization: Bearer "]
      .map((part) => [`only ${JSON.stringify(part)}`, filled(part)]),
  ),
};

/** Processor time, which neighbours on the machine cost little of; the best of some rounds. */
function bestOf(run: () => unknown): number {
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / 1000);
  }
  return best;
}

export async function redaction(report: Report): Promise<void> {
  for (const [what, text] of Object.entries(TEXTS)) {
    report.add({ section: SECTION, what, value: bestOf(() => builtInRedactor.text(text)), unit: "ms", budget: { atMost: BUDGET_MS } });
  }
}
