// Bad input gets a typed error that says what to write instead, before anything is durable (design 10).

import { DatabaseSync } from "node:sqlite";
import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { createLash, memory, tool, type SessionOptions, type TurnInput, type TurnOptions } from "../../src/index.ts";
import { sqlite } from "../../src/stores/sqlite/store.ts";
import { scriptedProvider } from "../../src/testing/index.ts";
import { keysOf, overwrite, rowsOf } from "../support/rows.ts";
import { scratchFiles } from "../support/engines.ts";
import { testLash } from "../support/lash.ts";

const provider = scriptedProvider(["done"]);
const look = tool({ name: "look", description: "", input: z.object({}), run: () => 1 });
const wrong = (value: unknown) => value as never;
const fileOf = scratchFiles();

describe("createLash", () => {
  test.each<[string, unknown, string, string]>([
    ["no options", undefined, "invalid_argument", "options"],
    ["null", null, "invalid_argument", "options"],
    ["an unknown option", { stoer: memory() }, "invalid_argument", "stoer"],
    ["a store that is a path", { store: "agents.db" }, "invalid_argument", "store"],
    ["a store that is null", { store: null }, "invalid_argument", "store"],
    ["effects there are not", { effects: "eager" }, "invalid_argument", "effects"],
    ["a residency there is not", { residency: "all" }, "invalid_argument", "residency"],
    ["a provider that is a string", { provider: "gpt-5" }, "invalid_argument", "provider"],
    ["a provider that is null", { provider: null }, "invalid_argument", "provider"],
    ["a prompt that is no text", { provider, prompt: 7 }, "invalid_argument", "prompt"],
    ["tools that are no array", { provider, tools: { look } }, "invalid_argument", "tools"],
    ["a tool that was not made by tool()", { provider, tools: [{ name: "x", run: () => 1 }] }, "invalid_argument", "tools[0]"],
    ["a hole among the tools", { provider, tools: [undefined] }, "invalid_argument", "tools[0]"],
    ["two tools of one name", { provider, tools: [look, look] }, "duplicate_tool_name", "look"],
    ["maxTurns of 0", { provider, maxTurns: 0 }, "invalid_argument", "maxTurns"],
    ["maxTurns of 1.5", { provider, maxTurns: 1.5 }, "invalid_argument", "maxTurns"],
    ["maxTurns as text", { provider, maxTurns: "3" }, "invalid_argument", "maxTurns"],
    ["a model that is a string", { provider, model: "gpt-5" }, "invalid_argument", "model"],
    ["a model that is null", { provider, model: null }, "invalid_argument", "model"],
    ["an unknown option of the model", { provider, model: { temperature: 1 } }, "invalid_argument", "temperature"],
    ["a blank model", { provider, model: { id: " " } }, "invalid_argument", "model.id"],
    ["a context window below 1", { provider, model: { contextWindowTokens: 0 } }, "invalid_argument", "contextWindowTokens"],
    ["no model anywhere", { provider: { id: "p", complete: provider.complete } }, "missing_model_spec", "p"],
    ["a lease renewed too rarely", { provider, lease: { ttlMs: 1_000, renewMs: 900 } }, "lease_timings_invalid", "900"],
    ["a lease that is null", { provider, lease: null }, "invalid_argument", "lease"],
    ["a lease of no number", { provider, lease: { ttlMs: Number.NaN } }, "lease_timings_invalid", "NaN"],
    ["a clock that is none", { provider, clock: { now: 3 } }, "invalid_argument", "clock"],
    ["a logger that is none", { provider, logger: "console" }, "invalid_argument", "logger"],
    ["newId that is none", { provider, newId: "id" }, "invalid_argument", "newId"],
    ["a protocol that is none", { provider, protocol: "rlm" }, "invalid_argument", "protocol"],
    ["inspect that is none", { provider, inspect: 3 }, "invalid_argument", "inspect"],
  ])("%s is refused with the field's name (FA-7, S-57)", (_title, options, code, names) => {
    expect(() => createLash(wrong(options))).toThrow(expect.objectContaining({ code, message: expect.stringContaining(names) }));
  });
});

