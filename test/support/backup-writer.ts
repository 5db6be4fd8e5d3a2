// One of several processes that write to a store file while it is copied: node backup-writer.ts <path> <name>.
// Says "ack" once its first write is durable, and writes until it is killed. Every write belongs together: a count of its own, the
// total of all processes, and a row that says both.
import { sqliteEngine } from "../../src/stores/sqlite/index.ts";

const [, , path = "", name = ""] = process.argv;
const engine = sqliteEngine(path);
for (let own = 1; ; own++) {
  await engine.write(async (tx) => {
    const total = Number((await tx.get(["total"])) ?? 0) + 1;
    tx.set(["total"], total);
    tx.set(["own", name], own);
    tx.set(["row", name, own % 40], { own, total, text: String(own).repeat(600) });
  });
  if (own === 1) process.stdout.write("ack\n");
}
