// A process of its own on a store file, for tests that need a second one or one to kill. Talks in lines:
//   increment <times>   counts up ["n"], says "done"
//   reopen <times>      opens, writes a row of its own and closes, again and again, says "done"
//   witness <first>     writes on and on, says "ack <i>" once write i is durable; slot i % 300 then holds i
//   lock                takes the write lock, says "locked", lets go at the next line from the parent
import { once } from "node:events";
import { DatabaseSync } from "node:sqlite";
import { sqliteEngine } from "../../../src/stores/sqlite/index.ts";

const [task, path = "", argument = "0"] = process.argv.slice(2);
const say = (line: string): void => void process.stdout.write(`${line}\n`);

if (task === "increment") {
  const engine = sqliteEngine(path);
  for (let i = 0; i < Number(argument); i++) {
    await engine.write(async (tx) => tx.set(["n"], Number((await tx.get(["n"])) ?? 0) + 1));
  }
  await engine.close();
  say("done");
} else if (task === "reopen") {
  for (let i = 0; i < Number(argument); i++) {
    const engine = sqliteEngine(path);
    await engine.write(async (tx) => tx.set(["row", `${process.pid}-${i}`], i));
    await engine.close();
  }
  say("done");
} else if (task === "witness") {
  const engine = sqliteEngine(path);
  let next = Number(argument);
  const writeOn = async (): Promise<never> => {
    for (;;) {
      const i = next++;
      await engine.write(async (tx) => {
        // Large, so that checkpoints are under way much of the time.
        tx.set(["slot", i % 300], { i, text: String(i).repeat(2500) });
        tx.set(["count"], Number((await tx.get(["count"])) ?? 0) + 1);
      });
      say(`ack ${i}`);
    }
  };
  await Promise.all([writeOn(), writeOn(), writeOn(), writeOn()]);
} else if (task === "lock") {
  const database = new DatabaseSync(path);
  database.exec("BEGIN IMMEDIATE");
  say("locked");
  await once(process.stdin, "data");
  database.exec("COMMIT");
  database.close();
  process.stdin.destroy();
}
