// What a model is shown of messages that are not plain words: notes, pruned parts, images (T-36..T-39).

import { describe, expect, test } from "vitest";
import { createMessage, type Message, type Part } from "../../src/domain/messages.ts";
import { plugin } from "../../src/plugins/index.ts";
import { testLash } from "../support/lash.ts";
import { png } from "../support/pictures.ts";

type Draft = Parameters<typeof createMessage>[2][number];

/** What the model gets for a history of these messages, each as `role: block | block`. */
async function shown(...messages: readonly Message[]) {
  const history = plugin({ id: "history", build: () => ({ transformContext: () => ({ view: messages }) }) });
  const { lash, provider } = testLash({ plugins: [history] });
  const session = await lash.openSession("s");
  expect(await session.run("now")).toMatchObject({ isSuccess: true });
  const [request] = provider.requests;
  const said = request?.messages.map(({ role, blocks }) => `${role}: ${blocks.map((block) => (block.type === "text" ? block.text : block.type === "toolResult" ? block.content : block.type)).join(" | ")}`);
  return { said, attachments: request?.attachments };
}

const user = (...parts: readonly Draft[]): Message => createMessage("u", "User", [{ kind: "Text", content: "Then:" }, ...parts]);
const pruned = (pruneState: NonNullable<Part["pruneState"]>): Draft => ({ kind: "Text", content: "long ago", pruneState });
const picture = { reference: { id: "p", mime: "image/png" as const, byteLength: png(1).length } };

describe("pruned parts", () => {
  test("a cleared part says so, a deleted one shows its breadcrumb, a summarized one its summary; nothing of what they held is sent (T-39)", async () => {
    const { said } = await shown(
      user(pruned("Cleared"), pruned({ Deleted: { breadcrumb: "[3 files were listed]", archiveHash: "h" } }), pruned({ Summarized: { summary: "All was well.", archiveHash: "h" } })),
    );
    expect(said?.[0]).toBe("user: Then: | [content cleared] | [3 files were listed] | All was well.");
    expect(JSON.stringify(said)).not.toContain("long ago");
  });

  test("a pruned image is a note and no bytes are asked for; so is an image in an answer (T-39)", async () => {
    const image: Draft = { kind: "Image", content: "", attachment: picture };
    const { said, attachments } = await shown(user({ ...image, pruneState: "Cleared" }), createMessage("a", "Assistant", [{ kind: "Text", content: "Here:" }, image]));
    expect(said?.slice(0, 2)).toEqual(["user: Then: | [Image attached]", "assistant: Here: | [Image attached]"]);
    expect(attachments).toEqual([]);
  });
});

describe("notes", () => {
  test("a system message is a runtime note in its place; outputs and errors in it are marked as such (T-37)", async () => {
    const note = createMessage("n", "System", [{ kind: "Text", content: "Ran it." }, { kind: "Output", content: "42" }, { kind: "Error", content: "boom" }]);
    const { said } = await shown(user(), note);
    expect(said?.[1]).toMatch(/^system: Runtime note:\nRan it\.\s+<output>42<\/output>\s+<error>boom<\/error>$/);
  });

  test("an event of an earlier turn is told as a user's message that says what it is (T-37)", async () => {
    const { said } = await shown(user(), createMessage("e", "Event", [{ kind: "Text", content: "The door rang." }]));
    expect(said?.[1]).toBe("user: Runtime event:\nThe door rang.");
  });
});
