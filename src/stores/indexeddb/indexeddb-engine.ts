// IndexedDbEngine: every `write` is one readwrite transaction with strict durability, every `read` one readonly transaction.
//
// The browser serializes writers, also those of other tabs, and keeps readers apart from them. It may abort a transaction
// at any time (a frozen tab, a closed connection); nothing was written then, and the body runs again (E4).

import { storeError } from "../../domain/errors.ts";
import type { Body, Engine, ReadTransaction, WriteTransaction } from "../engine.ts";
import { runFetching } from "../fetching.ts";
import { Lifetime } from "../lifetime.ts";
import { IdbConnection, type IdbSettings, OBJECT_STORE } from "./idb-connection.ts";
import { fromIndexedDb, nameOf, waitedForSomethingElse } from "./idb-errors.ts";
import { fetchRows, sendChanges } from "./idb-transaction.ts";

const ATTEMPTS = 3;
/** What one attempt ends with when the browser aborted it. */
const INTERRUPTED = Symbol("interrupted");

export class IndexedDbEngine implements Engine {
  readonly name: string;
  readonly durable = true;
  readonly #connection: IdbConnection;
  readonly #lifetime: Lifetime;

  constructor(settings: IdbSettings) {
    this.name = `indexeddb:${settings.database}`;
    this.#connection = new IdbConnection(this.name, settings);
    this.#lifetime = new Lifetime(this.name);
  }

  read<T>(body: Body<ReadTransaction, T>): Promise<T> {
    return this.#call("read", body);
  }

  write<T>(body: Body<WriteTransaction, T>): Promise<T> {
    return this.#call("write", body);
  }

  close(): Promise<void> {
    return this.#lifetime.close(() => this.#connection.close());
  }

  async #call<T>(mode: "read" | "write", body: Body<WriteTransaction, T>): Promise<T> {
    this.#lifetime.enter();
    try {
      for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
        const database = await this.#connection.open();
        const transaction = this.#begin(database, mode);
        const result = transaction === INTERRUPTED ? INTERRUPTED : await this.#attempt(transaction, mode, body);
        if (result !== INTERRUPTED) return result;
      }
      throw storeError("store_unavailable", `${this.name}: the browser aborted the transaction ${ATTEMPTS} times; this write was not made, try again later`, {
        details: { store: this.name },
      });
    } finally {
      this.#lifetime.leave();
    }
  }

  #begin(database: IDBDatabase, mode: "read" | "write"): IDBTransaction | typeof INTERRUPTED {
    try {
      return mode === "read" ? database.transaction(OBJECT_STORE) : database.transaction(OBJECT_STORE, "readwrite", { durability: "strict" });
    } catch (error) {
      if (nameOf(error) !== "InvalidStateError") throw fromIndexedDb(error, this.name);
      // The connection was closed, and the browser did not say so (Safari does that).
      this.#connection.drop(database);
      return INTERRUPTED;
    }
  }

  async #attempt<T>(transaction: IDBTransaction, mode: "read" | "write", body: Body<WriteTransaction, T>): Promise<T | typeof INTERRUPTED> {
    const entries = transaction.objectStore(OBJECT_STORE);
    const end = endOf(transaction);
    let wasRefused = false;
    try {
      // A transaction that ends before its body waits for it no longer: the body waited for something else.
      const { result, changes } = await Promise.race([runFetching(mode, body, (missing) => fetchRows(entries, this.name, missing)), end.then(prematurely)]);
      if (mode === "read") return result;
      sendChanges(entries, this.name, changes);
      transaction.commit();
      if ((await end) === "complete") return result;
    } catch (error) {
      wasRefused = abort(transaction);
      if (wasRefused || (await end) === "complete") throw error;
    }
    // Aborted, and not by us.
    const { error } = transaction;
    if (error === null || nameOf(error) === "AbortError") return INTERRUPTED;
    throw fromIndexedDb(error, this.name);
  }
}

type End = "complete" | "abort";

const endOf = (transaction: IDBTransaction): Promise<End> =>
  new Promise((resolve) => {
    transaction.addEventListener("complete", () => resolve("complete"));
    transaction.addEventListener("abort", () => resolve("abort"));
  });

function prematurely(end: End): never {
  throw end === "complete" ? waitedForSomethingElse() : new DOMException("the browser aborted the transaction", "AbortError");
}

/** @returns false when the transaction was over already. */
function abort(transaction: IDBTransaction): boolean {
  try {
    transaction.abort();
    return true;
  } catch {
    return false;
  }
}
