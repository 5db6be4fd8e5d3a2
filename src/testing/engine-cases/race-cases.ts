// E2 and E6 between two engines on one storage: their writes are tried against each other, with the scopes that the runtime gives.
//
// Each race is run many times, because an engine that is wrong may be lucky.

import { type Engine, prefixRange, type Scope, type WriteTransaction } from "../../stores/engine.ts";
import { check, same } from "../assertions.ts";
import type { EngineCase } from "../engine-suite.ts";

const ROUNDS = 25;

const inSession = (...sessions: readonly string[]): Scope => ({ sessions, content: "none" });

function race(id: string, title: string, body: (one: Engine, other: Engine) => Promise<void>): EngineCase {
  return {
    id,
    title,
    needsDurable: true,
    needsCut: false,
    async run(open) {
      const [one, other] = [await open(), await open()];
      // Opening is not what is raced.
      await Promise.all([one.read((tx) => tx.get(["warm"])), other.read((tx) => tx.get(["warm"]))]);
      await body(one, other);
      await Promise.all([one.close(), other.close()]);
    },
  };
}

/** Takes a seat that nobody has. */
const claim = (tx: WriteTransaction, round: number, owner: string): boolean => {
  const isFree = tx.range(...prefixRange(["s", "a", round])).length === 0;
  if (isFree) tx.set(["s", "a", round, owner], owner);
  return isFree;
};

const increment = (tx: WriteTransaction): void => tx.set(["s", "a", "n"], Number(tx.get(["s", "a", "n"]) ?? 0) + 1);

export const raceCases: readonly EngineCase[] = [
  race("EN-R1", "of two engines that claim a seat because it is free, one gets it (E2)", async (one, other) => {
    for (let round = 0; round < ROUNDS; round++) {
      const won = await Promise.all([one.write((tx) => claim(tx, round, "one"), inSession("a")), other.write((tx) => claim(tx, round, "other"), inSession("a"))]);
      same(won.filter(Boolean).length, 1, `claims that were granted in round ${round}`);
    }
  }),

  race("EN-R2", "two engines that each give up theirs because the other one is still there do not both (E2, write skew)", async (one, other) => {
    const leave = (tx: WriteTransaction, round: number, own: string): void => {
      const there = tx.range(...prefixRange(["s", "a", round])).length;
      if (there > 1) tx.delete(["s", "a", round, own]);
    };
    for (let round = 0; round < ROUNDS; round++) {
      await one.write((tx) => {
        tx.set(["s", "a", round, "one"], 1);
        tx.set(["s", "a", round, "other"], 1);
      }, inSession("a"));
      await Promise.all([one.write((tx) => leave(tx, round, "one"), inSession("a")), other.write((tx) => leave(tx, round, "other"), inSession("a"))]);
      const left = await one.read((tx) => tx.range(...prefixRange(["s", "a", round])).length);
      same(left, 1, `rows that are left in round ${round}`);
    }
  }),

  race("EN-R3", "no update of two engines is lost (E2)", async (one, other) => {
    await Promise.all(Array.from({ length: ROUNDS }, () => [one.write(increment, inSession("a")), other.write(increment, inSession("a"))]).flat());
    same(await other.read((tx) => tx.get(["s", "a", "n"])), 2 * ROUNDS, "the sum");
  }),

  race("EN-R4", "a write without a scope, and one that takes a session in on its way, are serialized with those of the session (E2)", async (one, other) => {
    for (let round = 0; round < ROUNDS; round++) {
      const won = await Promise.all([
        one.write((tx) => claim(tx, round, "one")),
        other.write((tx) => claim(tx, round, "other"), inSession("a")),
        one.write((tx) => {
          tx.set(["s", "b", round], 1);
          tx.widen("a");
          return claim(tx, round, "widened");
        }, inSession("b")),
      ]);
      same(won.filter(Boolean).length, 1, `claims that were granted in round ${round}`);
    }
  }),

  race("EN-R5", "writes with equal scopes are applied in the order in which an engine was asked for them, whatever another one does (E6)", async (one, other) => {
    const append = (engine: Engine, log: string, entry: number): Promise<void> =>
      engine.write((tx) => {
        // Some read more than others, and so come to their commit later.
        if (entry % 3 === 0) tx.range(...prefixRange(["s", "a", "other"]));
        tx.set(["s", "a", log], [...((tx.get(["s", "a", log]) ?? []) as readonly number[]), entry]);
      }, inSession("a"));
    const order = Array.from({ length: ROUNDS }, (_, i) => i);
    await Promise.all(order.flatMap((entry) => [append(one, "one", entry), append(other, "other", entry)]));
    same(await one.read((tx) => tx.get(["s", "a", "one"])), order, "the order of the first engine's");
    same(await one.read((tx) => tx.get(["s", "a", "other"])), order, "the order of the second engine's");
  }),

  race("EN-R6", "a read sees no half of another engine's write (E3)", async (one, other) => {
    const pair = (n: number): Promise<void> =>
      one.write((tx) => {
        tx.set(["s", "a", "left"], n);
        tx.set(["s", "a", "right"], n);
      }, inSession("a"));
    await pair(0);
    const writes = Promise.all(Array.from({ length: ROUNDS }, (_, n) => pair(n + 1)));
    // The second row is asked for in a trip of its own.
    const seen = await Promise.all(Array.from({ length: ROUNDS }, () => other.read((tx) => [tx.get(["s", "a", "left"]), tx.get(["s", "a", "right"])])));
    await writes;
    check(seen.every(([left, right]) => left === right), "both halves are of one write");
  }),
];