describe("tool()", () => {
  const good = { name: "look", description: "", input: z.object({}), run: () => 1 };
  test.each<[string, unknown, string]>([
    ["nothing", undefined, "tool"],
    ["an unknown option", { ...good, exec: 1 }, "exec"],
    ["no name", { ...good, name: undefined }, "name"],
    ["a blank name", { ...good, name: "" }, "name"],
    ["a name of 129 characters", { ...good, name: "x".repeat(129) }, "name"],
    ["a name with a space", { ...good, name: "look up" }, "name"],
    ["no description", { ...good, description: undefined }, "description"],
    ["no input", { ...good, input: undefined }, "input"],
    ["a plain JSON Schema as input", { ...good, input: { type: "object" } }, "input"],
    ["no run", { ...good, run: undefined }, "run"],
    ["an interruption policy there is not", { ...good, onInterrupted: "ignore" }, "onInterrupted"],
    ["an execution there is not", { ...good, execution: "later" }, "execution"],
    ["no attempts", { ...good, retry: { maxAttempts: 0 } }, "maxAttempts"],
    ["a delay below 0", { ...good, retry: { baseDelayMs: -1 } }, "baseDelayMs"],
    ["a longest delay that is no number", { ...good, retry: { maxDelayMs: Number.NaN } }, "maxDelayMs"],
    ["a retry policy that is a number", { ...good, retry: 3 }, "retry"],
    ["an unknown part of the retry policy", { ...good, retry: { attempts: 3 } }, "attempts"],
    ["readOnly that is text", { ...good, readOnly: "yes" }, "readOnly"],
    ["idempotent that is text", { ...good, idempotent: "yes" }, "idempotent"],
  ])("%s is refused with the field's name (PT-6)", (_title, options, names) => {
    expect(() => tool(wrong(options))).toThrow(expect.objectContaining({ code: "invalid_argument", message: expect.stringContaining(names) }));
  });
});

describe("openSession", () => {
  test.each<[string, unknown, unknown]>([
    ["no id", undefined, {}], ["a number", 7, {}], ["a blank id", " ", {}], ["an overlong id", "x".repeat(201), {}], ["NUL", "a\0b", {}], ["a lone surrogate", "a\ud800", {}],
    ["an unknown option", "s", { stream: true }], ["null for options", "s", null], ["a prompt that is no text", "s", { prompt: [] }], ["maxTurns below 1", "s", { maxTurns: -1 }],
  ])("%s is refused and leaves no row (FA-7)", async (_title, id, options) => {
    const { lash, engine } = testLash();
    await expect(lash.openSession(wrong(id), options as SessionOptions)).rejects.toMatchObject({ code: "invalid_argument" });
    expect(await rowsOf(engine)).toEqual([]);
  });

  test("a tool of the session with the name of one of the lash's is refused (FA-7)", async () => {
    const { lash } = testLash({ tools: [look] });
    await expect(lash.openSession("s", { tools: [look] })).rejects.toMatchObject({ code: "duplicate_tool_name" });
  });

  test("the longest ids there may be work, in any script, and longer ones are refused (OP-2)", async () => {
    const { lash } = testLash({ script: () => "done" });
    for (const [sessionId, turnId] of [["s".repeat(200), "t".repeat(200)], ["語".repeat(106), "字".repeat(106)], ["😀".repeat(80), "🚀".repeat(80)]] as const) {
      expect(await (await lash.openSession(sessionId)).run("go", { turnId })).toMatchObject({ isSuccess: true });
      await expect(lash.openSession(`${sessionId}語`)).rejects.toMatchObject({ code: "invalid_argument" });
    }
  });
});

