// A trial engine on Postgres: shows that the contract suits a storage at the other end of a network, and counts the trips to it.
//
//   PG1. A write is READ COMMITTED under advisory locks, one for each session of its scope, taken before its first read and held
//        to the end of the transaction. Who has no scope has the whole storage for itself.
//   PG2. Begin, locks and first reads travel together; so do the changes and the commit.
//   PG3. The transaction id comes with the first reads. When the answer to a commit is lost, the server is asked what became of it.
//   PG4. A read is one REPEATABLE READ snapshot.

import { createHash } from "node:crypto";
import { Pool, type PoolClient, type QueryResult } from "pg";
import type { CuttableEngine } from "../../../src/testing/index.ts";
import { type Change, type Body, type DefinedEngine, decodeKey, defineEngine, encodeKey, type Engine, type Entry, type Fetched, type Key, Lifetime, type Missing, type RangeRead, type ReadTransaction, runFetching, type Scope, storeError, type Value, type WriteTransaction } from "../../../src/stores/engine-kit.ts";

export interface PostgresOptions {
  readonly url: string;
  /** Engines on one table share a storage. */
  readonly table: string;
  /** Default: READ COMMITTED. REPEATABLE READ takes its snapshot before it has the locks, and is wrong. */
  readonly isolation?: "READ COMMITTED" | "REPEATABLE READ";
  /** Default true. Without, writes of one session race each other for its lock. */
  readonly lanes?: boolean;
  /** Takes a lost answer for a failure, which is wrong. Default false. */
  readonly believesLostAnswers?: boolean;
}

type Cut = Parameters<CuttableEngine["cut"]>[0];

export interface PostgresEngine extends DefinedEngine, CuttableEngine {
  /** Questions that were sent to the server. */
  readonly trips: number;
}

const DEADLOCK = "40P01";
const NOT_SERIALIZABLE = "40001";
const LOST = /^(08|57P)/;

export async function postgresEngine(options: PostgresOptions): Promise<PostgresEngine> {
  const core = new Postgres(options);
  await core.prepare();
  const engine = defineEngine(core, { ...(options.lanes !== false && { scope: "lanes" }), now: () => core.now() });
  return Object.defineProperties(engine as PostgresEngine, {
    trips: { get: () => core.trips },
    cut: { value: (when: Cut) => core.cut(when) },
  });
}

class Postgres implements Engine {
  readonly name: string;
  readonly durable = true;
  trips = 0;
  readonly #pool: Pool;
  readonly #table: string;
  readonly #isolation: string;
  readonly #believesLostAnswers: boolean;
  readonly #lifetime: Lifetime;
  #clock: { readonly server: number; readonly here: number } | undefined;
  #cut: Cut | undefined;

  constructor({ url, table, isolation = "READ COMMITTED", believesLostAnswers = false }: PostgresOptions) {
    this.name = `postgres:${table}`;
    this.#table = table;
    this.#isolation = isolation;
    this.#believesLostAnswers = believesLostAnswers;
    this.#lifetime = new Lifetime(this.name);
    this.#pool = new Pool({ connectionString: url, max: 10 });
    // A connection that breaks while nobody uses it is no error of anybody.
    this.#pool.on("error", () => undefined);
  }

  async prepare(): Promise<void> {
    // Two that create a table at once may both find that it is missing. Several statements in one question are one transaction.
    await this.#pool.query(`SELECT pg_advisory_xact_lock(${lockOf("DDL")}); CREATE TABLE IF NOT EXISTS ${this.#table} (key bytea PRIMARY KEY, json text, bytes bytea)`);
  }

  now(): number | undefined {
    return this.#clock && this.#clock.server + (performance.now() - this.#clock.here);
  }

  cut(when: Cut): void {
    this.#cut = when;
  }

  read<T>(body: Body<ReadTransaction, T>): Promise<T> {
    return this.#lifetime.during(() => this.#typed(() => this.#readOnce(body)));
  }

