// The last pass before the wire, held against rules that are written down elsewhere (test/support/wire-faults.ts).

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { LlmContentBlock, LlmMessage, LlmRequest } from "../../src/providers/contract.ts";
import { Preparer, prepareRequest } from "../../src/providers/prepare/prepare-request.ts";
import { defaultWire, type Wire } from "../../src/providers/wire.ts";
import { messages, OWN, requests, tools, wires } from "../support/conversations.ts";
import { stringsOf, wireFaults } from "../support/wire-faults.ts";
import { request, says, weather } from "./fixtures.ts";

const runs = { numRuns: 400 };
const prepare = (given: LlmRequest, wire: Wire = defaultWire): LlmRequest => prepareRequest(given, wire, OWN).request;

describe("whatever a conversation holds", () => {
  test("what is sent has none of the faults that receivers refuse (ME-14)", () => {
    fc.assert(
      fc.property(requests, wires, (given, wire) => {
        expect(wireFaults(prepare(given, wire), { wire, own: OWN })).toEqual([]);
      }),
      { numRuns: 2_000 },
    );
  });

  test("done again it changes nothing (ME-14)", () => {
    fc.assert(
      fc.property(requests, wires, (given, wire) => {
        const once = prepare(given, wire);
        expect(prepare(once, wire)).toBe(once);
      }),
      runs,
    );
  });

  test("what is given stays as it is, and what need not change stays the same object (ME-14)", () => {
    fc.assert(
      fc.property(requests, wires, (given, wire) => {
        const before = structuredClone(given);
        const sent = prepare(given, wire);
        expect(given).toEqual(before);
        const objects = new Map(sent.messages.map((message) => [JSON.stringify(message), message]));
        for (const message of given.messages) {
          const same = objects.get(JSON.stringify(message));
          if (same !== undefined && sent.messages.filter((one) => JSON.stringify(one) === JSON.stringify(same)).length === 1 && given.messages.filter((one) => JSON.stringify(one) === JSON.stringify(same)).length === 1) expect(same).toBe(message);
        }
      }),
      runs,
    );
  });

  test("where it grows by whole rounds, what was sent before is what is sent first (ME-14)", () => {
    fc.assert(
      fc.property(messages, tools, wires, fc.nat(), (all, specs, wire, at) => {
        fc.pre(wire.replayReasoning !== "sinceLastUser");
        const cut = at % (all.length + 1);
        const behind = all.slice(cut);
        const round = behind.slice(0, behind.findIndex(({ role }) => role === "assistant") >>> 0);
        fc.pre(all.slice(0, cut).some(({ role }) => role === "user") && !round.some(({ blocks }) => blocks.some(({ type }) => type === "toolResult")));
        const shorter = flat(prepare(request({ messages: all.slice(0, cut), tools: specs }), wire), wire);
        const longer = flat(prepare(request({ messages: all, tools: specs }), wire), wire);
        expect(longer.slice(0, shorter.length)).toEqual(shorter);
      }),
      { numRuns: 1_000 },
    );
  });

  test("one that was sent before, wherever it goes on from, is sent as if for the first time (ME-14)", () => {
    fc.assert(
      fc.property(messages, fc.array(fc.record({ keep: fc.nat(), more: messages, tools }), { maxLength: 4 }), wires, (first, steps, wire) => {
        const preparer = new Preparer(wire, OWN);
        let all = first;
        preparer.prepare(request({ messages: all }));
        for (const { keep, more, tools: specs } of steps) {
          all = [...all.slice(0, keep % (all.length + 1)), ...more];
          const given = request({ messages: all, tools: specs });
          expect(preparer.prepare(given)).toEqual(prepareRequest(given, wire, OWN));
        }
      }),
      runs,
    );
  });

  test("nothing that was said or done is lost for another model (ME-3)", () => {
    fc.assert(
      fc.property(requests, wires, (given, wire) => {
        fc.pre(wire.callId.maxLength > 9);
        const sent = [...stringsOf(prepareRequest(given, wire, { provider: "elsewhere", model: "m" }).request.messages)].join("\n");
        const kept = given.messages.flatMap(({ role, blocks, incomplete }) => blocks.map((block) => keptText(block, role, incomplete !== undefined)));
        expect(kept.filter((text) => text.trim() !== "" && !sent.includes(text.toWellFormed()))).toEqual([]);
      }),
      runs,
    );
  });
});