describe("turn", () => {
  test.each<[string, unknown, unknown, string]>([
    ["nothing", undefined, {}, "invalid_argument"],
    ["a number", 7, {}, "invalid_argument"],
    ["an unknown field", { items: [], text: "x" }, {}, "invalid_argument"],
    ["items that are no array", { items: "x" }, {}, "invalid_argument"],
    ["an item of a kind there is not", { items: [{ type: "audio", id: "a" }] }, {}, "invalid_argument"],
    ["an item that is null", { items: [null] }, {}, "invalid_argument"],
    ["a text that is a number", { items: [{ type: "text", text: 1 }] }, {}, "invalid_argument"],
    ["a lone surrogate", "a\udfff", {}, "invalid_argument"],
    ["a lone surrogate in an item", { items: [{ type: "text", text: "\ud800" }] }, {}, "invalid_argument"],
    ["live protocol extensions", { items: [], protocolExtension: {} }, {}, "durable_effect_live_protocol_extension"],
    ["live plugin inputs", { items: [], pluginInputs: {} }, {}, "durable_effect_live_plugin_input"],
    ["a function among the protocol's options", { items: [], protocolTurnOptions: { f: () => 1 } }, {}, "protocol_turn_options"],
    ["a class instance among them", { items: [], protocolTurnOptions: new Map() }, {}, "protocol_turn_options"],
    ["a blank turn id", "x", { turnId: " " }, "missing_execution_scope_id"],
    ["a turn id that is a number", "x", { turnId: 7 }, "missing_execution_scope_id"],
    ["an overlong turn id", "x", { turnId: "x".repeat(201) }, "invalid_argument"],
    ["NUL in the turn id", "x", { turnId: "a\0" }, "invalid_argument"],
    ["a lone surrogate in the turn id", "x", { turnId: "\ud800" }, "invalid_argument"],
    ["two turn ids", { items: [], traceTurnId: "a" }, { turnId: "b" }, "execution_scope_turn_id_mismatch"],
    ["more than 8 MiB of text", "x".repeat(8 * 1024 * 1024 + 1), {}, "limit_exceeded"],
    ["null for options", "x", null, "invalid_argument"],
    ["an unknown option", "x", { turnID: "t" }, "invalid_argument"],
    ["a signal that is none", "x", { signal: {} }, "invalid_argument"],
  ])("%s is refused at once, and nothing is durable (T-3, T-8, ER-24, OP-17)", async (_title, input, options, code) => {
    const { lash, engine, provider: model } = testLash();
    const session = await lash.openSession("s");
    expect(() => session.turn(input as TurnInput, options as TurnOptions)).toThrow(expect.objectContaining({ code }));
    expect(await rowsOf(engine)).toEqual([]);
    expect(model.requests).toEqual([]);
    expect(await session.run("fine")).toMatchObject({ isSuccess: true });
  });
});

describe("closed", () => {
  test("a closed session and a closed lash say so (FA-80)", async () => {
    const { lash } = testLash();
    const session = await lash.openSession("s");
    await session.close();
    await session.close();
    expect(() => session.turn("x")).toThrow(expect.objectContaining({ code: "session_closed" }));
    const other = await lash.openSession("s");
    await lash.close();
    await lash.close();
    expect(() => other.turn("x")).toThrow(expect.objectContaining({ code: "session_closed" }));
    await expect(lash.openSession("s")).rejects.toMatchObject({ code: "lash_closed" });
    await expect(lash.recover()).rejects.toMatchObject({ code: "lash_closed" });
  });

  test("a turn that was made before the close and asked for after it is refused (FA-80)", async () => {
    const { lash } = testLash();
    const session = await lash.openSession("s");
    const turn = session.turn("x");
    await session.close();
    await expect(turn.result).rejects.toMatchObject({ code: "session_closed" });
  });

  test("opening and closing at once leaves no warning behind", async () => {
    const { lash, logged } = testLash();
    await (await lash.openSession("s")).close();
    await lash.openSession("t");
    await lash.close();
    await new Promise((resolve) => setImmediate(resolve));
    expect(logged).toEqual([]);
  });
});

