// Messages as records keep them: every kind of part, what a message says about its answer, and the version of its record (ME-1).

import { isPlainObject, type Json } from "../../domain/json.ts";
import { createMessage, type Message, type PartDraft } from "../../domain/messages.ts";
import { same } from "../assertions.ts";
import { accept, acquire, commitOf, messageNode, stepOf } from "../persistence-fixtures.ts";
import type { Engine } from "../../stores/engine.ts";
import { dump, type PersistenceCase } from "./harness.ts";

const S = "alpha";
const reference = { id: "f".repeat(64), mime: "application/pdf", byteLength: 3 };
const metadata = { vendor: { signature: "s", list: [1, null, { deep: true }] } };

/** What records of version 1 can hold. */
const old: readonly PartDraft[] = [
  { kind: "Reasoning", content: "hm", reasoningMeta: { opaque: '{"vendor":{}}' } },
  { kind: "Prose", content: "so", responseMeta: { providerPayload: "{}" } },
  { kind: "ToolCall", content: "{}", toolCallId: "c", toolName: "t", toolReplay: { opaque: "{}" } },
];

/** One per kind and field that version 1 would misread. */
const newer: readonly PartDraft[] = [
  { kind: "File", content: "", attachment: { reference }, filename: "a.pdf", metadata },
  { kind: "File", content: "", url: "https://example.org/a" },
  { kind: "ReasoningFile", content: "", attachment: { reference } },
  { kind: "Source", content: "title", source: { sourceType: "url", url: "https://example.org" } },
  { kind: "ApprovalRequest", content: "", approvalId: "a", toolCallId: "c" },
  { kind: "Opaque", content: "", opaque: { provider: "vendor", type: "vendor.thing", json: { a: [1] } } },
  { kind: "ToolCall", content: "{}", toolCallId: "c", toolName: "t", providerExecuted: true },
  { kind: "ToolResult", content: "no", toolCallId: "c", toolName: "t", isError: true },
  { kind: "ToolResult", content: "long", toolCallId: "c", toolName: "t", shownBytes: 2 },
  { kind: "ToolResult", content: "long", toolCallId: "c", toolName: "t", restTool: "read_result" },
  { kind: "Prose", content: "cited", citations: [{ source: "x" }] },
];

const answer = {
  provider: "p", model: "m", servedModel: "m-1", responseId: "r", finish: { unified: "stop", raw: "end_turn" }, metadata, warnings: [{ type: "other", message: "w" }],
};

const messageOf = (parts: readonly PartDraft[], facts?: Pick<Message, "answer" | "incomplete">): Message => createMessage("t:0", "Assistant", parts, undefined, facts);

async function versionsIn(engine: Engine, first: string): Promise<readonly (Json | undefined)[]> {
  const rows = (await dump(engine)).filter(({ key }) => key[0] === first);
  return rows.flatMap(({ value }) => (isPlainObject(value) && value["schemaVersion"] !== undefined ? [value["schemaVersion"] as Json] : []));
}

const cases: readonly (readonly [what: string, message: Message, version: 1 | 2])[] = [
  ["parts of the first version", messageOf(old), 1],
  ["what an answer says about itself", messageOf(old, { answer }), 1],
  ["an answer that was cut off", messageOf(old, { answer, incomplete: "cancelled" }), 2],
  ...newer.map((part, index): readonly [string, Message, 2] => [`${part.kind}, ${Object.keys(part).slice(2).join(", ")} (${index + 1})`, messageOf([part]), 2]),
];

export const messageCases: readonly PersistenceCase[] = cases.flatMap(([what, message, version]) => [
  {
    id: "ME-1",
    title: `a committed message comes back as it was, in a record of version ${version}: ${what}`,
    async run({ connect, engine }: Parameters<PersistenceCase["run"]>[0]) {
      const store = await connect();
      const node = messageNode(S, message);
      await store.sessions.commit(commitOf(S, await acquire(store, S), { nodes: [node] }));
      same((await (await connect()).sessions.load(S, { kind: "full_graph" }))?.nodes, [node], "the message");
      const versions = await versionsIn(engine, "s");
      same(versions.includes(2), version === 2, "whether a record is of version 2");
    },
  },
  {
    id: "ME-1b",
    title: `a message of a turn in flight comes back as it was, in a record of version ${version}: ${what}`,
    async run({ connect, engine }: Parameters<PersistenceCase["run"]>[0]) {
      const store = await connect();
      const fence = await accept(store, S, "t");
      await store.turns.recordStep(stepOf(fence, "t", 1, { appended: [message] }));
      same(await versionsIn(engine, "turn"), [version], "the record's version");
      await store.turns.recordStep(stepOf(fence, "t", 2, {}));
      same(await versionsIn(engine, "turn"), [version], "the record's version after another step");
      same((await (await connect()).turns.load(S, "t"))?.log, [message], "the log");
    },
  },
]);
