// What a turn costs on a storage at the other end of a network.

import { expect, onTestFinished, test } from "vitest";
import * as z from "zod";
import { createLash, tool } from "../../../src/index.ts";
import { opaqueLiveness } from "../../../src/stores/store.ts";
import { manualClock, scriptedProvider } from "../../../src/testing/index.ts";
import { postgresEngine } from "../../support/postgres/engine.ts";
import { postgresServer } from "../../support/postgres/server.ts";

const url = postgresServer();
const look = tool({ name: "look", description: "", input: z.object({}), run: () => "seen" });

test("a turn with one tool call takes at most 8 trips (SC-4)", async () => {
  const engine = await postgresEngine({ url: url(), table: "trips" });
  const provider = scriptedProvider((request) => (request.messages.at(-1)?.blocks.some(({ type }) => type === "toolResult") === true ? "done" : { toolCalls: [{ name: "look" }] }));
  // Time stands still: looks of the clock (for a cancellation, for a lease to renew) are no part of a turn.
  const lash = createLash({ clock: manualClock(1_000), store: { engine, liveness: opaqueLiveness }, tools: [look], provider, logger: () => undefined });
  onTestFinished(() => lash.close());
  const session = await lash.openSession("s");
  // Whoever opens a store looks for what others left in flight, beside the first turn.
  await session.run("go");
  const trips: number[] = [];
  for (let turn = 0; turn < 4; turn++) {
    const before = engine.trips;
    expect(await session.run("go")).toMatchObject({ text: "done" });
    trips.push(engine.trips - before);
  }
  expect(trips).toEqual([8, 8, 8, 8]);
});
