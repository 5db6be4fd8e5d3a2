// What a model said comes back to it as it was, and every other model is told all of it: real clients, strict servers.

import { afterEach, describe, expect, test } from "vitest";
import { sqlite } from "../../src/stores/sqlite/store.ts";
import { scratchFiles } from "../support/engines.ts";
import { Phrases, SEALED } from "../support/strict/phrases.ts";
import { isCall, type Said } from "../support/strict/said.ts";
import { WIRES, type Wire } from "../support/strict/wires.ts";
import { MORE_TOOLS, TOOL_NAMES, World, type WorldOptions } from "../support/strict/world.ts";

const fileOf = scratchFiles();
const say = new Phrases();
let world: World | undefined;

afterEach(async () => {
  await world?.close();
  world = undefined;
});

async function worldOf(wires: readonly Wire[], options: Partial<WorldOptions> = {}): Promise<World> {
  const file = fileOf();
  world = await World.open({ wires, store: () => sqlite(file), ...options });
  return world;
}

/** What of this the wire has words for; reasoning is never the last thing said. */
function fit(wire: Wire, ...said: readonly Said[]): readonly Said[] {
  const known = wire.speakable(said);
  const end = known.findLastIndex(({ kind }) => kind !== "reasoning" && kind !== "sealed");
  return known.slice(0, end + 1);
}

const canSearch = (wire: Wire): boolean => wire.speakable([say.search()]).length > 0;

describe.each(WIRES.map((wire) => [wire.name, wire] as const))("over the wire of %s", (_, wire) => {
  test("reasoning and text come back as they were in the next turn, after a restart, and in a fork (ME-1, ME-2)", async () => {
    const { problems, ...talk } = bound(await worldOf([wire]));
    await talk.run(wire, say.plain(...fit(wire, say.reasoning(), say.text())));
    await talk.run(wire, say.plain());
    await talk.restart();
    await talk.run(wire, say.plain(...fit(wire, SEALED, say.reasoning(), say.text())));
    await talk.fork();
    await talk.run(wire, say.plain());
    expect(problems.join("\n")).toBe("");
  });

  test("the order of parts is the model's: text before reasoning, reasoning between texts, calls after both (ME-1, ME-2)", async () => {
    const { problems, ...talk } = bound(await worldOf([wire]));
    await talk.run(wire, say.plain(...fit(wire, say.text(), say.reasoning(), say.text())));
    await talk.run(wire, say.calling(...fit(wire, say.reasoning(), say.text(), say.reasoning(), say.text(), say.call(), say.call())));
    await talk.restart();
    await talk.run(wire, say.calling(...fit(wire, say.reasoning(), say.call())));
    await talk.run(wire, say.plain());
    expect(problems.join("\n")).toBe("");
  });

  test("texts are kept to the letter: white space around, line ends, marks that join, signs beyond the first plane (ME-2)", async () => {
    const { problems, ...talk } = bound(await worldOf([wire]));
    const odd = " \t\r\n e\u0301 \u{1f468}\u200d\u{1f469} \u2028 \u0000 \\ \" </x> \n\n";
    await talk.run(wire, { user: say.word("user"), answers: [{ said: fit(wire, say.reasoning(odd), say.text(odd)), shape: { piece: 1, chunkBytes: 3 } }] });
    await talk.run(wire, say.calling(...fit(wire, say.call("look", { odd, deep: [{ a: [1.5, null, true, "\u{1f600}"] }] }))));
    await talk.restart();
    await talk.run(wire, say.plain());
    expect(problems.join("\n")).toBe("");
  });

  test("tools in parallel: results first and in call order, then images; failures and halves of characters are accepted (ME-5, ME-14)", async () => {
    const { problems, ...talk } = bound(await worldOf([wire]));
    await talk.run(wire, say.calling(...fit(wire, say.reasoning(), say.text(), say.call("shoot"), say.call("look"), say.call("fail"), say.call("half"), say.call("shoot"), say.call("look"))));
    await talk.restart();
    await talk.run(wire, say.calling(...TOOL_NAMES.map((name) => say.call(name))));
    await talk.run(wire, say.plain());
    expect(problems.join("\n")).toBe("");
  });

  test("tools whose names the wire does not take can be used, and are known again after a restart (ME-14)", async () => {
    const { problems, ...talk } = bound(await worldOf([wire], { moreTools: MORE_TOOLS }));
    await talk.run(wire, say.calling(...fit(wire, say.reasoning(), ...MORE_TOOLS.map((name) => say.call(name)))));
    await talk.restart();
    await talk.run(wire, say.calling(say.call("look.at"), say.call("look")));
    expect(problems.join("\n")).toBe("");
  });

  test("a tool loop of several rounds is accepted and repeats itself to the letter (ME-2, ME-4)", async () => {
    const { problems, ...talk } = bound(await worldOf([wire]));
    const round = () => ({ said: fit(wire, say.reasoning(), say.text(), say.call(), say.call()) });
    await talk.run(wire, { user: say.word("user"), answers: [round(), round(), { said: fit(wire, say.call()) }, round(), { said: [say.text()] }] });
    await talk.restart();
    await talk.run(wire, say.calling(...round().said));
    expect(problems.join("\n")).toBe("");
  });

  test.runIf(canSearch(wire))("what the provider did itself comes back in its place (ME-1, ME-2, ME-19)", async () => {
    const { problems, ...talk } = bound(await worldOf([wire]));
    await talk.run(wire, say.plain(...fit(wire, say.reasoning(), say.search(), say.text())));
    await talk.restart();
    await talk.run(wire, say.calling(...fit(wire, say.reasoning(), say.search(), say.text(), say.call())));
    await talk.fork();
    await talk.run(wire, say.plain());
    expect(problems.join("\n")).toBe("");
  });

  test("a stream that breaks is asked again with the same bytes, and nothing of it is sent later (ME-2, ME-14)", async () => {
    const { problems, ...talk } = bound(await worldOf([wire]));
    const broken = [{ cut: { afterEvents: 4, how: "destroy" as const } }, { status: 500 }, { cut: { afterEvents: 3, how: "end" as const } }];
    await talk.run(wire, { user: say.word("user"), answers: [{ said: fit(wire, say.reasoning(), say.text(), say.call()), broken }, { said: [say.text()], broken: broken.slice(0, 1) }] });
    await talk.restart();
    await talk.run(wire, say.plain());
    expect(problems.join("\n")).toBe("");
  });

  test.each([1, 4, 9, 14])("cancelled after %i events of an answer, the session goes on with a request that is accepted (ME-11, ME-14)", async (cancelAt) => {
    const { problems, ...talk } = bound(await worldOf([wire]));
    await talk.run(wire, { user: say.word("user"), answers: [{ said: fit(wire, say.reasoning(), say.text(" and a good deal more"), say.call()), cancelAt }] });
    await talk.run(wire, say.calling(...fit(wire, say.reasoning(), say.call())));
    await talk.run(wire, { user: say.word("user"), answers: [{ said: fit(wire, say.reasoning(), say.call()) }, { said: [say.text(" and a good deal more")], cancelAt }] });
    await talk.restart();
    await talk.run(wire, say.plain());
    expect(problems.join("\n")).toBe("");
  });

  test("cancelled while a tool runs beside one that has ended, every call has a result (ME-14)", async () => {
    const { problems, ...talk } = bound(await worldOf([wire]));
    await talk.run(wire, { user: say.word("user"), answers: [{ said: fit(wire, say.reasoning(), say.call("wait"), say.call("look")) }] });
    await talk.restart();
    await talk.run(wire, say.plain());
    expect(problems.join("\n")).toBe("");
  });

  test("after a compaction only the summary is told, and what follows it comes back as it was (ME-2, ME-16)", async () => {
    const { problems, ...talk } = bound(await worldOf([wire]));
    await talk.run(wire, say.calling(...fit(wire, say.reasoning(), say.text(), say.call("shoot"))));
    await talk.compact(wire, say.word("summary"));
    await talk.run(wire, say.calling(...fit(wire, say.reasoning(), say.text(), say.call())));
    await talk.restart();
    await talk.run(wire, say.plain());
    expect(problems.join("\n")).toBe("");
  });
});

