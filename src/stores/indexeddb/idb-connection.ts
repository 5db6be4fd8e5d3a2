// IdbConnection: one database with one object store, opened when needed and again after it was lost.
//
//   C1. Only a database with exactly our object store, in our version, is used. Another one is refused and left as it is (P-59).
//   C2. When another tab wants to upgrade or delete the database, the connection is closed at once (running transactions end
//       first), or that tab would hang.
//   C3. A database that was there and is gone is never made again by the same engine: the app would go on with an empty store
//       and not know it. One that was lost between two engines is made again, and `onLost` is told.

import { promisifyRequest } from "idb-keyval";
import { storeError } from "../../domain/errors.ts";
import { markDatabase, unmarkDatabase } from "./database-mark.ts";
import { blocked, fromIndexedDb, nameOf, newerVersion } from "./idb-errors.ts";

export const OBJECT_STORE = "lash-runtime entries";

export interface IdbSettings {
  readonly database: string;
  readonly version: number;
  /** How long to wait for tabs that hold the database in another version, in milliseconds. */
  readonly blockedTimeoutMs: number;
  /** Told when a database that was there before had to be made anew. */
  readonly onLost: () => void;
}

export class IdbConnection {
  readonly #store: string;
  readonly #settings: IdbSettings;
  #opening: Promise<IDBDatabase> | null = null;
  #current: IDBDatabase | null = null;
  #wasThere = false;
  /** Made by the opening that is under way. */
  #isNew = false;
  /** Why the database will not come back for this engine (C2, C3). */
  #lost: Error | null = null;

  /** @param store - its name in messages. */
  constructor(store: string, settings: IdbSettings) {
    this.#store = store;
    this.#settings = settings;
  }

  open(): Promise<IDBDatabase> {
    // A failed attempt is not kept: other tabs may close, room may be made.
    this.#opening ??= this.#openOnce().catch((error: unknown) => {
      this.#opening = null;
      throw error;
    });
    return this.#opening;
  }

  /** Forgets `database`, so that the next `open` makes a new connection. */
  drop(database: IDBDatabase): void {
    database.close();
    // An event of a connection that was replaced says nothing about its successor.
    if (this.#current !== database) return;
    this.#current = null;
    this.#opening = null;
  }

  async close(): Promise<void> {
    const database = await this.#opening?.catch(() => null);
    database?.close();
  }

  async #openOnce(): Promise<IDBDatabase> {
    if (this.#lost !== null) throw this.#lost;
    const database = await this.#request();
    const [only, ...more] = database.objectStoreNames;
    if (only !== OBJECT_STORE || more.length > 0) {
      database.close();
      throw storeError("store_foreign", `${this.#store} is a database of another program; nothing was changed, choose another name`, {
        details: { store: this.#store },
      });
    }
    const isKnown = markDatabase(this.#settings.database);
    // A task of its own: what it throws is not this engine's.
    if (this.#isNew && isKnown) queueMicrotask(this.#settings.onLost);
    this.#isNew = false;
    this.#wasThere = true;
    this.#current = database;
    database.addEventListener("close", () => this.drop(database));
    database.addEventListener("versionchange", ({ newVersion }) => {
      this.#lost = newVersion === null ? this.#deleted() : newerVersion(this.#store);
      if (newVersion === null) unmarkDatabase(this.#settings.database);
      this.drop(database);
    });
    return database;
  }

  async #request(): Promise<IDBDatabase> {
    const { database: name, version, blockedTimeoutMs } = this.#settings;
    let refusal: Error | null = null;
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      const request = indexedDB.open(name, version);
      request.onupgradeneeded = ({ oldVersion }) => {
        if (oldVersion === 0 && !this.#wasThere) {
          request.result.createObjectStore(OBJECT_STORE);
          this.#isNew = true;
          return;
        }
        refusal = this.#lost = oldVersion === 0 ? this.#deleted() : this.#older(oldVersion);
        request.transaction?.abort();
      };
      const isBlocked = new Promise<never>((_, reject) => {
        request.onblocked = () => {
          timer = setTimeout(() => reject(this.#blockedByTabs()), blockedTimeoutMs);
        };
      });
      const opened = promisifyRequest(request);
      return await Promise.race([opened, isBlocked]).catch((error: unknown) => {
        // It may still open some day, when nobody waits for it any more.
        opened.then((database) => database.close()).catch(() => {});
        throw error;
      });
    } catch (error) {
      if (refusal !== null) throw refusal;
      // No IndexedDB at all is a ReferenceError or TypeError; some private windows have one that refuses to open.
      const isMissing = error instanceof TypeError || error instanceof ReferenceError || nameOf(error) === "InvalidStateError";
      throw isMissing ? blocked(this.#store, error) : fromIndexedDb(error, this.#store);
    } finally {
      clearTimeout(timer);
    }
  }

  #deleted(): Error {
    return storeError("store_unavailable", `${this.#store} was deleted while it was open; open it again to start with an empty store`, {
      details: { store: this.#store },
    });
  }

  #older(found: number): Error {
    return storeError(
      "store_version_unsupported",
      `${this.#store} has store version ${found}, this program knows version ${this.#settings.version}; nothing was changed, delete the database or use the version of lash-runtime that wrote it`,
      { details: { store: this.#store, expected: this.#settings.version, found } },
    );
  }

  #blockedByTabs(): Error {
    return storeError("store_unavailable", `${this.#store} is held by another tab in an older version of this app; close or reload that tab, then try again`, {
      details: { store: this.#store },
    });
  }
}