describe("store files", () => {
  test("a path in place of a home for attachments is refused, with what makes one (design 10)", () => {
    expect(() => sqlite("a.db", { attachments: "a.blobs" as never })).toThrow(expect.objectContaining({ code: "invalid_argument", message: expect.stringContaining("directory(path)") }));
  });

  test.each([[false], [""], [0]])("so is %j, which is no way to leave it out (design 10)", (attachments) => {
    expect(() => sqlite("a.db", { attachments: attachments as never })).toThrow(expect.objectContaining({ code: "invalid_argument", details: { field: "attachments" } }));
  });

  test("null leaves the bytes of attachments without a place, and is refused with both ways out (ER-23)", () => {
    expect(() => sqlite("a.db", { attachments: null as never })).toThrow(expect.objectContaining({ code: "missing_attachment_store", isTerminal: true, message: expect.stringMatching(/`attachments`.*`directory\(path\)`/) }));
  });

  test("options of a store that do not exist are refused, with those that do (design 10)", () => {
    expect(() => sqlite("a.db", { attachment: "a.blobs" } as never)).toThrow(expect.objectContaining({ code: "invalid_argument", message: expect.stringContaining("known are path, busyTimeoutMs, maxBytes, missingLog, attachments") }));
  });

  test("a file that is no database, and one of another program, are refused untouched (OP-18)", async () => {
    const [text, foreign] = [fileOf(), fileOf()];
    writeFileSync(text, "this is a letter to my grandmother, and no database at all");
    const other = new DatabaseSync(foreign);
    other.exec("CREATE TABLE customers (name TEXT)");
    other.close();
    for (const path of [text, foreign]) {
      const before = readFileSync(path);
      const lash = createLash({ provider, store: sqlite(path), logger: () => {} });
      await expect(lash.openSession("s")).rejects.toMatchObject({ code: "store_foreign" });
      await lash.close();
      expect(readFileSync(path)).toEqual(before);
    }
  });
});

describe("damaged rows", () => {
  const rubbish = { schemaVersion: 1, rubbish: true };
  async function damaged(pick: (key: readonly (string | number)[]) => boolean, value: unknown = rubbish) {
    const host = testLash({ script: () => "done" });
    for (const id of ["broken", "whole"]) await (await host.lash.openSession(id)).run("go", { turnId: "t" });
    const row = (await rowsOf(host.engine)).find(({ key }) => key.includes("broken") && pick(key));
    if (!row) throw new Error(`no such row among ${(await keysOf(host.engine)).join(" ")}`);
    await overwrite(host.engine, { key: row.key, value: value as never });
    return { ...testLash({ engine: host.engine, script: () => "done" }), key: row.key };
  }

  test.each<[string, (key: readonly (string | number)[]) => boolean, (host: Awaited<ReturnType<typeof damaged>>) => Promise<unknown>]>([
    ["head", (key) => key[3] === "head", ({ lash }) => lash.openSession("broken")],
    ["history", (key) => key[2] === 2, ({ lash }) => lash.openSession("broken")],
    ["usage", (key) => key[3] === "usage", ({ lash }) => lash.openSession("broken")],
    ["frame", (key) => key[0] === "s" && key[2] === 1, ({ lash }) => lash.openSession("broken")],
    ["lease", (key) => key[3] === "lease", async ({ lash }) => (await lash.openSession("broken")).run("go", { turnId: "u" })],
    ["stamp", (key) => key[2] === 3, async ({ lash }) => (await lash.openSession("broken")).run("go", { turnId: "t" })],
  ])("a damaged %s row is an error that names its key, and other sessions work (design 6)", async (row, pick, meet) => {
    // An empty list is a ledger without entries, and no damage that a reader could see.
    for (const value of [rubbish, { schemaVersion: 1 }, ...(row === "usage" ? [] : [[]]), "text", null, 7]) {
      const host = await damaged(pick, value);
      const error = await meet(host).then(() => undefined, (thrown: unknown) => thrown as Error);
      expect(error).toMatchObject({ message: expect.stringContaining(String(host.key[host.key.length - 1])) });
      expect(await (await host.lash.openSession("whole")).run("more")).toMatchObject({ isSuccess: true, headRevision: 2 });
    }
  });

  test("a row of a newer version is refused by name, not misread (OP-2)", async () => {
    const { lash } = await damaged((key) => key[3] === "head", { schemaVersion: 99 });
    await expect(lash.openSession("broken")).rejects.toMatchObject({ message: expect.stringContaining("99") });
  });
});

test("a signal that is none is refused by name wherever a session takes one (design 10)", async () => {
  const session = await createLash({ provider }).openSession("s");
  const refused = expect.objectContaining({ code: "invalid_argument", details: { field: "signal" } });
  const signal = wrong({});
  expect(() => session.watch({ signal })).toThrow(refused);
  expect(() => session.subscribe(undefined, { signal })).toThrow(refused);
  await expect(session.compact(() => Promise.resolve(null), { signal })).rejects.toEqual(refused);
  await expect(session.queuedTurn({ signal })).rejects.toEqual(refused);
  await session.close();
});
