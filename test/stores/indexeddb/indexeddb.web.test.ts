import { createStore, promisifyRequest, set } from "idb-keyval";
import { afterEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { END, type Engine, type Key, type Value } from "../../../src/stores/engine.ts";
import { OBJECT_STORE } from "../../../src/stores/indexeddb/idb-connection.ts";
import { indexedDbEngine, STORE_VERSION } from "../../../src/stores/indexeddb/index.ts";
import { IndexedDbEngine } from "../../../src/stores/indexeddb/indexeddb-engine.ts";

const put = (engine: Engine, key: Key, value: Value): Promise<void> => engine.write(async (tx) => tx.set(key, value));
const fetchValue = (engine: Engine, key: Key): Promise<Value | undefined> => engine.read((tx) => tx.get(key));
const freshName = (): string => `test ${crypto.randomUUID()}`;
const withCode = (code: string, message = /./): object => ({ code, message: expect.stringMatching(message) as unknown });

function openRaw(name: string, version?: number, upgrade?: (database: IDBDatabase) => void): Promise<IDBDatabase> {
  const request = indexedDB.open(name, version);
  request.addEventListener("upgradeneeded", () => upgrade?.(request.result));
  return promisifyRequest(request);
}

const versionOf = async (name: string): Promise<number | undefined> => (await indexedDB.databases()).find((each) => each.name === name)?.version;

/** Lets a test see, or spoil, every transaction that is begun. */
function onTransactions(spoil: (begin: () => IDBTransaction, database: IDBDatabase, options: readonly unknown[]) => IDBTransaction): void {
  const begin = IDBDatabase.prototype.transaction;
  vi.spyOn(IDBDatabase.prototype, "transaction").mockImplementation(function (this: IDBDatabase, ...options) {
    return spoil(() => begin.apply(this, options), this, options);
  });
}

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

describe("transactions", () => {
  test("a write is exactly one readwrite transaction with strict durability, a read one readonly transaction", async () => {
    const engine = indexedDbEngine(freshName());
    await put(engine, ["a"], 1);
    const begun: unknown[] = [];
    onTransactions((begin, _, [, mode = "readonly", options]) => {
      begun.push([mode, options]);
      return begin();
    });
    await engine.write(async (tx) => {
      await tx.get(["a"]);
      tx.set(["b"], 1);
      await tx.range([], [END]);
      tx.delete(["a"]);
    });
    await fetchValue(engine, ["b"]);
    expect(begun).toEqual([["readwrite", { durability: "strict" }], ["readonly", undefined]]);
    await engine.close();
  });

  test("a body whose transaction the browser aborts runs again and is written once", async () => {
    const engine = indexedDbEngine(freshName());
    await put(engine, ["n"], 0);
    let begun = 0;
    onTransactions((begin) => {
      const transaction = begin();
      if (begun++ < 2) queueMicrotask(() => transaction.abort());
      return transaction;
    });
    await engine.write((tx) => tx.set(["n"], Number(tx.get(["n"])) + 1));
    expect(begun).toBe(3);
    expect(await fetchValue(engine, ["n"])).toBe(1);
    await engine.close();
  });

  test("a transaction that is aborted while its writes are on their way runs again", async () => {
    const engine = indexedDbEngine(freshName());
    await put(engine, ["n"], 0);
    let aborts = 1;
    onTransactions((begin) => {
      const transaction = begin();
      const commit = transaction.commit.bind(transaction);
      transaction.commit = () => (aborts-- > 0 ? transaction.abort() : commit());
      return transaction;
    });
    await put(engine, ["n"], 5);
    expect([aborts, await fetchValue(engine, ["n"])]).toEqual([-1, 5]);
    await engine.close();
  });

  test("a transaction that the browser keeps aborting is store_unavailable and writes nothing", async () => {
    const engine = indexedDbEngine(freshName());
    await put(engine, ["n"], 0);
    onTransactions((begin) => {
      const transaction = begin();
      queueMicrotask(() => transaction.abort());
      return transaction;
    });
    await expect(put(engine, ["n"], 1)).rejects.toMatchObject(withCode("store_unavailable", /aborted the transaction 3 times/));
    await expect(fetchValue(engine, ["n"])).rejects.toMatchObject(withCode("store_unavailable"));
    vi.restoreAllMocks();
    expect(await fetchValue(engine, ["n"])).toBe(0);
    await engine.close();
  });

  test("bytes are stored without the rest of their buffer", async () => {
    const name = freshName();
    const engine = indexedDbEngine(name);
    await put(engine, ["bytes"], new Uint8Array(100_000).subarray(5, 8));
    await engine.close();
    const raw = await openRaw(name);
    const stored: unknown = await promisifyRequest(raw.transaction(OBJECT_STORE).objectStore(OBJECT_STORE).get(["bytes"]));
    raw.close();
    expect(stored instanceof Uint8Array && stored.buffer.byteLength).toBe(3);
  });
});

describe("connections", () => {
  test("a connection that was closed behind the engine's back is opened again", async () => {
    const engine = indexedDbEngine(freshName());
    await put(engine, ["a"], 1);
    let closes = 1;
    onTransactions((begin, database) => {
      if (closes-- > 0) database.close();
      return begin();
    });
    expect(await fetchValue(engine, ["a"])).toBe(1);
    await engine.close();
  });

  test("a connection that the browser reports as lost is opened again", async () => {
    const engine = indexedDbEngine(freshName());
    let connection: IDBDatabase | undefined;
    onTransactions((begin, database) => {
      connection = database;
      return begin();
    });
    await put(engine, ["a"], 1);
    const first = connection;
    first?.dispatchEvent(new Event("close"));
    expect(await fetchValue(engine, ["a"])).toBe(1);
    expect(connection).not.toBe(first);
    await engine.close();
  });

  test("another tab's upgrade is not held up; afterwards the store is store_version_unsupported (P-59)", async () => {
    const name = freshName();
    const engine = indexedDbEngine(name);
    await put(engine, ["a"], 1);
    const write = put(engine, ["a"], 2);
    const other = await openRaw(name, STORE_VERSION + 1);
    await write;
    await expect(put(engine, ["a"], 3)).rejects.toMatchObject(withCode("store_version_unsupported", /reload/));
    other.close();
    await engine.close();
  });

  test("a database that the browser threw away between two engines is made anew, and that is said once", async () => {
    const name = freshName();
    const onLost = vi.fn<() => void>();
    const use = async (): Promise<unknown> => {
      const engine = indexedDbEngine({ name, onLost });
      const found = await fetchValue(engine, ["a"]);
      await put(engine, ["a"], 1);
      await engine.close();
      return found;
    };
    expect([await use(), await use()]).toEqual([undefined, 1]);
    expect(onLost).not.toHaveBeenCalled();
    await promisifyRequest(indexedDB.deleteDatabase(name));
    expect(await use()).toBeUndefined();
    expect(onLost).toHaveBeenCalledOnce();
    expect(await use()).toBe(1);
    expect(onLost).toHaveBeenCalledOnce();
  });

  test("one that was deleted while an engine was looking was meant to go: nothing is said", async () => {
    const name = freshName();
    const onLost = vi.fn<() => void>();
    const engine = indexedDbEngine({ name, onLost });
    await put(engine, ["a"], 1);
    await promisifyRequest(indexedDB.deleteDatabase(name));
    await engine.close();
    const next = indexedDbEngine({ name, onLost });
    expect(await fetchValue(next, ["a"])).toBeUndefined();
    expect(onLost).not.toHaveBeenCalled();
    await next.close();
  });

  test("without a place for the mark the store works; a callback that is no function is refused", async () => {
    vi.stubGlobal("localStorage", { getItem: () => { throw new DOMException("no", "SecurityError"); } });
    const engine = indexedDbEngine(freshName());
    await put(engine, ["a"], 1);
    expect(await fetchValue(engine, ["a"])).toBe(1);
    await engine.close();
    expect(() => indexedDbEngine({ name: "x", onLost: "no" as never })).toThrow(expect.objectContaining(withCode("invalid_argument")));
  });

  test("a database that is deleted while it is in use is store_unavailable from then on and is not made again", async () => {
    const name = freshName();
    const engine = indexedDbEngine(name);
    await put(engine, ["a"], 1);
    await promisifyRequest(indexedDB.deleteDatabase(name));
    for (let i = 0; i < 2; i++) {
      await expect(put(engine, ["a"], 2)).rejects.toMatchObject(withCode("store_unavailable", /deleted/));
      await expect(fetchValue(engine, ["a"])).rejects.toMatchObject(withCode("store_unavailable", /deleted/));
    }
    expect(await versionOf(name)).toBe(undefined);
    await engine.close();
    const next = indexedDbEngine(name);
    expect(await fetchValue(next, ["a"])).toBe(undefined);
    await next.close();
  });

  test("a database that vanished with its connection, as when the user clears site data, is not made again either", async () => {
    const name = freshName();
    const engine = indexedDbEngine(name);
    let connection: IDBDatabase | undefined;
    onTransactions((begin, database) => {
      connection = database;
      return begin();
    });
    await put(engine, ["a"], 1);
    // The browser closes the connection without a versionchange event.
    connection?.close();
    await promisifyRequest(indexedDB.deleteDatabase(name));
    connection?.dispatchEvent(new Event("close"));
    await expect(put(engine, ["a"], 2)).rejects.toMatchObject(withCode("store_unavailable", /deleted/));
    expect(await versionOf(name)).toBe(undefined);
    await engine.close();
  });
});

describe("identity of a database (P-59)", () => {
  test("a higher version is store_version_unsupported and stays as it is", async () => {
    const name = freshName();
    (await openRaw(name, STORE_VERSION + 1, (database) => database.createObjectStore("newer"))).close();
    const engine = indexedDbEngine(name);
    await expect(put(engine, ["a"], 1)).rejects.toMatchObject(withCode("store_version_unsupported"));
    await expect(fetchValue(engine, ["a"])).rejects.toMatchObject(withCode("store_version_unsupported"));
    await engine.close();
    expect(await versionOf(name)).toBe(STORE_VERSION + 1);
  });

  test("a lower version is store_version_unsupported and stays as it is", async () => {
    const name = freshName();
    const old = indexedDbEngine(name);
    await put(old, ["a"], 1);
    await old.close();
    const engine = new IndexedDbEngine({ database: name, version: STORE_VERSION + 1, blockedTimeoutMs: 1000, onLost: () => {} });
    await expect(put(engine, ["a"], 2)).rejects.toMatchObject(withCode("store_version_unsupported", /version 1, this program knows version 2/));
    await engine.close();
    const again = indexedDbEngine(name);
    expect(await fetchValue(again, ["a"])).toBe(1);
    await again.close();
  });

  test("a tab that holds another version and does not let go makes calls store_unavailable, with advice", async () => {
    const name = freshName();
    const holder = await openRaw(name, STORE_VERSION, (database) => database.createObjectStore(OBJECT_STORE));
    onTestFinished(() => holder.close());
    const engine = new IndexedDbEngine({ database: name, version: STORE_VERSION + 1, blockedTimeoutMs: 5, onLost: () => {} });
    await expect(put(engine, ["a"], 1)).rejects.toMatchObject(withCode("store_unavailable", /close or reload that tab/));
    await engine.close();
  });

  test("a database of another program is store_foreign and stays as it is", async () => {
    const name = freshName();
    await set("theirs", 1, createStore(name, "keyval"));
    const engine = indexedDbEngine(name);
    await expect(put(engine, ["a"], 1)).rejects.toMatchObject(withCode("store_foreign"));
    await engine.close();
    const raw = await openRaw(name);
    expect([raw.version, [...raw.objectStoreNames]]).toEqual([1, ["keyval"]]);
    raw.close();
  });
});

describe("browsers that give nothing", () => {
  test("a browser without IndexedDB is store_unavailable, with advice", async () => {
    vi.stubGlobal("indexedDB", undefined);
    const engine = indexedDbEngine(freshName());
    await expect(put(engine, ["a"], 1)).rejects.toMatchObject(withCode("store_unavailable", /private window/));
  });

  test.each(["SecurityError", "InvalidStateError"])("an IndexedDB that refuses to open with %s is store_unavailable, with advice", async (kind) => {
    vi.spyOn(indexedDB, "open").mockImplementation(() => {
      throw new DOMException("no", kind);
    });
    const engine = indexedDbEngine(freshName());
    await expect(put(engine, ["a"], 1)).rejects.toMatchObject(withCode("store_unavailable", /private window/));
    vi.restoreAllMocks();
    await put(engine, ["a"], 1);
    await engine.close();
  });
});

test.each(["", { name: "a", blockedTimeoutMs: Number.NaN }])("options that make no sense are invalid_argument: %j", (options) => {
  expect(() => indexedDbEngine(options)).toThrow(expect.objectContaining({ code: "invalid_argument" }));
});
