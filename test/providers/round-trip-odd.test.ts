// What providers do that others do not take, and what hosts do: it is made acceptable on the way out, the same way every time.

import { afterEach, describe, expect, test } from "vitest";
import * as z from "zod";
import { createLash, tool, withImages, type Lash } from "../../src/index.ts";
import { aiSdk, type AiSdkOptions } from "../../src/providers/ai-sdk/index.ts";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { sqlite } from "../../src/stores/sqlite/store.ts";
import { scratchFiles } from "../support/engines.ts";
import { png } from "../support/pictures.ts";
import { compatibleDialect } from "../support/strict/chat.ts";
import { fieldsOf, listOf, type Fields } from "../support/strict/json.ts";
import type { Said } from "../support/strict/said.ts";
import { startStrict, type StrictReply, type StrictScript, type StrictServer } from "../support/strict/server.ts";
import { WIRES, type Wire } from "../support/strict/wires.ts";

const fileOf = scratchFiles();
const opened: (Lash | StrictServer)[] = [];

afterEach(async () => {
  for (const one of opened.splice(0).toReversed()) await one.close();
});

const look = tool({ name: "look", description: "Looks", input: z.object({ n: z.string() }), readOnly: true, run: ({ n }) => `seen ${n}` });
const shoot = tool({ name: "shoot", description: "Shoots", input: z.object({ n: z.string() }), readOnly: true, run: ({ n }) => withImages(`shot ${n}`, [png(1)]) });
const call = (n: string, name = "look"): Said => ({ kind: "call", tool: name, input: { n } });
const text = (words: string): Said => ({ kind: "text", text: words });

async function server(wire: Wire, script: StrictScript): Promise<StrictServer> {
  const started = await startStrict(wire.dialect(), script);
  opened.push(started);
  return started;
}

function lashOn(file: string, wire: Wire, { url }: StrictServer, options: AiSdkOptions = {}): Lash {
  const lash = createLash({ provider: aiSdk(wire.model(url), { settings: wire.settings, ...options }), store: sqlite(file), tools: [look, shoot], logger: () => {} });
  opened.push(lash);
  return lash;
}

/** Answers one after the other. */
function inTurn(...replies: readonly StrictReply[]): StrictScript {
  const left = [...replies];
  return () => left.shift() ?? { parts: [], status: 500 };
}

const cases = WIRES.map((wire) => [wire.name, wire] as const);

