import { expect, test } from "vitest";
import { ProviderLadders } from "../../src/providers/provider-ladders.ts";
import { scriptedProvider } from "../../src/testing/index.ts";

test("a provider has one ladder, whether it is first given to a turn or to a session, so that its rate limits count once", () => {
  const ladders = new ProviderLadders();
  const [early, late] = [scriptedProvider(["done"]), scriptedProvider(["done"])];
  expect(ladders.of(early)).toBe(ladders.ownOf(early));
  expect(ladders.ownOf(late)).toBe(ladders.of(late));
  expect(ladders.of(early)).not.toBe(ladders.of(late));
});

test("those that are its own are closed once, those of single turns never", async () => {
  const closed: string[] = [];
  const closing = (id: string) => ({ ...scriptedProvider(["done"]), id, close: async () => void closed.push(id) });
  const ladders = new ProviderLadders();
  const [own, passing] = [closing("own"), closing("passing")];
  ladders.of(passing);
  for (const ask of [ladders.ownOf(own), ladders.of(own), ladders.ownOf(own)]) expect(ask.id).toBe("own");
  await ladders.close();
  expect(closed).toEqual(["own"]);
});
