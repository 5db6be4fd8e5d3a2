// The agent's tools: two that only look, and one that changes the world.

import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
// An app writes `from "lash-runtime"`; the relative path lets this run from a clone that was never built.
import { tool, type Tool } from "../../src/index.ts";
import type { Witness } from "./witness.ts";

const HOTELS = ["Hotel Fjord", "Pension Aurora", "The Old Customs House"];
const PAGES = 4;

export interface ToolsOptions {
  readonly witness: Witness;
  /** Everything takes this many times as long; 1 suits a demonstration, 12 somebody who wants to find the kill key. */
  readonly pace: number;
}

export function tripTools({ witness, pace }: ToolsOptions): readonly Tool[] {
  const forecast = tool({
    name: "forecast",
    description: "Tomorrow's weather in a city.",
    input: z.object({ city: z.string() }),
    readOnly: true,
    run: async ({ city }, { idempotencyKey: key, signal }) => {
      witness.write("began", { tool: "forecast", key });
      await sleep(50 * pace, undefined, { signal });
      witness.write("finished", { tool: "forecast", key });
      return { city, sky: city.length % 2 === 0 ? "dry" : "rain", celsius: 4 + (city.length % 9) };
    },
  });

  const rooms = tool({
    name: "rooms",
    description: "Free rooms in a city for tomorrow night, with prices. Slow.",
    input: z.object({ city: z.string() }),
    readOnly: true, // cut off by a crash, it is simply run again
    run: async ({ city }, { idempotencyKey: key, signal }) => {
      witness.write("began", { tool: "rooms", key });
      for (let page = 1; page <= PAGES; page++) {
        await sleep(120 * pace, undefined, { signal });
        witness.write("did", { tool: "rooms", key, note: `read page ${page} of ${PAGES}` });
      }
      witness.write("finished", { tool: "rooms", key });
      return HOTELS.map((hotel, index) => ({ hotel, city, euros: 79 + 30 * index }));
    },
  });

  const book = tool({
    name: "book",
    description: "Books a room. Costs money.",
    input: z.object({ hotel: z.string() }),
    run: async ({ hotel }, { idempotencyKey: key, signal }) => {
      witness.write("began", { tool: "book", key });
      await sleep(60 * pace, undefined, { signal });
      witness.write("did", { tool: "book", key, note: `booked ${hotel}` });
      // From here on the room is taken, and until this returns nobody but the hotel knows.
      await sleep(240 * pace, undefined, { signal });
      witness.write("finished", { tool: "book", key });
      return { hotel, reference: referenceOf(key) };
    },
    // Cut off by a crash, nobody knows whether the room was booked: ask the hotel before doing anything.
    onInterrupted: ({ hotel }, { idempotencyKey: key }) => {
      const isBooked = witness.read().some((effect) => effect.key === key && effect.what === "did");
      witness.write("probed", { tool: "book", key, note: isBooked ? "the hotel has the booking" : "the hotel knows nothing" });
      return isBooked ? { hotel, reference: referenceOf(key) } : "retry";
    },
  });

  return [forecast, rooms, book];
}

const referenceOf = (key: string): string => key.slice(0, 6).toUpperCase();
