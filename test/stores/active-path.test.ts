// Reading the active path without what branched off from it (S-36, S-2).

import fc from "fast-check";
import { expect, test } from "vitest";
import type { SessionNode } from "../../src/domain/session.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import { manualClock } from "../../src/testing/manual-clock.ts";
import { acquire, chain, commitOf } from "../../src/testing/persistence-fixtures.ts";
import { countingEngine } from "../../src/testing/counting-engine.ts";
import { testLash, transcriptOf } from "../support/lash.ts";

const S = "s";

/** As S-2 has it, from all nodes at once. */
function pathIn(nodes: readonly SessionNode[], leaf: string | undefined): readonly string[] {
  const byId = new Map(nodes.map((node) => [node.nodeId, node]));
  const path = new Set<string>();
  for (let node = byId.get(leaf ?? ""); node !== undefined && !path.has(node.nodeId); node = byId.get(node.parentNodeId ?? "")) path.add(node.nodeId);
  return [...path].reverse();
}

/** One commit: so many nodes behind the one that many before the last; none at all where that is negative. */
const step = fc.record({ nodes: fc.integer({ min: 0, max: 3 }), back: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.integer({ min: -1, max: 400 })) });

test("is what the whole graph has as its path, however it has branched, whatever is hidden, and from any leaf (S-36, S-2, P-48)", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), fc.integer({ min: 1, max: 20 }), fc.array(fc.nat(), { maxLength: 2 }), async (steps, repeated, hidden) => {
      const store = createPersistence(memoryEngine(), { clock: manualClock(1_000) });
      const fence = await acquire(store, S);
      const made: string[] = [];
      let revision = 0;
      for (let round = 0; round < repeated; round += 1) {
        for (const { nodes, back } of steps) {
          const parent = back < 0 ? undefined : made[made.length - 1 - Math.min(back, made.length - 1)];
          const added = chain(S, Array.from({ length: nodes }, (_, index) => `n${made.length + index}`), parent);
          await store.sessions.commit(commitOf(S, fence, { expectedHeadRevision: revision, nodes: added }));
          made.push(...added.map(({ nodeId }) => nodeId));
          revision += 1;
        }
      }
      await store.maintenance.tombstoneNodes(S, hidden.flatMap((index) => made[index % made.length] ?? []));
      for (const clean of [async () => {}, () => store.maintenance.vacuum(S)]) {
        await clean();
        const full = await store.sessions.load(S, { kind: "full_graph" });
        for (const leafNodeId of [undefined, made[Math.floor(made.length / 2)], made[0]]) {
          const read = await store.sessions.load(S, { kind: "active_path", ...(leafNodeId !== undefined && { leafNodeId }) });
          expect(read?.nodes.map(({ nodeId }) => nodeId)).toEqual(pathIn(full?.nodes ?? [], leafNodeId ?? full?.head.leafNodeId));
          expect(read?.nodeCount).toBe(full?.nodeCount);
        }
      }
    }),
    { numRuns: 60 },
  );
});

test("a session that opens with active_path_only does not read what it has left behind (S-36)", async () => {
  const engine = countingEngine(memoryEngine());
  const first = testLash({ engine, script: () => "ok" });
  const session = await first.lash.openSession(S);
  await session.run("a", { turnId: "a" });
  for (let index = 0; index < 400; index += 1) await session.run("left");
  await session.branch({ at: "a:1" });
  await session.run("b");
  await first.lash.close();
  const readWith = async (residency: "keep_all" | "active_path_only"): Promise<number> => {
    const { lash } = testLash({ engine, residency });
    engine.reset();
    const opened = await lash.openSession(S);
    const { entriesRead } = engine.reset();
    expect(transcriptOf(opened)).toEqual(["User: Text a", "Assistant: Prose ok", "User: Text b", "Assistant: Prose ok"]);
    await lash.close();
    return entriesRead;
  };
  expect(await readWith("keep_all")).toBeGreaterThan(400);
  // One page behind the leaf, and one where the path goes on.
  expect(await readWith("active_path_only")).toBeLessThan(256 + 16);
});