describe.each(cases)("over the wire of %s", (_, wire) => {
  let number = 0;
  const say = (...said: readonly Said[]): StrictReply => wire.reply(wire.speakable(said), () => (number += 1));
  /** As servers do that count the calls of each answer anew. */
  const sameIds = (...said: readonly Said[]): StrictReply => {
    let index = 0;
    const { parts } = wire.reply(wire.speakable(said), () => (index += 1));
    return { parts: parts.map((part) => ("thoughtSignature" in part ? { ...part, thoughtSignature: `signed ${(number += 1)}` } : part)) };
  };

  test("call ids that come again are told apart, and the same way in every request (ME-14)", async () => {
    const started = await server(wire, inTurn(sameIds(call("a"), call("b")), sameIds(call("c"), call("d")), say(text("done")), say(text("yes"))));
    const file = fileOf();
    const first = lashOn(file, wire, started);
    expect(await (await first.openSession("s")).run("go")).toMatchObject({ isSuccess: true, text: "done", toolCalls: [{}, {}, {}, {}] });
    await first.close();
    expect(await (await lashOn(file, wire, started).openSession("s")).run("and")).toMatchObject({ text: "yes" });
    expect(started.refusals).toEqual([]);
    const [, , before = [], after = []] = started.requests.map(({ body }) => wire.pieces(body, [...started.sent.values()]));
    expect(after.slice(0, before.length)).toEqual(before);
  });

  test("answers that come whole are kept as those that are streamed (ME-1, ME-2)", async () => {
    const replies = [say({ kind: "reasoning", text: "hm" }, text("looking"), call("a"), call("b", "shoot")), say({ kind: "reasoning", text: "so" }, text("done")), say(text("yes"))];
    const started = await server(wire, inTurn(...replies));
    const file = fileOf();
    const first = lashOn(file, wire, started, { streaming: false });
    expect(await (await first.openSession("s")).run("go")).toMatchObject({ isSuccess: true, text: "done" });
    await first.close();
    await (await lashOn(file, wire, started, { streaming: false }).openSession("s")).run("and");
    expect(started.refusals).toEqual([]);
    const { body = {} } = started.requests.at(-1) ?? {};
    expect(wire.heard(body, replies)).toEqual(replies.slice(0, 2).flatMap((reply) => wire.echo(reply)));
  });

  test("a fork that ends between calls and their results is refused or complete (ME-14, ME-16)", async () => {
    const started = await server(wire, inTurn(say(call("a"), call("b")), say(text("done")), say(text("on"))));
    const lash = lashOn(fileOf(), wire, started);
    const session = await lash.openSession("s");
    await session.run("go");
    const [, calls] = session.observe().readView.messages;
    const id = await session.fork({ ...(calls && { at: calls.id }) }).catch(() => undefined);
    if (id !== undefined) expect(await (await lash.openSession(id)).run("go on")).toMatchObject({ text: "on" });
    expect(started.refusals).toEqual([]);
  });

  test("a session may have an id of any length (ME-14)", async () => {
    const started = await server(wire, inTurn(say(text("one")), say(text("two"))));
    const session = await lashOn(fileOf(), wire, started).openSession(`chat/${"x".repeat(150)}`);
    expect(await session.run("go")).toMatchObject({ text: "one" });
    expect(await session.run("and")).toMatchObject({ text: "two" });
    expect(started.refusals).toEqual([]);
  });

  test("empty results, and answers of nothing but white space around calls, are accepted (ME-14)", async () => {
    const nothing = tool({ name: "nothing", description: "Nothing", input: z.object({ n: z.string() }), readOnly: true, run: () => "" });
    const fails = tool({ name: "fails", description: "Fails", input: z.object({ n: z.string() }), readOnly: true, run: () => Promise.reject(new Error("")) });
    const started = await server(wire, inTurn(say(text("\n\n"), call("a", "nothing"), call("b", "fails")), say(text("done")), say(text("yes"))));
    const lash = createLash({ provider: aiSdk(wire.model(started.url), { settings: wire.settings }), store: sqlite(fileOf()), tools: [nothing, fails], logger: () => {} });
    opened.push(lash);
    const session = await lash.openSession("s");
    expect(await session.run("go")).toMatchObject({ text: "done" });
    expect(await session.run("and")).toMatchObject({ text: "yes" });
    expect(started.refusals).toEqual([]);
  });

  test("ids of another provider's calls are made into what one takes that wants nine letters or digits (ME-3, ME-14)", async () => {
    const other = await server(wire, inTurn(say(call("a"), call("b")), say(text("done"))));
    const mistral: Wire = { ...wire, dialect: () => compatibleDialect({ nineLetterIds: true }), model: (url) => createOpenAICompatible({ name: "mistral", baseURL: `${url}/v1`, apiKey: "key" })("large"), settings: {} };
    const nine = await server(mistral, inTurn({ parts: [{ content: "mine", tool_calls: [{ id: "abcDEF123", type: "function", function: { name: "look", arguments: '{"n":"c"}' } }] }] }, { parts: [{ content: "over" }] }));
    const session = await lashOn(fileOf(), wire, other).openSession("s");
    await session.run("go");
    await session.configure({ provider: aiSdk(mistral.model(nine.url)) });
    expect(await session.run("and")).toMatchObject({ text: "over" });
    expect([...other.refusals, ...nine.refusals]).toEqual([]);
    expect(callsIn(nine.requests.at(-1)?.body).map((one) => one["id"])).toEqual([expect.any(String), expect.any(String), "abcDEF123"]);
  });
});

const callsIn = (body: Fields | undefined): readonly Fields[] => listOf(body?.["messages"]).flatMap((message) => listOf(fieldsOf(message)["tool_calls"]));
