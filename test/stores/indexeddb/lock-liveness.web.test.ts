import { describe, expect, test } from "vitest";
import { lockLiveness, type FreezeSource } from "../../../src/stores/indexeddb/lock-liveness.ts";
import type { LeaseOwner } from "../../../src/stores/contract.ts";
import type { Liveness } from "../../../src/stores/store.ts";

const storeName = crypto.randomUUID();
let count = 0;
const open = (page?: FreezeSource): Liveness => lockLiveness({ storeName, locks: navigator.locks, page, newId: () => `scope-${count++}` });
const ownerOf = async (liveness: Liveness): Promise<LeaseOwner> => ({ ownerId: "o", incarnationId: "i", liveness: await liveness.self() });
const never = new AbortController().signal;

describe("liveness by Web Locks", () => {
  test("an owner is alive while it holds its lock, to itself and to others, and dead as soon as it lets go (OP-14)", async () => {
    const [holder, claimant] = [open(), open()];
    const owner = await ownerOf(holder);
    expect(owner.liveness).toEqual({ kind: "web_lock", lockName: expect.stringMatching(`^lash:${storeName}:scope-\\d+$`) });
    expect([await holder.isDead(owner), await claimant.isDead(owner)]).toEqual([false, false]);
    const death = claimant.death(owner, never);
    holder.close();
    await expect(death).resolves.toBeUndefined();
    expect(await claimant.isDead(owner)).toBe(true);
  });

  test("its name stays the same for its life", async () => {
    const holder = open();
    expect(await holder.self()).toEqual(await holder.self());
    holder.close();
  });

  test("many that wait are told at once, and one that asks is never taken for the owner (W2)", async () => {
    const holder = open();
    const owner = await ownerOf(holder);
    const claimants = [open(), open(), open()];
    const deaths = claimants.map((claimant) => claimant.death(owner, never));
    holder.close();
    await Promise.all(deaths);
    expect(await Promise.all([...claimants, ...claimants].map((claimant) => claimant.isDead(owner)))).toEqual(Array.from({ length: 6 }, () => true));
  });

  test("waiting ends when it is aborted", async () => {
    const holder = open();
    const stop = new AbortController();
    const death = open().death(await ownerOf(holder), stop.signal);
    stop.abort();
    await expect(death).rejects.toMatchObject({ name: "AbortError" });
    holder.close();
  });

  test("a tab that is frozen lets go and goes by a new name afterwards (W3)", async () => {
    const page = new EventTarget() as unknown as FreezeSource & EventTarget;
    const holder = open(page);
    const before = await ownerOf(holder);
    page.dispatchEvent(new Event("freeze"));
    await open().death(before, never);
    const after = await ownerOf(holder);
    expect(after.liveness).not.toEqual(before.liveness);
    expect(await open().isDead(after)).toBe(false);
    holder.close();
  });

  test("owners that hold no lock are never declared dead, and a place without locks knows nobody's fate (S-62)", async () => {
    const opaque: LeaseOwner = { ownerId: "o", incarnationId: "i", liveness: { kind: "opaque" } };
    expect(await open().isDead(opaque)).toBe(false);
    const insecure = lockLiveness({ storeName, locks: undefined, page: undefined, newId: () => "x" });
    expect(await insecure.self()).toEqual({ kind: "opaque" });
    expect(await insecure.isDead(await ownerOf(open()))).toBe(false);
  });
});