/** Messages of one role in a row may become one; their blocks are still the same. */
const flat = ({ messages: sent }: LlmRequest, wire: Wire): unknown[] =>
  wire.alternation === "any" ? [...sent] : sent.flatMap(({ role, blocks }) => blocks.map((block) => [role === "assistant" ? role : "user", block]));

/** What of a block has to be there for everybody, as the receiver can be shown it. */
function keptText(block: LlmContentBlock, role: LlmMessage["role"], isCutOff: boolean): string {
  if (block.type === "text") return block.text;
  if (isCutOff) return "";
  if (block.type === "toolResult") return role === "assistant" && block.providerExecuted === true ? '"found":"it"' : block.content;
  if (block.type !== "toolCall" || role !== "assistant") return "";
  return block.providerExecuted === true ? block.toolName : "";
}

const tool = (callId: string, toolName = "look", inputJson = "{}"): LlmContentBlock => ({ type: "toolCall", callId, toolName, inputJson });
const result = (callId: string, content = "r", toolName = "look"): LlmContentBlock => ({ type: "toolResult", callId, toolName, content });
const own = (...blocks: (string | LlmContentBlock)[]): LlmMessage => ({ ...says("assistant", ...blocks), origin: OWN });
const look = { ...weather, name: "look" };
const sentFor = (given: readonly LlmMessage[], wire: Partial<Wire> = {}): readonly LlmMessage[] => prepare(request({ messages: given, tools: [look] }), { ...defaultWire, ...wire }).messages;

describe("an answer", () => {
  const answer = own(
    { type: "reasoning", text: "Hm", replay: { opaque: '{"p":{"signature":"s"}}' } },
    { type: "text", text: "Let me see.", responseMeta: { providerPayload: '{"p":{"itemId":"1"}}' } },
    { type: "toolCall", callId: "s1", toolName: "web_search", inputJson: '{"query":"x"}', providerExecuted: true },
    { type: "toolResult", callId: "s1", toolName: "web_search", content: '[{"title":"X","encrypted_content":"e"}]', providerExecuted: true },
    { type: "opaque", content: { provider: "p", type: "t", json: { a: 1 } } },
    { type: "file", mime: "image/png", attachmentIndex: 0 },
    { ...tool("c1"), replay: { opaque: '{"p":{"signature":"s2"}}' } } as LlmContentBlock,
    { type: "text", text: "", responseMeta: { providerPayload: '{"p":{"thoughtSignature":"t"}}' } },
  );
  const given = request({ messages: [says("user", "q"), answer, says("user", result("c1"))], tools: [look], attachments: [{ mime: "image/png", data: new Uint8Array([1]) }] });

  test("goes back to the model that gave it as it came, down to the request object (ME-2, ME-3)", () => {
    expect(prepareRequest(given, defaultWire, OWN).request).toBe(given);
  });

  test("goes to another model without what is bound to its origin, and with what was done (ME-3)", () => {
    for (const target of [{ ...OWN, model: "n" }, { ...OWN, provider: "q" }]) {
      const [, sent] = prepareRequest(given, defaultWire, target).request.messages;
      expect(sent).toEqual(
        says(
          "assistant",
          "Let me see.",
          '[The provider ran web_search with {"query":"x"}]',
          '[web_search of the provider returned]\n[{"title":"X"}]',
          "[The model made a file of type image/png]",
          tool("c1"),
        ),
      );
    }
  });

  test("whose origin nobody knows loses what is bound to one, and nothing else (ME-3)", () => {
    const { origin: _unknown, ...nobodys } = answer;
    const [, sent] = prepare({ ...given, messages: [says("user", "q"), nobodys, says("user", result("c1"))] }).messages;
    expect(sent?.blocks.map(({ type }) => type)).toEqual(["text", "text", "text", "text", "toolCall"]);
    const plain = says("assistant", "Hi", tool("c1"));
    expect(sentFor([says("user", "q"), plain, says("user", result("c1"))])[1]).toBe(plain);
  });

  test("is of its own origin where the adapter says so (ME-3)", () => {
    const sameOrigin = (a: { model: string }, b: { model: string }) => a.model.startsWith("m") && b.model.startsWith("m");
    expect(prepareRequest(given, defaultWire, { provider: "p", model: "m-2026", sameOrigin }).request).toBe(given);
  });

  test("whose calls have to be sent as text keeps nothing that is bound to them (ME-3)", () => {
    const [, sent] = prepare({ ...given, tools: [] }).messages;
    expect(sent?.blocks.every((block) => block.type === "text" && block.responseMeta === undefined)).toBe(true);
    expect(JSON.stringify(sent)).toContain("[Called look with {}]");
  });

  test("ends with no reasoning where that is refused, and with it elsewhere (ME-3)", () => {
    const lone = own("Hi", { type: "reasoning", text: "Hm", replay: { opaque: "{}" } });
    expect(sentFor([says("user", "q"), lone])[1]?.blocks).toEqual(says("assistant", "Hi").blocks);
    expect(sentFor([says("user", "q"), lone], { loneReasoning: "keep" })[1]).toBe(lone);
  });

  test("that was cut off is its text alone, and says so, to every model (ME-11)", () => {
    const cut: LlmMessage = {
      ...own({ type: "reasoning", text: "Hm", replay: { opaque: "{}" } }, { type: "text", text: "Half a", responseMeta: { providerPayload: '{"p":1}' } }, tool("c1")),
      incomplete: "output_limit",
    };
    const [, sent] = sentFor([says("user", "q"), cut, says("user", "go on")]);
    expect(sent).toEqual(says("assistant", "Half a", "[This answer was cut off: it reached the output limit.]"));
  });
});

