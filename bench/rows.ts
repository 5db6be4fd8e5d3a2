// What a turn of the budgeted size (design section 9) costs in a store: bytes written, bytes kept, operations, time; and how
// long a session of 1,000 such turns takes to load.
//   node bench/rows.ts [turns] [sessions]

import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../src/domain/clock.ts";
import { createPersistence } from "../src/stores/persistence/index.ts";
import { sqliteEngine } from "../src/stores/sqlite/index.ts";
import { runToolTurn } from "../src/testing/persistence-fixtures.ts";

const [turns = 1_000, sessions = 1] = process.argv.slice(2).map(Number);
const folder = mkdtempSync(join(tmpdir(), "lash-rows-"));
const path = join(folder, "store.db");

/** Bytes this process asked the system to write so far, whatever cache took them; NaN where the system does not say. */
function bytesWritten(): number {
  try {
    return Number(/^wchar: (\d+)/m.exec(readFileSync("/proc/self/io", "utf8"))?.[1]);
  } catch {
    return Number.NaN;
  }
}

async function measure(label: string, from: number, to: number, store: ReturnType<typeof createPersistence>): Promise<void> {
  const before = bytesWritten();
  const start = performance.now();
  for (let index = from; index < to; index++) {
    for (let session = 0; session < sessions; session++) await runToolTurn(store, `chat-${session}`, index);
  }
  const count = (to - from) * sessions;
  const ms = (performance.now() - start) / count;
  console.log(`${label}: ${Math.round((bytesWritten() - before) / count)} B written per turn, ${ms.toFixed(3)} ms per turn`);
}

try {
  const store = createPersistence(sqliteEngine(path), { clock: systemClock });
  await measure(`turns 0..99`, 0, 100, store);
  await measure(`turns 100..${turns - 101}`, 100, turns - 100, store);
  await measure(`turns ${turns - 100}..${turns - 1}`, turns - 100, turns, store);
  await store.close();
  console.log(`kept: ${Math.round(statSync(path).size / turns / sessions)} B per turn`);

  const reopened = createPersistence(sqliteEngine(path), { clock: systemClock });
  for (let round = 0; round < 5; round++) {
    const start = performance.now();
    const read = await reopened.sessions.load("chat-0", { kind: "active_path" });
    console.log(`load ${read?.nodes.length} nodes: ${(performance.now() - start).toFixed(1)} ms`);
  }
  await reopened.close();
} finally {
  rmSync(folder, { recursive: true });
}