const pairs = WIRES.flatMap((one) => WIRES.flatMap((other) => (one === other ? [] : [[one.name, other.name, one, other] as const])));

describe.each(pairs)("from %s to %s", (_from, _to, one, other) => {
  test("the other model is told every text, call, result and deed and nothing that is bound; the first one has its own as it was when it is back (ME-3)", async () => {
    const { problems, ...talk } = bound(await worldOf([one, other]));
    await talk.run(one, say.calling(...fit(one, say.reasoning(), say.text(), say.search(), say.call("shoot"), say.call("look"), say.call("fail"))));
    await talk.run(one, say.plain(...fit(one, SEALED, say.reasoning(), say.text())));
    await talk.run(other, say.calling(...fit(other, say.reasoning(), say.text(), say.call("look"), say.call("shoot"))));
    await talk.restart();
    await talk.run(one, say.calling(...fit(one, say.reasoning(), say.call("half"))));
    await talk.run(other, say.plain());
    await talk.fork();
    await talk.run(one, say.plain());
    expect(problems.join("\n")).toBe("");
  });
});

/** Its methods as functions of their own. */
function bound(talk: World) {
  return {
    problems: talk.problems,
    run: talk.run.bind(talk),
    restart: talk.restart.bind(talk),
    fork: talk.fork.bind(talk),
    compact: talk.compact.bind(talk),
  };
}

test("the scenarios call tools on every wire", () => {
  expect(WIRES.every((wire) => fit(wire, say.call()).every(isCall))).toBe(true);
});
