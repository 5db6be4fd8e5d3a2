// What nobody can do without who sends the whole of a session: its rows read with node:sqlite and parsed, in a new process.

import { DatabaseSync } from "node:sqlite";
import { encodeKey } from "../src/stores/key-codec.ts";
import { after, historyPrefix } from "../src/stores/persistence/layout.ts";
import type { RowsRead } from "./reopen.ts";

const prefix = historyPrefix("long");
const [from, to] = [encodeKey(prefix), encodeKey(after(prefix))];
const start = performance.now();
const database = new DatabaseSync(process.argv[2] ?? "", { readOnly: true });
let rows = 0;
for (const { value } of database.prepare("SELECT value FROM entries WHERE key >= ? AND key < ? ORDER BY key").iterate(from, to)) {
  JSON.parse(String(value));
  rows += 1;
}
console.log(JSON.stringify({ ms: performance.now() - start, rows } satisfies RowsRead));
