// A transaction on one connection: key bytes and values to rows and back.

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { storeError } from "../../domain/errors.ts";
import type { Json } from "../../domain/json.ts";
import type { Bound, Entry, Key, Value } from "../engine.ts";
import { decodeKey, encodeKey } from "../key-codec.ts";
import { describeKey } from "../keys.ts";
import { CheckedTransaction, type ValuesWanted } from "../transaction.ts";
import { checkValue, freezeJson, sealValue } from "../values.ts";
import { PAGE_SIZE } from "./open-database.ts";
import { RecentTexts } from "./recent-texts.ts";
import { fromSqlite } from "./sqlite-errors.ts";

/** Prepared once per connection. */
export class Statements {
  readonly database: DatabaseSync;
  /** Of the same file, other connections may share them: whoever kept a text, it is the text that decides. */
  readonly recent: RecentTexts;
  readonly get: StatementSync;
  readonly ascending: StatementSync;
  readonly descending: StatementSync;
  readonly set: StatementSync;
  readonly delete: StatementSync;
  readonly begin: StatementSync;
  readonly beginImmediate: StatementSync;
  readonly snapshot: StatementSync;
  readonly commit: StatementSync;
  readonly rollback: StatementSync;

  constructor(database: DatabaseSync, recent = new RecentTexts()) {
    this.database = database;
    this.recent = recent;
    this.get = database.prepare("SELECT value FROM entries WHERE key = ?");
    // Without LIMIT: SQLite looks at the number when it plans, and so compiles the statement anew for every call.
    this.ascending = database.prepare("SELECT key, value FROM entries WHERE key >= ? AND key < ? ORDER BY key");
    this.descending = database.prepare("SELECT key, value FROM entries WHERE key >= ? AND key < ? ORDER BY key DESC");
    this.set = database.prepare("INSERT INTO entries VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value");
    this.delete = database.prepare("DELETE FROM entries WHERE key = ?");
    this.begin = database.prepare("BEGIN");
    this.beginImmediate = database.prepare("BEGIN IMMEDIATE");
    this.snapshot = database.prepare("SELECT 1 FROM entries LIMIT 1");
    this.commit = database.prepare("COMMIT");
    this.rollback = database.prepare("ROLLBACK");
  }

  /** Some failures (a full disk) end a transaction by themselves. */
  rollbackIfOpen(): void {
    if (this.database.isTransaction) this.rollback.run();
  }
}

export class SqliteTransaction extends CheckedTransaction {
  readonly #name: string;
  readonly #sql: Statements;
  #pages = 0;

  constructor(mode: "read" | "write", name: string, sql: Statements) {
    super(mode);
    this.#name = name;
    this.#sql = sql;
  }

  /** Roughly what this transaction adds to the log: 0 when it changed nothing. */
  get pages(): number {
    return this.#pages;
  }

  protected override lookup(key: Key): Value | undefined {
    const row = this.#ask(() => this.#sql.get.get(encodeKey(key)));
    if (row !== undefined) return this.#parse(row["value"], key);
    this.#sql.recent.expect(key);
    return undefined;
  }

  protected override scan(from: Bound, to: Bound, limit: number, reverse: boolean, { owned, later }: ValuesWanted): readonly Entry[] {
    const statement = reverse ? this.#sql.descending : this.#sql.ascending;
    const entries: Entry[] = [];
    let damage: { readonly error: unknown } | undefined;
    this.#ask(() => {
      // Row by row: a text that is parsed at once is garbage before the collector has copied it.
      for (const row of statement.iterate(encodeKey(from), encodeKey(to))) {
        try {
          const key = decodeKey(row["key"] instanceof Uint8Array ? row["key"] : new Uint8Array());
          const stored = row["value"];
          const entry = later ? new LaterEntry(stored, key, this.#name, owned) : { key, value: parseValue(stored, key, this.#name, owned) };
          if (entries.push(entry) === limit) return;
        } catch (error) {
          damage = { error };
          return;
        }
      }
    });
    // A bad row is its reader's to deal with, and does not doom the transaction.
    if (damage) throw damage.error;
    return entries;
  }

  protected override put(key: Key, value: Value): void {
    const stored = value instanceof Uint8Array ? checked(value) : this.#write(key, value);
    this.#pages += 2 + Math.floor(stored.length / PAGE_SIZE);
    this.#ask(() => this.#sql.set.run(encodeKey(key), stored));
  }

  protected override remove(key: Key): void {
    this.#pages += 2;
    this.#ask(() => this.#sql.delete.run(encodeKey(key)));
  }

  /** Frozen, so that the next transaction which reads this text can have the value itself. */
  #write(key: Key, value: Json): string {
    sealValue(value);
    const text = JSON.stringify(value);
    this.#sql.recent.written(key, text, value);
    return text;
  }

  #parse(stored: unknown, key: Key): Value {
    const known = typeof stored === "string" ? this.#sql.recent.get(key, stored) : undefined;
    if (known !== undefined) return known;
    const value = parseValue(stored, key, this.#name);
    if (typeof stored === "string" && !(value instanceof Uint8Array)) this.#sql.recent.keep(key, stored, value);
    return value;
  }

  #ask<T>(statement: () => T): T {
    try {
      return statement();
    } catch (error) {
      // SQLite may have rolled back by itself, and what came next would be committed on its own.
      throw this.doom(fromSqlite(error, this.#name));
    }
  }
}

/** Parses its text when it is looked at, and then lets go of it. */
class LaterEntry implements Entry {
  readonly key: Key;
  readonly #name: string;
  readonly #owned: boolean;
  #stored: unknown;
  #value: Value | undefined;

  constructor(stored: unknown, key: Key, name: string, owned: boolean) {
    this.#stored = stored;
    this.key = key;
    this.#name = name;
    this.#owned = owned;
  }

  get value(): Value {
    if (this.#value === undefined) {
      this.#value = parseValue(this.#stored, this.key, this.#name, this.#owned);
      this.#stored = undefined;
    }
    return this.#value;
  }
}

function checked(bytes: Uint8Array): Uint8Array {
  checkValue(bytes);
  return bytes;
}

function parseValue(stored: unknown, key: Key, name: string, owned = false): Value {
  if (stored instanceof Uint8Array) return stored;
  try {
    if (typeof stored !== "string") throw new TypeError(`a value of type ${typeof stored}`);
    const value = JSON.parse(stored) as Value;
    if (!owned) freezeJson(value);
    return value;
  } catch (cause) {
    throw storeError("stored_row_invalid", `${name}: the row ${describeKey(key)} holds no JSON`, { cause, details: { store: name, key: describeKey(key) } });
  }
}