describe("reasoning that nobody signed", () => {
  const plain = own({ type: "reasoning", text: "Hm" }, tool("c1"));
  const loop = [says("user", "q"), plain, says("user", result("c1"))];

  test("is sent again within a round of calls, until the user says more, where the model wants it so (ME-4)", () => {
    const since = { replayReasoning: "sinceLastUser" } as const;
    expect(sentFor(loop, since)[1]).toBe(plain);
    expect(sentFor([...loop, own("done"), says("user", "more")], since)[1]?.blocks).toEqual([tool("c1")]);
    expect(sentFor([...loop, own("done"), says("user", "more")], { replayReasoning: "always" })[1]).toBe(plain);
    expect(sentFor(loop)[1]?.blocks).toEqual([tool("c1")]);
  });

  test("is not sent to another model (ME-3, ME-4)", () => {
    const foreign: LlmMessage = { ...plain, origin: { provider: "p", model: "other" } };
    expect(sentFor([says("user", "q"), foreign, says("user", result("c1"))], { replayReasoning: "always" })[1]?.blocks).toEqual([tool("c1")]);
  });
});

describe("calls and results", () => {
  test("an id that a provider gives to all its calls is there once, the same way in every request (ME-14)", () => {
    const turn = [own(tool("call_0"), tool("call_0")), says("user", result("call_0", "a"), result("call_0", "b"))];
    const sent = sentFor([says("user", "q"), ...turn, own("done"), says("user", "q"), ...structuredClone(turn)]);
    const ids = sent.flatMap(({ blocks }) => blocks.flatMap((block) => (block.type === "toolCall" ? [block.callId] : [])));
    expect(ids).toEqual(["call_0", "call_0_2", "call_0_3", "call_0_4"]);
    const pairs = sent.flatMap(({ blocks }) => blocks.flatMap((block) => (block.type === "toolResult" ? [[block.callId, block.content]] : [])));
    expect(pairs).toEqual([["call_0", "a"], ["call_0_2", "b"], ["call_0_3", "a"], ["call_0_4", "b"]]);
  });

  test("a call that the conversation goes on without has a result that says so, right behind it (ME-16)", () => {
    const question = says("user", "go on from here");
    const sent = sentFor([says("user", "q"), own(tool("c1"), tool("c2")), question]);
    expect(sent[2]?.blocks).toMatchObject([
      { type: "toolResult", callId: "c1", isError: true },
      { type: "toolResult", callId: "c2", isError: true },
    ]);
    expect(sent[3]).toBe(question);
  });

  test("results stand first and in the order of the calls, what came with them behind (ME-5)", () => {
    const sent = sentFor([says("user", "q"), own(tool("c1"), tool("c2")), says("system", "note"), says("user", "text", result("c2"), { type: "image", attachmentIndex: 0 }, result("c1"))]);
    expect(sent.map(({ role, blocks }) => [role, ...blocks.map((block) => (block.type === "toolResult" ? block.callId : block.type))])).toEqual([
      ["user", "text"],
      ["assistant", "toolCall", "toolCall"],
      ["user", "c1", "c2"],
      ["system", "text"],
      ["user", "text", "image"],
    ]);
  });

  test("a result without a call is told as text (ME-14)", () => {
    expect(sentFor([says("user", "q"), own("Hi"), says("user", result("gone", "42"))])[2]).toEqual(says("user", "[An earlier call of look returned]\n42"));
  });

  test("are told as text where the request has no tools and the receiver refuses them then (ME-14)", () => {
    const given = [says("user", "q"), own(tool("c1", "look", '{"a":1}')), says("user", result("c1", "42"))];
    expect(prepare(request({ messages: given })).messages.slice(1)).toEqual([{ ...says("assistant", '[Called look with {"a":1}]'), origin: OWN }, says("user", "[look returned]\n42")]);
    expect(prepare(request({ messages: given }), { ...defaultWire, toolBlocks: "always" }).messages).toBe(given);
  });

  test.each([
    ["", "{}"],
    ['\uFEFF{"a":1}', '{"a":1}'],
    ['{"a":', '{"unreadable_arguments":"{\\"a\\":"}'],
    ["null", '{"unreadable_arguments":"null"}'],
    ['{"a":"\\ud83d"}', '{"a":"\\ufffd"}'],
    ['{"a":"\\\\ud83d \\ud83d\\ude00"}', '{"a":"\\\\ud83d \\ud83d\\ude00"}'],
  ])("arguments %j are sent as %j (ME-14)", (written, sent) => {
    expect(sentFor([says("user", "q"), own(tool("c1", "look", written)), says("user", result("c1"))])[1]?.blocks).toEqual([tool("c1", "look", sent)]);
  });
});

