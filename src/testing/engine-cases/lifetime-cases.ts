// Opening, closing, reopening, and several engines on one storage.

import type { Engine } from "../../stores/engine.ts";
import { check, rejectsWith, same } from "../assertions.ts";
import type { EngineCase } from "../engine-suite.ts";
import { contents, onEngine } from "./case.ts";

const durable = (id: string, title: string, run: EngineCase["run"]): EngineCase => ({ id, title, needsDurable: true, needsCut: false, run });

const increment = (engine: Engine): Promise<void> =>
  engine.write(async (tx) => {
    tx.set(["n"], Number((await tx.get(["n"])) ?? 0) + 1);
  });

export const lifetimeCases: readonly EngineCase[] = [
  onEngine("EN-L1", "a new storage is empty", async (engine) => {
    same(await contents(engine), [], "contents");
    same(await engine.read((tx) => tx.get(["a"])), undefined, "an absent key");
    check(engine.name.length > 0, "the engine has a name");
  }),

  onEngine("EN-L2", "close waits for what runs and may be called again; later calls are store_unavailable", async (engine) => {
    const writes = Promise.all(Array.from({ length: 10 }, () => increment(engine)));
    const read = engine.read((tx) => tx.get(["n"]));
    const closed = engine.close();
    await rejectsWith("store_unavailable", increment(engine), "a write while closing");
    await Promise.all([writes, read, closed, engine.close()]);
    await rejectsWith("store_unavailable", increment(engine), "a write after close");
    await rejectsWith("store_unavailable", contents(engine), "a read after close");
    await engine.close();
  }),

  onEngine("EN-L3", "an engine that was never used closes", async (engine) => {
    await engine.close();
  }),

  durable("EN-L4", "a reopened storage holds what resolved writes wrote, and nothing of rejected ones", async (open) => {
    const first = await open();
    await first.write(async (tx) => {
      tx.set(["json"], { a: [1, "é"] });
      tx.set(["bytes"], Uint8Array.of(0, 255));
      tx.set(["gone"], 1);
    });
    await first.write(async (tx) => tx.delete(["gone"]));
    await first.write(() => Promise.reject(new Error("no"))).catch(() => {});
    const before = await contents(first);
    await first.close();
    const second = await open();
    same(await contents(second), before, "contents after reopening");
    same(before.length, 2, "entries");
    await second.write(async (tx) => tx.set(["more"], 1));
    await second.close();
    const third = await open();
    same((await contents(third)).length, 3, "entries after the third opening");
    await third.close();
  }),

  durable("EN-L5", "writes that were under way when close was called are there after reopening", async (open) => {
    const first = await open();
    const writes = Promise.all(Array.from({ length: 25 }, () => increment(first)));
    await first.close();
    await writes;
    const second = await open();
    same(await second.read((tx) => tx.get(["n"])), 25, "increments after reopening");
    await second.close();
  }),

  durable("EN-L6", "two engines on one storage lose no update of each other and see them at once (E2)", async (open) => {
    const [first, second] = [await open(), await open()];
    await Promise.all(Array.from({ length: 60 }, (_, i) => increment(i % 2 === 0 ? first : second)));
    same(await first.read((tx) => tx.get(["n"])), 60, "the sum, read by the first");
    await first.write(async (tx) => tx.set(["from first"], 1));
    same(await second.read((tx) => tx.get(["from first"])), 1, "a write of the first, read by the second");
    await Promise.all([first.close(), second.close()]);
  }),

  durable("EN-L7", "engines that open a new storage at the same time agree on it (P-58)", async (open) => {
    const engines = await Promise.all(Array.from({ length: 4 }, () => open()));
    await Promise.all(engines.map((engine) => increment(engine)));
    for (const engine of engines) same(await engine.read((tx) => tx.get(["n"])), engines.length, "the sum, read by each");
    await Promise.all(engines.map((engine) => engine.close()));
  }),
];
