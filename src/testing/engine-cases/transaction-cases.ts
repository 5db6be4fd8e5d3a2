// E2 to E4: transactions are atomic, serializable and isolated, and a body keeps to itself.

import { END, type Engine, type Key, prefixRange, type WriteTransaction } from "../../stores/engine.ts";
import { check, rejection, rejectsWith, same } from "../assertions.ts";
import type { EngineCase } from "../engine-suite.ts";
import { contents, onEngine } from "./case.ts";

const increment = (engine: Engine, key: Key): Promise<number> =>
  engine.write(async (tx) => {
    const next = Number((await tx.get(key)) ?? 0) + 1;
    tx.set(key, next);
    return next;
  });

const keysOf = async (tx: WriteTransaction, options?: { limit?: number; reverse?: boolean }): Promise<unknown[]> =>
  (await tx.range(...prefixRange(["p"]), options)).map((entry) => [entry.key[1], entry.value]);

export const transactionCases: readonly EngineCase[] = [
  onEngine("EN-T1", "read and write resolve with what their body gave", async (engine) => {
    same(await engine.write(async () => "written"), "written", "result of a write without changes");
    same(await engine.write(async (tx) => void tx.set(["a"], 1)), undefined, "result of a write without result");
    same(await engine.read(async (tx) => [await tx.get(["a"])]), [1], "result of a read");
  }),

  onEngine("EN-T2", "a transaction reads its own sets and deletes", async (engine) => {
    await engine.write(async (tx) => tx.set(["old"], 1));
    await engine.write(async (tx) => {
      tx.set(["new"], { n: 1 });
      same(await tx.get(["new"]), { n: 1 }, "own set");
      tx.set(["new"], { n: 2 });
      same(await tx.get(["new"]), { n: 2 }, "own second set");
      tx.delete(["old"]);
      same(await tx.get(["old"]), undefined, "own delete");
      tx.set(["old"], 3);
      same(await tx.get(["old"]), 3, "set after delete");
      tx.delete(["new"]);
      tx.delete(["never there"]);
    });
    same(await contents(engine), [{ key: ["old"], value: 3 }], "afterwards");
  }),

  onEngine("EN-T3", "ranges of a transaction see its own sets and deletes, with limits and in reverse", async (engine) => {
    await engine.write(async (tx) => {
      for (const n of [1, 3, 5, 7]) tx.set(["p", n], "old");
    });
    await engine.write(async (tx) => {
      tx.set(["p", 0], "new");
      tx.set(["p", 4], "new");
      tx.set(["p", 5], "new");
      tx.delete(["p", 3]);
      tx.delete(["p", 7]);
      tx.set(["p", 9], "new");
      const all = [[0, "new"], [1, "old"], [4, "new"], [5, "new"], [9, "new"]];
      same(await keysOf(tx), all, "whole range");
      same(await keysOf(tx, { limit: 3 }), all.slice(0, 3), "first three");
      same(await keysOf(tx, { limit: 2, reverse: true }), all.toReversed().slice(0, 2), "last two");
    });
    same((await contents(engine)).length, 5, "afterwards");
  }),

  onEngine("EN-T4", "a body that throws or rejects writes nothing, and its error comes through as it is (E2)", async (engine) => {
    await engine.write(async (tx) => tx.set(["kept"], 1));
    const before = await contents(engine);
    const [early, late] = [new Error("early"), new Error("late")];
    const change = (tx: WriteTransaction): void => {
      tx.set(["kept"], 2);
      tx.set(["new"], 1);
      tx.delete(["kept"]);
    };
    const throwing = engine.write((tx) => {
      change(tx);
      throw early;
    });
    check((await rejection(throwing, "a body that throws")) === early, "the thrown error comes through");
    const rejecting = engine.write(async (tx) => {
      change(tx);
      await tx.get(["kept"]);
      throw late;
    });
    check((await rejection(rejecting, "a body that rejects")) === late, "the rejection comes through");
    same(await contents(engine), before, "nothing changed");
    check((await rejection(engine.read(() => Promise.reject(late)), "a read that rejects")) === late, "the error of a read comes through");
    await engine.write(async (tx) => tx.set(["after"], 1));
    same((await contents(engine)).length, 2, "the engine goes on");
  }),

  onEngine("EN-T5", "no update is lost among a hundred concurrent ones (E2)", async (engine) => {
    const results = await Promise.all(Array.from({ length: 100 }, () => increment(engine, ["n"])));
    same(results.toSorted((a, b) => a - b), Array.from({ length: 100 }, (_, i) => i + 1), "what the increments saw");
    same(await engine.read((tx) => tx.get(["n"])), 100, "the sum");
  }),

  onEngine("EN-T6", "a write that relies on the absence of others is serialized with them (E2)", async (engine) => {
    const claim = (owner: number): Promise<boolean> =>
      engine.write(async (tx) => {
        const taken = await tx.range(...prefixRange(["seat"]));
        if (taken.length === 0) tx.set(["seat", owner], owner);
        return taken.length === 0;
      });
    const won = await Promise.all(Array.from({ length: 20 }, (_, i) => claim(i)));
    same(won.filter(Boolean).length, 1, "claims that were granted");
    same((await contents(engine)).length, 1, "seats taken");
  }),

  onEngine("EN-T7", "a read sees one snapshot while writes go on (E3)", async (engine) => {
    const pair = (n: number): Promise<void> =>
      engine.write(async (tx) => {
        tx.set(["left"], n);
        for (let i = 0; i < 5; i++) await tx.get(["left"]);
        tx.set(["right"], n);
      });
    await pair(0);
    const writes = Promise.all(Array.from({ length: 50 }, (_, i) => pair(i + 1)));
    const reads = Array.from({ length: 50 }, () =>
      engine.read(async (tx) => {
        const left = await tx.get(["left"]);
        for (let i = 0; i < 5; i++) await tx.get(["other"]);
        const [right] = await tx.range(["right"], ["right", END]);
        return [left, right?.value];
      }),
    );
    for (const [left, right] of await Promise.all(reads)) same(right, left, "both halves of a pair");
    await writes;
  }),

  onEngine("EN-T8", "what a resolved write wrote is seen by every later read", async (engine) => {
    for (let i = 0; i < 30; i++) {
      await engine.write(async (tx) => tx.set(["n"], i));
      same(await engine.read((tx) => tx.get(["n"])), i, "a read after the write");
    }
  }),

  onEngine("EN-T9", "writes with equal scopes are applied in the order in which they were asked for, as are those without one (E6)", async (engine) => {
    for (const [log, scope] of [["scoped", { sessions: ["scoped"], content: "none" }], ["content", { sessions: [], content: "change" }], ["whole", undefined]] as const) {
      await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          engine.write((tx) => {
            // Every third one has to ask twice where rows are not at hand.
            if (i % 3 === 0) tx.get(["s", log, "else"]);
            tx.set(["s", log], [...((tx.get(["s", log]) ?? []) as readonly number[]), i]);
          }, scope),
        ),
      );
      same(await engine.read((tx) => tx.get(["s", log])), Array.from({ length: 20 }, (_, i) => i), `the order of application, ${log}`);
    }
  }),

  onEngine("EN-T12", "a plain body and an async one give the same, and what is said beforehand changes nothing but the trips (E4)", async (engine) => {
    await engine.write((tx) => {
      for (const n of [1, 2, 3]) tx.set(["p", n], n);
    });
    const sum = (tx: WriteTransaction): number => tx.range(...prefixRange(["p"])).reduce((total, { value }) => total + Number(value), Number(tx.get(["absent"]) ?? 0));
    same(await engine.read((tx) => sum(tx as WriteTransaction)), 6, "a plain body");
    same(await engine.read(async (tx) => sum(tx as WriteTransaction)), 6, "an async body");
    const [from, to] = prefixRange(["p"]);
    for (const reads of [[{ from, to }, ["absent"]], [{ from, to, limit: 1 }], [{ from, to, limit: 2, reverse: true }, ["p", 2]], []] as const) {
      const seen = await engine.write((tx) => {
        tx.set(["p", 2], 20);
        tx.prefetch(reads);
        tx.delete(["p", 3]);
        tx.widen("elsewhere");
        const result = [sum(tx), tx.range(from, to, { limit: 1, reverse: true })[0]?.value, tx.get(["p", 2])];
        tx.set(["p", 2], 2);
        tx.set(["p", 3], 3);
        return result;
      });
      same(seen, [21, 20, 20], "a body that changes what it was given beforehand");
    }
  }),

  onEngine("EN-T13", "a body that goes on where a row cannot be read yet is run again all the same (E4)", async (engine) => {
    await engine.write((tx) => tx.set(["n"], 1));
    const seen = await engine.write((tx) => {
      try {
        return tx.get(["n"]) ?? "nothing";
      } catch {
        tx.set(["wrong"], 1);
        return "swallowed";
      }
    });
    same(seen, 1, "what it gave");
    same((await contents(engine)).length, 1, "rows afterwards");
  }),

  onEngine("EN-T10", "a transaction is refused after its end, and a read transaction changes nothing", async (engine) => {
    const escaped = await engine.write(async (tx) => [tx] as const);
    const late = <T>(ask: () => T): Promise<T> => Promise.resolve().then(ask);
    await rejectsWith("invalid_argument", late(() => escaped[0].set(["late"], 1)), "set after the end");
    await rejectsWith("invalid_argument", late(() => escaped[0].get(["late"])), "get after the end");
    await rejectsWith("invalid_argument", late(() => escaped[0].range([], [END])), "range after the end");
    const cheating = engine.read(async (tx) => (tx as WriteTransaction).set(["cheat"], 1));
    await rejection(cheating, "set in a read");
    same(await contents(engine), [], "nothing was written");
  }),

  onEngine("EN-T11", "a body that waits for anything but its transaction is refused and writes nothing (E4)", async (engine) => {
    const wait = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));
    const waiting = engine.write(async (tx) => {
      tx.set(["first"], 1);
      await wait();
      tx.set(["second"], 1);
    });
    await rejectsWith("invalid_argument", waiting, "a write that waits for a timer");
    const waitingLast = engine.write(async (tx) => {
      tx.set(["third"], 1);
      await wait();
    });
    await rejectsWith("invalid_argument", waitingLast, "a write that waits for a timer at its end");
    const nested = engine.write(async (tx) => {
      tx.set(["outer"], 1);
      await engine.write(async (inner) => inner.set(["inner"], 1));
    });
    await rejectsWith("invalid_argument", nested, "a write that waits for another write");
    await wait();
    await engine.write(async (tx) => tx.set(["after"], 1));
    const left = (await contents(engine)).map((entry) => entry.key[0]);
    same(left.filter((key) => key !== "inner"), ["after"], "what was written, the inner write aside");
  }),
];