describe("tool names", () => {
  const named = (...names: string[]) => names.map((name) => ({ ...weather, name }));

  test("are legal on the wire, and each is known by what it is called here (ME-14)", () => {
    const given = request({
      tools: named("a.b", "a_b", "a/b", "plain"),
      messages: [says("user", "q"), says("assistant", tool("c1", "a.b"), tool("c2", "gone.x")), says("user", result("c1", "r", "a.b"), result("c2", "r", "gone.x"))],
    });
    const { request: sent, toolNames } = prepareRequest(given, defaultWire, OWN);
    expect(sent.tools.map(({ name }) => name)).toEqual(["a_b_2", "a_b", "a_b_3", "plain"]);
    expect(Object.fromEntries(toolNames)).toEqual({ a_b_2: "a.b", a_b_3: "a/b", gone_x: "gone.x" });
    expect(sent.messages[1]?.blocks).toMatchObject([{ toolName: "a_b_2" }, { toolName: "gone_x" }]);
    expect(sent.messages[2]?.blocks).toMatchObject([{ toolName: "a_b_2" }, { toolName: "gone_x" }]);
  });

  test("a demand for one tool names it as the tools do (ME-14, ME-17)", () => {
    const given = request({ tools: named("a.b", "a_b"), toolChoice: { tool: "a.b" } });
    expect(prepare(given).toolChoice).toEqual({ tool: "a_b_2" });
    const legal = request({ tools: named("a_b"), toolChoice: { tool: "a_b" } });
    expect(prepare(legal)).toBe(legal);
  });

  test("that are too long are told apart (ME-14)", () => {
    const sent = prepare(request({ tools: named(`${"n".repeat(70)}1`, `${"n".repeat(70)}2`) })).tools.map(({ name }) => name);
    expect(sent).toEqual(["n".repeat(64), `${"n".repeat(62)}_2`]);
  });
});