  write<T>(body: Body<WriteTransaction, T>, scope?: Scope): Promise<T> {
    return this.#lifetime.during(() =>
      this.#typed(async () => {
        for (;;) {
          const done = await this.#writeOnce(body, scope);
          if (done !== undefined) return done.result;
        }
      }),
    );
  }

  close(): Promise<void> {
    return this.#lifetime.close(() => this.#pool.end());
  }

  async #readOnce<T>(body: Body<ReadTransaction, T>): Promise<T> {
    let client: PoolClient | undefined;
    const fetch = async (missing: Missing): Promise<Fetched> => {
      const begin = client === undefined ? "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; " : "";
      client ??= await this.#pool.connect();
      return this.#fetch(client, begin, missing);
    };
    try {
      return (await runFetching("read", body, fetch)).result;
    } finally {
      if (client !== undefined) await this.#leave(client);
    }
  }

  /** @returns undefined when it has to be made anew. */
  async #writeOnce<T>(body: Body<WriteTransaction, T>, scope: Scope | undefined): Promise<{ readonly result: T } | undefined> {
    const client = await this.#pool.connect();
    let transaction: string | undefined;
    let made: { readonly result: T } | undefined;
    const fetch = async (missing: Missing): Promise<Fetched> => {
      const begin = transaction === undefined ? this.#begin(scope) : "";
      const more = missing.sessions.map((id) => `SELECT pg_advisory_xact_lock(${this.#lock(`s:${id}`)}); `).join("");
      const fetched = await this.#fetch(client, begin + more, missing);
      transaction ??= fetched.transaction;
      return fetched;
    };
    try {
      const { result, changes } = await runFetching("write", body, fetch);
      made = { result };
      if (changes.length > 0) {
        if (transaction === undefined) await fetch({ keys: [], ranges: [], sessions: [] });
        await this.#commit(client, changes);
        client.release();
      } else await this.#leave(client, transaction !== undefined);
      return made;
    } catch (error) {
      const code = codeOf(error);
      if (code === DEADLOCK || code === NOT_SERIALIZABLE) {
        await this.#leave(client);
        return undefined;
      }
      if (!(error instanceof LostAnswer)) {
        await this.#leave(client);
        throw error;
      }
      client.release(true);
      if (this.#believesLostAnswers) throw storeError("store_unavailable", `${this.name}: the connection broke`, { cause: error });
      return (await this.#stateOf(transaction ?? "", error)) === "committed" ? made : undefined;
    }
  }

  #begin(scope: Scope | undefined): string {
    const share = (domain: string): string => `pg_advisory_xact_lock_shared(${this.#lock(domain)})`;
    const take = (domain: string): string => `pg_advisory_xact_lock(${this.#lock(domain)})`;
    const locks = scope === undefined
      ? [take("all")]
      : [share("all"), ...scope.sessions.toSorted().map((id) => take(`s:${id}`)), ...(scope.content === "none" ? [] : [scope.content === "add" ? share("content") : take("content")])];
    return `BEGIN ISOLATION LEVEL ${this.#isolation}; ${locks.map((lock) => `SELECT ${lock}; `).join("")}SELECT pg_current_xact_id()::text AS transaction, extract(epoch FROM clock_timestamp()) * 1000 AS now; `;
  }

  #lock(domain: string): string {
    return lockOf(`${this.#table}:${domain}`);
  }

  async #fetch(client: PoolClient, before: string, { keys, ranges }: Missing): Promise<Fetched & { readonly transaction: string | undefined }> {
    const questions = [...(keys.length === 0 ? [] : [`SELECT 0 AS question, key, json, bytes FROM ${this.#table} WHERE key IN (${keys.map(bytesOf).join(", ")})`]), ...ranges.map((range, i) => this.#select(range, i + 1))];
    const results = await this.#ask(client, `${before}${questions.join("; ") || "SELECT 1"}`);
    const rows = results.flatMap(({ rows: each }) => each as Row[]);
    const began = rows.find((row) => row.transaction !== undefined);
    if (began !== undefined) this.#clock = { server: Number(began.now), here: performance.now() };
    const found = new Map(rows.flatMap((row) => (row.question === 0 ? [[row.key?.toString("hex"), valueOf(row)] as const] : [])));
    return {
      transaction: began?.transaction,
      values: keys.map((key) => found.get(hexOf(key))),
      ranges: ranges.map((_, i) => rows.flatMap((row): Entry[] => (row.question === i + 1 && row.key ? [{ key: decodeKey(new Uint8Array(row.key)), value: valueOf(row) }] : []))),
    };
  }

  #select({ from, to, limit, reverse }: Required<RangeRead>, question: number): string {
    const most = limit === Number.POSITIVE_INFINITY ? "" : ` LIMIT ${limit}`;
    return `(SELECT ${question} AS question, key, json, bytes FROM ${this.#table} WHERE key >= ${bytesOf(from as Key)} AND key < ${bytesOf(to as Key)} ORDER BY key${reverse ? " DESC" : ""}${most})`;
  }

  async #commit(client: PoolClient, changes: readonly Change[]): Promise<void> {
    const deleted = changes.filter(({ value }) => value === undefined).map(({ key }) => bytesOf(key));
    const set = changes.flatMap(({ key, value }) => (value === undefined ? [] : [`(${bytesOf(key)}, ${value instanceof Uint8Array ? `NULL, '\\x${Buffer.from(value).toString("hex")}'::bytea` : `${quoted(JSON.stringify(value))}, NULL`})`]));
    const statements = [
      ...(deleted.length === 0 ? [] : [`DELETE FROM ${this.#table} WHERE key IN (${deleted.join(", ")})`]),
      ...(set.length === 0 ? [] : [`INSERT INTO ${this.#table} VALUES ${set.join(", ")} ON CONFLICT (key) DO UPDATE SET json = excluded.json, bytes = excluded.bytes`]),
      "COMMIT",
    ];
    const cut = this.#cut;
    this.#cut = undefined;
    try {
      if (cut === "before") throw new BrokenConnection();
      await this.#ask(client, statements.join("; "));
      if (cut !== undefined) throw new BrokenConnection(cut === "blind");
    } catch (error) {
      if (error instanceof BrokenConnection || isLost(error)) throw new LostAnswer(error, error instanceof BrokenConnection && error.isBlind);
      throw error;
    }
  }

  /** What became of a transaction whose answer was lost (PG3). */
  async #stateOf(transaction: string, lost: LostAnswer): Promise<"committed" | "aborted"> {
    try {
      if (lost.isBlind) throw lost.cause;
      for (;;) {
        this.trips++;
        const { rows } = await this.#pool.query<{ state: string }>(`SELECT pg_xact_status('${transaction}') AS state`);
        const state = rows[0]?.state;
        if (state === "committed" || state === "aborted") return state;
        // Its backend has not noticed yet that nobody is there any more.
        await this.#pool.query("SELECT pg_sleep(0.05)");
      }
    } catch (cause) {
      throw storeError("store_outcome_unknown", `${this.name}: the answer to a commit was lost, and the server could not be asked what became of it`, { cause });
    }
  }

  async #leave(client: PoolClient, isOpen = true): Promise<void> {
    try {
      if (isOpen) await this.#ask(client, "ROLLBACK");
      client.release();
    } catch {
      client.release(true);
    }
  }

  async #ask(client: PoolClient, text: string): Promise<readonly QueryResult[]> {
    this.trips++;
    const results: unknown = await client.query(text);
    return (Array.isArray(results) ? results : [results]) as QueryResult[];
  }

  async #typed<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      if (codeOf(error) === undefined || !(error instanceof Error) || error.name === "LashError") throw error;
      throw storeError("store_unavailable", `${this.name}: ${error.message}`, { cause: error });
    }
  }
}

