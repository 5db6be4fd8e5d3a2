// One of several processes that write to a store file while it is copied: node backup-writer.ts <path> <name> [writes].
// Says "ack" once its first write is durable, and writes until it is killed; closes the store after so many writes and opens it
// again, where that is asked for, and says so each time. Every write belongs together: a count of its own, the total of all
// processes, and a row that says both.
import { sqliteEngine } from "../../src/stores/sqlite/index.ts";

const [, , path = "", name = "", writes = "Infinity"] = process.argv;
let engine = sqliteEngine(path);
for (let own = 1; ; own++) {
  await engine.write(async (tx) => {
    const total = Number((await tx.get(["total"])) ?? 0) + 1;
    tx.set(["total"], total);
    tx.set(["own", name], own);
    tx.set(["row", name, own % 40], { own, total, text: String(own).repeat(600) });
  });
  const isLast = own % Number(writes) === 0;
  if (isLast) {
    await engine.close();
    engine = sqliteEngine(path);
  }
  if (own === 1 || isLast) process.stdout.write("ack\n");
}