describe("who speaks", () => {
  test("the user is the first behind the system prompt, where that is demanded (ME-14, ME-16)", () => {
    const given = [says("system", "prompt"), says("assistant", "Summary"), says("user", "q")];
    expect(sentFor(given).map(({ role }) => role)).toEqual(["system", "user", "assistant", "user"]);
    expect(sentFor(given, { firstMessage: "any" })).toBe(given);
    expect(sentFor(given)[1]).toBe(sentFor(given)[1]);
  });

  test("a user who said nothing is shown to have said nothing (ME-14)", () => {
    expect(sentFor([says("user", " \n"), own("Hi"), says("user", "q")])[0]).toEqual(says("user", "[empty message]"));
  });

  test("neighbours of one role are one message only where they have to be (ME-14)", () => {
    const given = [says("user", "a"), says("user", "b"), own("c"), own("d"), says("system", "e"), says("user", "f")];
    expect(sentFor(given)).toBe(given);
    expect(sentFor(given, { alternation: "strict" })).toEqual([says("user", "a", "b"), own("c", "d"), says("user", "e", "f")]);
  });
});

test("media that a model does not take are named instead (ME-14)", () => {
  const pdf: LlmContentBlock = { type: "file", mime: "application/pdf", filename: "bill.pdf", url: "https://x.test/bill.pdf" };
  const given = request({ messages: [says("user", { type: "image", attachmentIndex: 0 }, pdf)], attachments: [{ mime: "image/png", data: new Uint8Array([1]) }] });
  expect(prepare(given)).toBe(given);
  expect(prepare(given, { ...defaultWire, media: ["text/plain"] }).messages).toEqual([
    says("user", "[a file of type image/png is not shown: this model does not take it]", "[the file bill.pdf of type application/pdf is not shown: this model does not take it]"),
  ]);
});

test("a conversation that goes on otherwise than before is sent as if it never had (ME-14)", () => {
  const begin = [says("user", "q"), own(tool("c1"))];
  const preparer = new Preparer(defaultWire, OWN);
  preparer.prepare(request({ messages: [...begin, own("gone on without a result")], tools: [look] }));
  const answered = request({ messages: [...begin, says("user", result("c1"))], tools: [look] });
  expect(preparer.prepare(answered).request).toBe(answered);
});

test("an image is what the request says it is, also where its message was sent before (ME-14)", () => {
  const shown = [says("user", { type: "image", attachmentIndex: 0 }), own("Hi"), says("user", "q")];
  const preparer = new Preparer({ ...defaultWire, media: ["image/png"] }, OWN);
  const typesFor = (mime: string) => preparer.prepare(request({ messages: shown, attachments: [{ mime, data: new Uint8Array([1]) }] })).request.messages[0]?.blocks.map(({ type }) => type);
  expect([typesFor("image/png"), typesFor("image/gif"), typesFor("image/png")]).toEqual([["image"], ["text"], ["image"]]);
});

test("a conversation that goes on is not looked at from its beginning again (ME-14)", () => {
  let looks = 0;
  const watched = (message: LlmMessage): LlmMessage => ({
    role: message.role,
    get blocks() {
      looks += 1;
      return message.blocks;
    },
    origin: OWN,
  });
  const history = Array.from({ length: 10_000 }, (_, index) => watched(index % 4 === 0 ? says("user", "q") : index % 4 === 1 ? own(tool(`c${index}`)) : index % 4 === 2 ? says("user", result(`c${index - 1}`)) : own("done")));
  const preparer = new Preparer(defaultWire, OWN);
  const first = preparer.prepare(request({ messages: [says("system", "prompt"), ...history, says("user", "1")], tools: [look] }));
  looks = 0;
  const second = preparer.prepare(request({ messages: [says("system", "prompt"), ...history, says("user", "2"), own(tool("c"))], tools: [look] }));
  expect(looks).toBeLessThan(50);
  expect(second.request.messages.slice(1, 10_001)).toEqual(first.request.messages.slice(1, 10_001));
});