interface Row {
  readonly question?: number;
  readonly key?: Buffer;
  readonly json?: string | null;
  readonly bytes?: Buffer | null;
  readonly transaction?: string;
  readonly now?: string;
}

/** As if the wire had been cut. */
class BrokenConnection extends Error {
  readonly isBlind: boolean;

  constructor(isBlind = false) {
    super("the connection broke");
    this.isBlind = isBlind;
  }
}

class LostAnswer extends Error {
  readonly isBlind: boolean;

  constructor(cause: unknown, isBlind: boolean) {
    super("the answer to a commit was lost", { cause });
    this.isBlind = isBlind;
  }
}

const codeOf = (error: unknown): string | undefined => (error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined);
const isLost = (error: unknown): boolean => {
  const code = codeOf(error);
  return code === undefined || code.startsWith("E") || LOST.test(code);
};

const hexOf = (key: Key): string => Buffer.from(encodeKey(key)).toString("hex");
const bytesOf = (key: Key): string => `'\\x${hexOf(key)}'::bytea`;
const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;
const lockOf = (name: string): string => String(createHash("sha256").update(name).digest().readBigInt64BE());
const valueOf = ({ json, bytes }: Row): Value => (bytes ? new Uint8Array(bytes) : (JSON.parse(json ?? "null") as Value));
